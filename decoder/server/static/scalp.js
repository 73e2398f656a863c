/** How each channel is: a map of the head, those that are not good by name, and marking them. */

import { byId, make, say } from "./dom.js";

const SVG = "http://www.w3.org/2000/svg";
const LOOKS = { good: "good", noisy: "doubtful", line: "doubtful" }; // all others are bad
const SHAPES = {
  good: "M-1 0a1 1 0 1 0 2 0a1 1 0 1 0-2 0z",
  doubtful: "M0-1.25 1.3 1.05-1.3 1.05z",
  bad: "M-1-1H1V1H-1z",
};
const HEAD = "M-1 0a1 1 0 1 0 2 0a1 1 0 1 0-2 0M-.16-.987 0-1.17.16-.987M-.995-.14q-.12.14 0 .28M.995-.14q.12.14 0 .28";
const SIZES = [0.024, 0.085]; // of a mark, the head being 1
const SEEN = 0.045; // of the mark of a channel that is not good, at least

/** Good, doubtful or bad, each of which has a shape and a colour. */
export const look = (verdict) => LOOKS[verdict] ?? "bad";

function draw(tag, attributes) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}

export class ChannelsPanel {
  #panel = byId("channels");
  #map = byId("scalp");
  #list = byId("channels-bad");
  #form = byId("mark");
  #choice = byId("mark-channel");
  #button = byId("mark-button");
  #places = new Map(); // of each sensor, by name
  #marks = new Map(); // on the map, by name
  #size = SIZES[1];
  #verdicts = new Map(); // of each channel, by name
  #words = new Map(); // the same, for people
  #operator = false;

  /** @param {(chNames: string[], bad: boolean) => void} use called with what was marked */
  constructor(use) {
    this.#form.onsubmit = (submission) => {
      submission.preventDefault();
      use([this.#choice.value], !this.#isMarked());
    };
    this.#choice.onchange = () => this.#offer();
    this.#map.onclick = ({ target }) => {
      const { name } = target.dataset;
      if (name === undefined || this.#form.hidden) return;
      this.#choice.value = name;
      this.#offer();
    };
    this.clear();
  }

  /** Only the operator may mark. */
  allow(role) {
    this.#operator = role === "operator";
    this.#offer();
  }

  /** Say where sensors are; `places` holds [x, y], or null where that is not known. */
  describe({ ch_names: names, places }) {
    this.#places = new Map(names.map((name, c) => [name, places[c]]));
    this.#layOut();
  }

  /** A model that does not watch its channels says nothing, and nothing is shown of them. */
  clear() {
    this.#verdicts.clear();
    this.#panel.hidden = true;
    this.#offer();
  }

  /** Say how each channel is. */
  judge({ ch_names: names, verdicts, interpolated, refused, impedance_kohm: impedances = [] }) {
    const known = [...this.#verdicts.keys()];
    this.#verdicts = new Map(names.map((name, c) => [name, verdicts[c]]));
    const others = names.length !== known.length || names.some((name, c) => name !== known[c]);
    if (others) this.#choice.replaceChildren(...names.map((name) => new Option(name, name)));
    names.forEach((name, c) => {
      const z = impedances[c] ?? null;
      const ohms = z === null ? "" : `, ${z.toFixed(z < 10 ? 1 : 0)} k\u03a9`;
      say(this.#choice.options[c], `${name}${ohms}`);
      this.#words.set(name, `${name}: ${verdicts[c]}${ohms}`);
    });
    if (others) this.#layOut();
    else this.#paint();
    this.#panel.hidden = false;
    this.#count(new Set(interpolated), refused);
    this.#offer();
  }

  #layOut() {
    this.#marks.clear();
    const placed = [...this.#verdicts.keys()].filter((name) => this.#places.get(name));
    this.#map.toggleAttribute("hidden", !placed.length);
    this.#size = Math.max(SIZES[0], Math.min(SIZES[1], 0.52 / Math.sqrt(placed.length)));
    for (const name of placed) {
      const mark = draw("path", {});
      mark.append(draw("title", {}));
      mark.dataset.name = name;
      this.#marks.set(name, mark);
    }
    this.#map.replaceChildren(draw("path", { class: "head", d: HEAD }), ...this.#marks.values());
    this.#paint();
  }

  #paint() {
    for (const [name, mark] of this.#marks) {
      say(mark.firstChild, this.#words.get(name));
      const kind = look(this.#verdicts.get(name));
      if (mark.dataset.look === kind) continue;
      mark.dataset.look = kind;
      mark.setAttribute("d", SHAPES[kind]);
      const [x, y] = this.#places.get(name);
      const size = kind === "good" ? this.#size : Math.max(SEEN, this.#size);
      mark.setAttribute("transform", `translate(${x} ${-y}) scale(${size})`);
      if (kind !== "good") this.#map.append(mark); // on top of its neighbours
    }
  }

  /** How many are how, and the names of those that are not good. */
  #count(interpolated, refused) {
    const names = new Map();
    for (const [name, verdict] of this.#verdicts) {
      names.set(verdict, [...(names.get(verdict) ?? []), name]);
    }
    const good = names.get("good")?.length ?? 0;
    names.delete("good");
    say(byId("channels-count"), `${good} of ${this.#verdicts.size} good`);
    const severity = ([verdict]) => (look(verdict) === "bad" ? 0 : 1);
    const sorted = [...names].sort((a, b) => severity(a) - severity(b));
    const rows = sorted.map(([verdict, which]) => {
      const row = make("li", look(verdict));
      const said = which.map((name) => (interpolated.has(name) ? `${name}*` : name)).join(" ");
      row.append(make("b", "", `${which.length} ${verdict}`), make("span", "", said));
      return row;
    });
    if (interpolated.size) rows.push(make("li", "note", "* interpolated"));
    if (refused) rows.unshift(make("li", "bad", "Too many are bad: nothing is decoded"));
    const before = this.#list.textContent;
    const now = rows.map((row) => row.textContent).join("");
    if (before !== now) this.#list.replaceChildren(...rows);
  }

  #isMarked() {
    return this.#verdicts.get(this.#choice.value) === "marked";
  }

  #offer() {
    this.#form.hidden = !this.#operator || !this.#verdicts.size;
    say(this.#button, this.#isMarked() ? "Mark as good" : "Mark as bad");
  }
}
