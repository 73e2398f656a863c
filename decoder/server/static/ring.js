/**
 * The last seconds of the signal, by LSL time. Filled in place: no garbage at 60 frames/s.
 */

const JITTER = 0.015; // seconds; the source refines its clock by less, losses end a segment at 20 ms

export class Ring {
  /**
   * @param {number} nChannels
   * @param {number} sfreq In Hz.
   * @param {number} duration How much to keep, in seconds.
   */
  constructor(nChannels, sfreq, duration) {
    this.nChannels = nChannels;
    this.sfreq = sfreq;
    this.capacity = Math.ceil(duration * sfreq);
    this.end = 0; // samples ever written; sample i lies in slot i % capacity
    this.data = new Float32Array(this.capacity * nChannels); // sample by sample
    this.times = new Float64Array(this.capacity);
    this.afterGap = new Uint8Array(this.capacity); // 1: what came before it is missing
  }

  get oldest() {
    return Math.max(0, this.end - this.capacity);
  }

  time(i) {
    return this.times[i % this.capacity];
  }

  /** Whether a frame has the shape that this ring holds. */
  fits({ n_channels: nChannels, sfreq }) {
    return nChannels === this.nChannels && sfreq === this.sfreq;
  }

  /** Append one frame as `readFrame` of client.js gives it. */
  append({ header, view, start }) {
    const { t0, n_times: nTimes } = header;
    const due = this.end ? this.time(this.end - 1) + 1 / this.sfreq : t0;
    const jump = Math.abs(t0 - due) > Math.max(JITTER, 1.5 / this.sfreq);
    for (let k = 0; k < nTimes; k++) {
      const slot = (this.end + k) % this.capacity;
      this.times[slot] = t0 + k / this.sfreq;
      this.afterGap[slot] = jump && k === 0 ? 1 : 0;
      for (let c = 0; c < this.nChannels; c++) {
        const at = start + 4 * (c * nTimes + k);
        this.data[slot * this.nChannels + c] = view.getFloat32(at, true);
      }
    }
    this.end += nTimes;
  }

  /** Root mean square of each of `channels` over the newest `duration` seconds, their median. */
  typical(duration, channels) {
    const n = Math.min(this.end - this.oldest, Math.ceil(duration * this.sfreq));
    const power = new Float64Array(channels.length);
    for (let i = this.end - n; i < this.end; i++) {
      const row = (i % this.capacity) * this.nChannels;
      for (let k = 0; k < channels.length; k++) power[k] += this.data[row + channels[k]] ** 2;
    }
    power.sort();
    return n ? Math.sqrt(power[channels.length >> 1] / n) : 0;
  }
}
