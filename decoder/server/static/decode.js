/** What is shown, and beside it what was decoded: the best five, and where the truth came. */

import { byId, glyph, make, percent, say, shape } from "./dom.js";

const N_TOP = 5;
const OLD = 5; // seconds after which a decode is history, even if nothing is wrong
const LATE = 1; // seconds on the way to this page after which a decode is no longer live
const REASONS = {
  settling: "the filters are still settling",
  gap: "samples of this window were lost",
  late: "its marker came too late",
  "bad samples": "this window holds bad samples",
  "bad channels": "too many channels are bad",
  artifact: "this window holds an artifact",
  paused: "decoding is paused",
  unusual: "unlike anything in calibration",
  unsure: "not sure enough to say",
};

/** How a decode went: right, near (among the best five), wrong, or none (nothing to judge). */
export function verdict({ truth, abstained, stale }) {
  if (!truth || abstained || stale) return "none";
  if (truth.rank === 1) return "right";
  return truth.rank <= N_TOP ? "near" : "wrong";
}

/** Whether a decode reached this page too late to be called live: `age` seconds after it was sent. */
export function isLate(event, age) {
  return event.stale || age > LATE;
}

const share = (risk) => `${Number((100 * risk).toFixed(1))} %`;

/** What a decode rests on, and which candidates it leaves. */
export function promise({ conformal, final, revision, latency, n_repeats: repeats, abstained }) {
  const parts = [];
  if (repeats > 1) parts.push(`from ${repeats} windows`);
  if (latency && (revision > 0 || !final)) parts.push(`after ${Math.round(1000 * latency)} ms`);
  if (conformal) {
    const n = conformal.ids.length;
    const which = n === 1 && !abstained ? "this one" : `one of ${n}`;
    parts.push(`${which}, wrong in at most ${share(conformal.risk)} of cases`);
  }
  return parts.join(" · ");
}

export class ShownPanel {
  #panel = byId("shown");
  #glyph = byId("shown-glyph");
  #text = byId("shown-text");
  #note = byId("shown-note");
  #t = NaN;

  /** A marker came: a stimulus, a pause, or one that the table does not know. */
  see({ t, role, text, glyph: emoji, label }) {
    if (role === "response" || role === "ignore") return;
    const stimulus = role === "stimulus";
    this.#t = t;
    this.#panel.dataset.kind = stimulus ? "stimulus" : "other";
    say(this.#glyph, stimulus ? emoji : "");
    this.#name(stimulus ? text : role === "unknown" ? label : role.replace("_", " "));
    say(this.#note, role === "unknown" ? "a marker that the table of stimuli does not list" : "");
  }

  clear() {
    this.#t = NaN;
    this.#panel.dataset.kind = "other";
    say(this.#glyph, "");
    this.#name("waiting");
    say(this.#note, "no marker yet");
  }

  /** No word is cut in two, and about three lines are enough: that says how large letters may be. */
  #name(text) {
    say(this.#text, text);
    this.#text.title = text;
    const longest = Math.max(1, text.length / 3, ...text.split(/\s+/u).map((word) => word.length));
    this.#text.style.setProperty("--letters", longest);
  }

  age(now) {
    this.#panel.classList.toggle("old", now - this.#t > OLD);
  }
}

export class DecodePanel {
  #panel = byId("decoded");
  #about = byId("decoded-for");
  #seen = byId("decoded-seen");
  #flag = byId("decoded-flag");
  #promise = byId("decoded-set");
  #result = byId("verdict");
  #rows;
  #event = null;

  constructor() {
    this.#rows = Array.from({ length: N_TOP }, () => {
      const row = make("li");
      const parts = {
        row,
        glyph: glyph(""),
        text: make("span", "word"),
        bar: make("span", "fill"),
        p: make("span", "p"),
      };
      const track = make("span", "track");
      track.append(parts.bar);
      row.append(parts.glyph, parts.text, track, parts.p);
      byId("top").append(row);
      return parts;
    });
  }

  clear() {
    this.#event = null;
    this.#panel.dataset.look = "waiting";
    for (const node of [this.#about, this.#seen, this.#flag, this.#promise]) say(node, "");
    this.#result.replaceChildren(make("span", "", "no decode yet"));
    this.#fill([], null, []);
  }

  /** Show a decode, or why there is none; `late` if it must not look live. */
  show(event, late) {
    this.#event = event;
    const { truth, abstained, calibrated, final = true, conformal } = event;
    this.#panel.dataset.look = abstained ? "abstained" : late ? "stale" : "live";
    say(this.#about, truth ? `for ${truth.glyph} ${truth.text}` : "");
    this.#about.title = truth?.text ?? "";
    const familiar = truth?.trained ? "seen in calibration" : "never seen in calibration";
    const untold = abstained || !final ? "" : "no truth is known for this window";
    say(this.#seen, truth ? familiar : untold);
    say(this.#promise, promise(event));
    say(this.#flag, abstained ? "NO DECODE" : late ? "STALE" : calibrated ? "" : "not calibrated");
    this.#fill(abstained ? [] : event.top, truth, conformal?.ids ?? []);
    this.#result.replaceChildren(...this.#judge(event, late));
  }

  #fill(top, truth, inside) {
    this.#rows.forEach(({ row, glyph: emoji, text, bar, p }, i) => {
      const entry = top[i];
      row.classList.toggle("empty", !entry);
      row.classList.toggle("truth", Boolean(entry && truth && entry.id === truth.id));
      const named = Boolean(entry && inside.includes(entry.id));
      row.classList.toggle("inside", named);
      row.title = named ? "one of the set" : "";
      say(emoji, entry?.glyph ?? "");
      say(text, entry?.text ?? "");
      text.title = entry?.text ?? "";
      bar.style.setProperty("--p", entry?.p ?? 0);
      say(p, entry ? percent(entry.p) : "");
    });
  }

  #judge(event, late) {
    const { truth, abstained, n_candidates: pool } = event;
    if (abstained) return [shape("none"), make("span", "", REASONS[abstained] ?? abstained)];
    if (event.stale) return [shape("none"), make("span", "", "came too late to be live; not counted")];
    if (late) return [shape("none"), make("span", "", "reached this page too late to be live")];
    if (event.final === false) return [shape("none"), make("span", "", "not final yet")];
    if (!truth) return [shape("none"), make("span", "", `best of ${pool} candidates`)];
    const kind = verdict(event);
    const words = { right: "Right", near: "In the top five", wrong: "Wrong" }[kind];
    return [
      shape(kind),
      make("strong", kind, words),
      make("span", "", `rank ${truth.rank} of ${pool}`),
    ];
  }

  /** Grey out what time has overtaken; `now` on the LSL clock, `live` as status.js says. */
  age(now, live) {
    const event = this.#event;
    const since = event ? now - event.t_end : 0;
    const old = Boolean(event) && (!live || since > OLD);
    this.#panel.classList.toggle("old", old);
    if (old && this.#panel.dataset.look === "live") {
      say(this.#flag, Number.isFinite(since) ? `STALE · ${Math.floor(since)} s ago` : "STALE");
    } else if (!old && this.#panel.dataset.look === "live") {
      say(this.#flag, event.calibrated ? "" : "not calibrated");
    }
  }
}
