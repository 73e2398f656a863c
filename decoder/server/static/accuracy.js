/** Running accuracy against chance; concepts seen in calibration and never seen stay apart. */

import { byId, make, percent, say } from "./dom.js";

const TICKS = [0, 0.01, 0.1, 0.25, 0.5, 1];

/**
 * Where a share lies on the axis, from 0 to 1. Square roots, since chance is 0.3 % among 300
 * and 50 % among two: both can be told from zero, and zero has a place, unlike on logarithms.
 */
const place = (share) => Math.sqrt(share);

/** How much a stake has grown or shrunk, for a person: never more digits than one reads. */
const times = (log10) => (log10 > 6 ? "over 1,000,000" : whole(10 ** log10));
const whole = (x) => (x < 9.95 ? Number(x.toFixed(1)) : Math.round(x)).toLocaleString("en");

export class AccuracyPanel {
  #big;
  #times;
  #rows;
  #count;
  #chance;
  #evidence;
  #sets;

  /** @param {"closed_set" | "zero_shot"} protocol The id of its section. */
  constructor(protocol) {
    const panel = byId(protocol);
    this.#big = panel.querySelector(".big");
    this.#times = panel.querySelector(".times");
    this.#count = panel.querySelector(".count");
    this.#chance = panel.querySelector(".chance-key");
    this.#evidence = panel.querySelector(".evidence");
    this.#sets = panel.querySelector(".sets");
    this.#rows = [1, 5].map((k) => this.#row(panel.querySelector(".axes"), k));
    panel.querySelector(".axes").append(this.#scale());
    this.clear();
  }

  clear() {
    say(this.#big, "–");
    say(this.#times, "");
    say(this.#count, "no trial yet");
    say(this.#chance, "");
    this.#tell("evidence: no bet yet", "");
    say(this.#sets, "");
    for (const { row, value } of this.#rows) {
      row.classList.add("empty");
      row.title = "";
      say(value, "");
    }
  }

  /** Show a score; `risk` is what its sets promise, if there are any. */
  show(score, risk) {
    this.#scored(score);
    const { n_sets: sets = 0, coverage, set_size: size } = score;
    say(this.#sets, sets ? `sets hold ${percent(coverage)}` : "");
    const promised = risk === undefined ? "" : `; ${percent(1 - risk)} is promised`;
    this.#sets.title = sets ? `${sets} sets of ${size.toFixed(1)} candidates${promised}` : "";
  }

  #scored({ n, pool, top1, top1_low: low, top1_high: high, top5, median_rank: median }) {
    const chance = 1 / pool;
    say(this.#big, percent(top1));
    const above = low > chance;
    const times = top1 / chance;
    say(this.#times, above ? `${times.toFixed(times < 9.95 ? 1 : 0)} × chance` : "within chance");
    this.#times.classList.toggle("above", above);
    const [one, five] = this.#rows;
    this.#place(one, { share: top1, low, high, chance });
    this.#place(five, { share: top5, low: top5, high: top5, chance: Math.min(1, 5 / pool) });
    const rank = Number(median.toFixed(median < 10 ? 1 : 0));
    const trials = n === 1 ? "trial" : "trials";
    say(this.#count, `${n} ${trials} · median rank ${rank}`);
    say(this.#chance, `chance 1 in ${pool}`);
  }

  /** Say what betting against chance has come to; `braincast` bets before the label is read. */
  bet({ available, reason, warning, n, log10_e: now, log10_e_max: most, p }) {
    if (!available) {
      this.#tell(`evidence unavailable: ${reason.split(":")[0]}`, reason);
      return;
    }
    const odds = now < 0 ? `1 : ${times(-now)}` : `${times(now)} : 1`;
    const trials = n === 1 ? "trial" : "trials";
    const what = `${warning ? "doubted" : "evidence"}: ${odds}`; // more would be cut
    const chance =
      `Evidence against chance from ${n} ${trials}. A stake of 1, bet against chance before each trial, would be ${times(now)} now; ` +
      `${times(most)} at most, p = ${p.toPrecision(2)}. Chance alone ever makes 20 of it in ` +
      "one session of 20, however often one looks.";
    this.#tell(what, warning ? `Not to be believed: ${warning}` : chance, warning);
  }

  #tell(what, title, warning = "") {
    say(this.#evidence, what);
    this.#evidence.title = title;
    this.#evidence.classList.toggle("doubted", Boolean(warning));
  }

  #row(axes, k) {
    const row = make("div", "axis empty");
    const track = make("span", "track");
    const parts = { row, chance: make("span", "chance"), value: make("span", "value") };
    parts.interval = make("span", "interval");
    parts.dot = make("span", "dot");
    track.append(parts.chance, parts.interval, parts.dot);
    row.append(make("span", "name", `top ${k}`), track, parts.value);
    axes.append(row);
    return parts;
  }

  #scale() {
    const row = make("div", "axis scale");
    const track = make("span", "track");
    row.setAttribute("aria-hidden", "true");
    for (const share of TICKS) {
      const tick = make("span", "tick", `${100 * share}`);
      tick.style.setProperty("--x", place(share));
      track.append(tick);
    }
    row.append(make("span", "name", ""), track, make("span", "value", "%"));
    return row;
  }

  #place({ row, chance: mark, interval, dot, value }, { share, low, high, chance }) {
    row.classList.remove("empty");
    mark.style.setProperty("--x", place(chance));
    dot.style.setProperty("--x", place(share));
    interval.style.setProperty("--x", place(low));
    interval.style.setProperty("--to", place(high));
    say(value, percent(share));
    const spread = low < high ? `, 95 % interval ${percent(low)} to ${percent(high)}` : "";
    row.title = `${percent(share)}${spread}; chance ${percent(chance)}`;
  }
}
