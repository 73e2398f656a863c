/** The operator says that a channel is bad, or good again. */

import { byId, say } from "./dom.js";

export class Marking {
  #form = byId("mark");
  #choice = byId("mark-channel");
  #button = byId("mark-button");
  #verdicts = new Map(); // of each channel, by name
  #operator = false;

  /** @param {(chNames: string[], bad: boolean) => void} use called with what was said */
  constructor(use) {
    this.#form.onsubmit = (submission) => {
      submission.preventDefault();
      use([this.#choice.value], !this.#isMarked());
    };
    this.#choice.onchange = () => this.#show();
  }

  /** Only the operator may; a model that does not watch its channels never names them. */
  allow(role) {
    this.#operator = role === "operator";
    this.#verdicts.clear();
    this.#show();
  }

  /** Say how each channel is. */
  judge({ ch_names: names, verdicts, impedance_kohm: impedances = [] }) {
    const known = [...this.#verdicts.keys()];
    this.#verdicts = new Map(names.map((name, c) => [name, verdicts[c]]));
    if (names.length !== known.length || names.some((name, c) => name !== known[c])) {
      this.#choice.replaceChildren(...names.map((name) => new Option(name, name)));
    }
    for (const [c, option] of [...this.#choice.options].entries()) {
      const z = impedances[c] ?? null;
      say(option, z === null ? names[c] : `${names[c]}, ${z.toFixed(z < 10 ? 1 : 0)} k\u03a9`);
    }
    this.#show();
  }

  #isMarked() {
    return this.#verdicts.get(this.#choice.value) === "marked";
  }

  #show() {
    this.#form.hidden = !this.#operator || !this.#verdicts.size;
    say(this.#button, this.#isMarked() ? "Mark as good" : "Mark as bad");
  }
}
