/** The last trials in a row: what was shown, what was decoded, and how that went. */

import { byId, glyph, make, say, shape } from "./dom.js";
import { verdict } from "./decode.js";

const N_TRIALS = 12;
const NOTHING = { glyph: "", text: "–", trained: true };
const WORDS = { right: "right", near: "in the top five", wrong: "wrong" };

export class TrialStrip {
  #list = byId("trial-list");
  #cells = new Map(); // decode_id -> cell, oldest first

  clear() {
    this.#cells.clear();
    this.#list.replaceChildren();
  }

  /** Add a trial, or replace it if a revision of its decode came. */
  add(event) {
    const trial = event.decode_id.includes("/locked/"); // of a marker, not of a sliding window
    if (!trial || event.abstained === "paused" || !(event.truth || event.abstained)) return;
    const cell = this.#make(event);
    const earlier = this.#cells.get(event.decode_id);
    if (earlier) earlier.replaceWith(cell);
    else this.#list.append(cell);
    this.#cells.set(event.decode_id, cell);
    if (this.#cells.size > N_TRIALS) {
      const [oldest, node] = this.#cells.entries().next().value;
      node.remove();
      this.#cells.delete(oldest);
    }
  }

  #make(event) {
    const { truth, abstained, stale, top } = event;
    const kind = verdict(event);
    const was = truth ?? NOTHING; // of what is not decoded no truth is told
    const cell = make("li", was.trained ? kind : `${kind} new`);
    const mark = make("span", "mark");
    const note = abstained || (stale ? "stale" : String(truth.rank));
    mark.append(shape(kind), make("span", "rank", note));
    const best = abstained ? NOTHING : top[0];
    cell.append(mark, this.#thing("was", was), this.#thing("is", best));
    const result = WORDS[kind] ?? note;
    cell.title = `shown: ${was.text}; decoded: ${best.text}; ${result}`;
    return cell;
  }

  #thing(name, { glyph: emoji, text }) {
    const node = make("span", `thing ${name}`);
    node.append(glyph(emoji), make("span", "word", text));
    return node;
  }
}

/** Tells screen readers about the newest trial, now and then: each one would be a flood. */
export class Herald {
  #node = byId("herald");
  #spoken = -Infinity;

  clear() {
    say(this.#node, "");
  }

  tell(event, now) {
    if (!event.truth || event.abstained || now - this.#spoken < 10) return;
    this.#spoken = now;
    const best = event.top[0].text;
    say(this.#node, `Shown ${event.truth.text}, decoded ${best}, rank ${event.truth.rank}.`);
  }
}
