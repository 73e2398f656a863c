/** The picture of a decode, beside its candidates; never an old one as if it were of the newest. */

import { byId, say } from "./dom.js";

const KINDS = { generated: "GENERATED", retrieved: "RETRIEVED" };
const WHAT = {
  generated: "made by a network of what was decoded; not what was seen",
  retrieved: "the nearest of a gallery to what was decoded; not what was seen",
};

export class PreviewPanel {
  #panel = byId("preview");
  #kind = byId("preview-kind");
  #picture = byId("preview-picture");
  #about = byId("preview-about");
  #what = byId("preview-what");
  #newest = ""; // the decode that is shown beside it
  #header = null;
  #url = "";

  constructor() {
    // Not before it is there: an alt text beside no picture would be read as one.
    this.#picture.onload = () => (this.#picture.hidden = false);
  }

  /** Show the place of pictures once it is known that there will be some. */
  describe(preview) {
    this.#panel.hidden = !preview && !this.#header;
  }

  clear() {
    this.#header = null;
    this.#newest = "";
    this.#drop();
    this.#picture.hidden = true;
    this.#picture.removeAttribute("src");
    this.#picture.alt = "";
    this.#panel.dataset.look = "waiting";
    for (const node of [this.#kind, this.#what]) say(node, "");
    say(this.#about, "no preview yet");
  }

  #drop() {
    URL.revokeObjectURL(this.#url);
    this.#url = "";
  }

  /** Another decode is shown: a picture of the one before is old from now on. */
  decoded({ decode_id: id }) {
    this.#newest = id;
    this.#label();
  }

  /** Show a picture, as `readFrame` gives it. */
  show({ header, view, start }) {
    if (!header.format) return;
    const bytes = new Uint8Array(view.buffer, view.byteOffset + start);
    const before = this.#url;
    this.#url = URL.createObjectURL(new Blob([bytes], { type: `image/${header.format}` }));
    this.#picture.src = this.#url;
    URL.revokeObjectURL(before);
    this.#header = header;
    this.#panel.hidden = false;
    this.#label();
  }

  #label() {
    if (!this.#header) return;
    const { kind, step, n_steps: n, decode_id: id, source, final } = this.#header;
    const old = id !== this.#newest;
    const steps = kind === "retrieved" ? source : `step ${step} of ${n}`;
    this.#panel.dataset.look = old ? "old" : final ? "final" : "coarse";
    say(this.#kind, KINDS[kind] ?? kind);
    say(this.#about, old ? "OLD · of a decode before" : `${steps} · of this decode`);
    say(this.#what, WHAT[kind] ?? "");
    const whose = old ? "an earlier decode" : "decode";
    this.#picture.alt = `${kind} preview, ${steps}, of ${whose} ${id}`;
  }
}
