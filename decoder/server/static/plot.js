/**
 * The live signal: all channels stacked, drawn by LSL time, gaps left open.
 *
 * Samples are inked once, onto a strip that is used in a circle; a frame only copies the strip
 * to the screen. So the cost does not grow with the channels or the seconds on view. The strip
 * reaches a little past the right edge, since samples wait there until their time has come.
 */

import { Ring } from "./ring.js";
import { look } from "./scalp.js";

const VIEW = 5; // seconds on view
const DELAY = 0.3; // seconds behind now: frames come every 50 ms, networks jitter
const AHEAD = 1; // seconds of strip past the right edge
const RESCALE = 1; // seconds between looks at the scale
const LANE = 3; // root mean squares from one channel to the next: large waves may overlap
const UNITS = { V: ["µV", 1e6], T: ["fT", 1e15], "T/m": ["fT/cm", 1e13] };
const N_MARKS = 12;

/** The one of 1, 2, 5, 10, 20, ... that `x` is nearest to, by ratio. */
function nearestStep(x) {
  const power = 10 ** Math.floor(Math.log10(x));
  return power * [1, 2, 5, 10].find((m, i) => x / power < m * [1.41, 1.58, 1.41, 2][i]);
}

export class Plot {
  #canvas;
  #screen;
  #strip = document.createElement("canvas");
  #ink = this.#strip.getContext("2d");
  #ring = null;
  #marks = [];
  #names = [];
  #rows = []; // the channels that are drawn, from top to bottom
  #quality = new Map(); // verdict of each channel, by name
  #units = []; // of each channel
  #scales = []; // one for each unit: {unit, factor, channels, step}, step from lane to lane
  #scaleOf = []; // the scale of each channel
  #colors = {};
  #hatch = null;
  #family = "";
  #box = { left: 0, top: 0, width: 0, height: 0, pps: 1 }; // device pixels; pps: per second
  #dpr = 1;
  #scaledAt = -Infinity;
  #drawn = 0; // next sample to ink
  #cleared = -Infinity; // strip is clean or inked up to here, in pixels since time 0
  #stale = true; // all must be drawn anew
  #labelled = false; // names and marks are as they should be
  #still = matchMedia("(prefers-reduced-motion: reduce)");

  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.#canvas = canvas;
    this.#screen = canvas.getContext("2d");
    new ResizeObserver(() => (this.#stale = true)).observe(canvas);
    this.#still.addEventListener("change", () => (this.#stale = true));
  }

  /** Say what the channels are; returns whether that is news. */
  describe({ ch_names: names, units }) {
    const same = names.length === this.#names.length && names.every((n, c) => n === this.#names[c]);
    if (same) return false; // asked for again
    this.#names = names;
    this.#units = units;
    this.show(0, names.length);
    this.#ring = null;
    this.#marks = [];
    this.#quality.clear();
    this.#stale = true;
    return true;
  }

  /** Draw `n` channels from `first` on. */
  show(first, n) {
    this.#rows = Array.from({ length: n }, (_, k) => first + k);
    this.#stale = true;
  }

  /** Forget every sample. */
  clear() {
    this.#ring = null;
    this.#marks = [];
    this.#quality.clear();
    this.#screen.clearRect(0, 0, this.#canvas.width, this.#canvas.height);
  }

  /** Say how each channel is; its label gets a mark. */
  judge({ ch_names: names, verdicts }) {
    const changed = names.some((name, c) => this.#quality.get(name) !== verdicts[c]);
    if (!changed) return;
    this.#quality = new Map(names.map((name, c) => [name, verdicts[c]]));
    this.#labelled = false; // of many channels some change each second: the rest stays
  }

  /** Read the colours again, after the theme changed. */
  restyle() {
    this.#stale = true;
  }

  append(frame) {
    if (!this.#ring?.fits(frame.header)) {
      this.#ring = new Ring(frame.header.n_channels, frame.header.sfreq, VIEW + AHEAD + 1);
      if (!this.#rows.length) this.show(0, frame.header.n_channels); // not described yet
      this.#makeScales();
      this.#scaledAt = -Infinity;
      this.#stale = true;
    }
    this.#ring.append(frame);
  }

  /** Draw a line where a stimulus came. */
  mark(t, label) {
    this.#marks.push({ t, label });
    if (this.#marks.length > N_MARKS) this.#marks.shift();
  }

  /** Draw one frame; `now` is in seconds on the LSL clock. */
  draw(now) {
    if (!Number.isFinite(now) || !this.#ring) return;
    if (now - this.#scaledAt > RESCALE) this.#rescale(now);
    if (this.#stale) this.#measure();
    if (!this.#labelled) this.#drawLabels();
    const { left, top, width, height, pps } = this.#box;
    const edge = Math.floor((now - DELAY) * pps);
    this.#advance(edge + Math.floor(AHEAD * pps));
    this.#screen.clearRect(left, 0, width, this.#canvas.height);
    if (this.#still.matches) {
      const turn = Math.floor(edge / width) * width; // a pen that sweeps over a still sheet
      const wiper = Math.round(0.04 * width);
      this.#copy(turn, edge, left);
      this.#copy(edge - width + wiper, turn, left + edge - turn + wiper);
    } else {
      this.#copy(edge - width, edge, left);
    }
    this.#annotate(edge, top, height);
  }

  /** Channels of one unit share a scale: of MEG, magnetometers one and gradiometers another. */
  #makeScales() {
    const scales = new Map();
    this.#scaleOf = [];
    for (let c = 0; c < this.#ring.nChannels; c++) {
      const name = this.#units[c] ?? "V";
      const [unit, factor] = UNITS[name] ?? [name, 1];
      if (!scales.has(name)) scales.set(name, { unit, factor, channels: [], step: 0 });
      this.#scaleOf.push(scales.get(name));
      scales.get(name).channels.push(c);
    }
    this.#scales = [...scales.values()];
  }

  #rescale(now) {
    this.#scaledAt = now;
    for (const scale of this.#scales) {
      const wanted = LANE * this.#ring.typical(VIEW, scale.channels);
      // A step waits until it is due by a margin, so that the scale does not flicker.
      if (wanted === 0 || (wanted > 0.4 * scale.step && wanted < 2 * scale.step)) continue;
      scale.step = nearestStep(wanted * scale.factor) / scale.factor;
      this.#stale = true;
    }
  }

  /** Fit to the page: sizes, colours, the parts that stand still. */
  #measure() {
    this.#stale = false;
    const dpr = (this.#dpr = Math.min(devicePixelRatio, 2));
    const style = getComputedStyle(this.#canvas);
    const canvas = this.#canvas;
    canvas.width = Math.round(canvas.clientWidth * dpr);
    canvas.height = Math.round(canvas.clientHeight * dpr);
    for (const name of ["trace", "trace-2", "muted", "rule", "mark", "right", "doubt", "wrong"]) {
      this.#colors[name] = style.getPropertyValue(`--${name}`);
    }
    const rem = dpr * parseFloat(getComputedStyle(document.documentElement).fontSize);
    const left = Math.round(2.7 * rem);
    const top = Math.round(1.7 * rem);
    const width = Math.max(10, canvas.width - left);
    const height = Math.max(10, canvas.height - top - Math.round(1.5 * rem));
    this.#box = { left, top, width, height, pps: width / VIEW, rem };
    this.#strip.width = width + Math.ceil(AHEAD * this.#box.pps);
    this.#strip.height = height;
    this.#hatch = this.#makeHatch(rem);
    this.#cleared = -Infinity;
    this.#family = style.fontFamily;
    this.#labelled = false;
  }

  #makeHatch(rem) {
    const tile = document.createElement("canvas");
    const size = (tile.width = tile.height = Math.round(0.6 * rem));
    const pen = tile.getContext("2d");
    pen.strokeStyle = this.#colors.rule;
    pen.lineWidth = size / 6;
    for (const shift of [-size, 0, size]) {
      pen.moveTo(shift, size);
      pen.lineTo(shift + size, 0);
    }
    pen.stroke();
    return this.#ink.createPattern(tile, "repeat");
  }

  #drawLabels() {
    this.#labelled = true;
    const pen = this.#screen;
    const { left, top, height, rem } = this.#box;
    pen.clearRect(0, 0, left, this.#canvas.height);
    const names = this.#rows.map((c) => this.#names[c] ?? "");
    const lane = height / names.length;
    const every = Math.ceil((0.72 * rem) / lane); // names that would overlap are left out
    pen.font = `${Math.min(0.72 * rem, lane * every * 0.95)}px ${this.#family}`;
    pen.textBaseline = "middle";
    pen.textAlign = "right";
    names.forEach((name, row) => {
      const y = top + (row + 0.5) * lane;
      pen.fillStyle = this.#colors.muted;
      if (row % every === 0) pen.fillText(name, left - 0.45 * rem, y, left - 0.5 * rem);
      const verdict = this.#quality.get(name);
      if (verdict) this.#drawQuality(verdict, left - 0.2 * rem, y, Math.min(0.17 * rem, 0.4 * lane));
    });
    pen.font = `${0.8 * rem}px ${this.#family}`; // for the notes of every frame
  }

  /** A dot for a good channel, a triangle for a doubtful one, a square for a bad one. */
  #drawQuality(verdict, x, y, r) {
    const pen = this.#screen;
    const kind = look(verdict);
    pen.fillStyle = this.#colors[{ good: "right", doubtful: "doubt", bad: "wrong" }[kind]];
    pen.beginPath();
    if (kind === "good") {
      pen.arc(x, y, 0.7 * r, 0, 2 * Math.PI);
    } else if (kind === "doubtful") {
      pen.moveTo(x, y - r);
      pen.lineTo(x + r, y + r);
      pen.lineTo(x - r, y + r);
    } else {
      pen.rect(x - r, y - r, 2 * r, 2 * r);
    }
    pen.fill();
  }

  /** Clear the strip and ink what has come, up to pixel `limit` since time 0. */
  #advance(limit) {
    const ring = this.#ring;
    const length = this.#strip.width;
    if (!(limit - this.#cleared < length && limit >= this.#cleared)) {
      this.#cleared = limit - length; // new, resized, or back from a hidden tab
      this.#drawn = ring.oldest;
    }
    for (let from = this.#cleared; from < limit; ) {
      const at = from % length;
      const n = Math.min(limit - from, length - at);
      this.#ink.clearRect(at, 0, n, this.#strip.height);
      from += n;
    }
    this.#cleared = limit;
    const { pps } = this.#box;
    let first = Math.max(this.#drawn, ring.oldest);
    while (first < ring.end && ring.time(first) * pps < limit - length + 2) first++;
    let end = first;
    while (end < ring.end && ring.time(end) * pps <= limit) {
      if (end > first && ring.afterGap[end % ring.capacity]) {
        this.#stroke(first, end, limit);
        first = end;
      }
      end++;
    }
    this.#stroke(first, end, limit);
    this.#drawn = end;
  }

  /** Ink samples `first` to `end`, which hang together, and the gap before them if there is one. */
  #stroke(first, end, limit) {
    if (first >= end) return;
    const ring = this.#ring;
    const { pps } = this.#box;
    const length = this.#strip.width;
    const gap = ring.afterGap[first % ring.capacity];
    const from = first > ring.oldest ? first - 1 : first; // join what was inked before
    const start = Math.max(ring.time(from) * pps, limit - length);
    const stop = ring.time(end - 1) * pps;
    let base = Math.floor(start / length) * length;
    for (; base <= stop; base += length) {
      if (gap) {
        this.#ink.fillStyle = this.#hatch;
        this.#ink.fillRect(start - base, 0, ring.time(first) * pps - start, this.#strip.height);
      }
      this.#lines(gap ? first : from, end, base, 0, this.#colors.trace);
      this.#lines(gap ? first : from, end, base, 1, this.#colors["trace-2"]);
    }
  }

  /** Ink every other row, from row `parity` on. */
  #lines(first, end, base, parity, color) {
    const ring = this.#ring;
    const { pps, height } = this.#box;
    const lane = height / this.#rows.length;
    const pen = this.#ink;
    pen.beginPath();
    for (let row = parity; row < this.#rows.length; row += 2) {
      const c = this.#rows[row];
      const middle = (row + 0.5) * lane;
      const gain = lane / this.#scaleOf[c].step;
      let down = false;
      for (let i = first; i < end; i++) {
        const slot = i % ring.capacity;
        const y = middle - gain * ring.data[slot * ring.nChannels + c];
        const x = ring.times[slot] * pps - base;
        if (down) pen.lineTo(x, y);
        else pen.moveTo(x, y);
        down = y === y; // a sample that is not a number leaves a hole
      }
    }
    pen.strokeStyle = color;
    pen.lineWidth = 1.1 * this.#dpr;
    pen.lineJoin = "round";
    pen.stroke();
  }

  /** Copy pixels `from` to `to` (since time 0) from the strip to `x` on the screen. */
  #copy(from, to, x) {
    const { top, height } = this.#box;
    const length = this.#strip.width;
    while (from < to) {
      const at = from % length;
      const n = Math.min(to - from, length - at);
      this.#screen.drawImage(this.#strip, at, 0, n, height, x, top, n, height);
      from += n;
      x += n;
    }
  }

  #annotate(edge, top, height) {
    const pen = this.#screen;
    const { left, width, pps, rem } = this.#box;
    const dpr = this.#dpr;
    pen.textAlign = "left";
    for (let i = 0; i < this.#marks.length; i++) {
      const { t, label } = this.#marks[i];
      const at = t * pps;
      if (at < edge - width || at > edge) continue;
      const x = Math.round(this.#still.matches ? left + (at % width) : left + at - edge + width);
      pen.fillStyle = this.#colors.mark;
      pen.globalAlpha = 0.45;
      pen.fillRect(x, top - 0.2 * rem, Math.max(1, Math.round(dpr)), height + 0.2 * rem);
      pen.globalAlpha = 1;
      const room = (this.#marks[i + 1]?.t - t) * pps || width; // up to the next label
      pen.fillText(label, x + dpr, 0.75 * rem, Math.max(1, room - 0.4 * rem));
    }
    const bar = (2 * height) / this.#rows.length;
    const bottom = this.#canvas.height;
    pen.fillStyle = this.#colors.muted;
    pen.textAlign = "right";
    const texts = this.#scales.map(
      ({ unit, factor, step }) => `${+(2 * step * factor).toPrecision(2)} ${unit}`,
    );
    pen.fillText(texts.join(" · "), left + width - 0.7 * rem, bottom - 0.6 * rem);
    pen.fillRect(left + width - 0.35 * rem, bottom - 0.1 * rem - bar, 2 * dpr, bar);
    pen.textAlign = "left";
    pen.fillRect(left, bottom - 0.6 * rem, pps, 2 * dpr);
    pen.fillText("1 s", left + pps + 0.4 * rem, bottom - 0.6 * rem);
  }
}
