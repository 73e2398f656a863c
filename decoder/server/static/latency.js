/** Latency from the newest sample to the decode: the whole, and its stages as one bar. */

import { byId, make, say } from "./dom.js";

const STAGES = ["device", "acquire", "queue", "decode", "emit"]; // in the order of time
const QUANTILES = ["p50", "p95", "p99"];

const ms = (value) => (value < 9.95 ? value.toFixed(1) : value.toFixed(0));

export class LatencyPanel {
  #parts = new Map();
  #losses = byId("losses");

  constructor() {
    for (const stage of STAGES) {
      const bar = make("span", `stage ${stage}`);
      const key = make("li");
      const value = make("span", "num");
      key.append(make("span", `swatch ${stage}`), make("span", "", stage), value);
      byId("stages").append(bar);
      byId("stage-list").append(key);
      this.#parts.set(stage, { bar, key, value });
    }
    this.clear();
  }

  clear() {
    for (const q of QUANTILES) say(byId(q), "–");
    for (const { bar, key } of this.#parts.values()) {
      bar.style.setProperty("--ms", 0);
      key.hidden = true;
    }
    say(this.#losses, "");
  }

  /** Say who is connected: the number of each role. */
  count(clients = {}) {
    const said = Object.entries(clients).filter(([, n]) => n);
    say(byId("clients"), said.map(([role, n]) => `${n} ${role}${n === 1 ? "" : "s"}`).join(" · "));
  }

  show({ stages, gaps, drops }) {
    QUANTILES.forEach((q, i) => say(byId(q), stages.total ? ms(stages.total[i]) : "–"));
    for (const [stage, { bar, key, value }] of this.#parts) {
      const p50 = stages[stage]?.[0];
      key.hidden = p50 === undefined;
      bar.style.setProperty("--ms", p50 ?? 0);
      say(value, ms(p50 ?? 0));
    }
    say(this.#losses, `gaps ${gaps} · drops ${drops}`);
  }
}
