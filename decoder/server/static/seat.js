/** The participant's view: whether they are decoded, and the way to end that. Nothing else. */

import { byId, say } from "./dom.js";

const WORDS = {
  decoding: ["Decoding", "Your brain signal is being decoded. You can stop this whenever you like; you need not say why."],
  paused: ["Paused", "Nothing is decoded at the moment. You can still stop."],
  stopping: ["Stopping", "Your stop is on its way."],
  stopped: ["Stopped", "Nothing is decoded. What was decoded and not yet sent has been thrown away."],
  away: ["Not connected", "If you press stop now, it takes effect as soon as the connection is back. To stop at once, tell the experimenter."],
  owed: ["Not connected", "Your stop will take effect as soon as the connection is back. To stop at once, tell the experimenter."],
  waiting: ["Waiting", "No brain signal is being decoded at the moment. You can still stop."],
};

export class Seat {
  #view = byId("seat");
  #stop = byId("seat-stop");
  #resume = byId("seat-resume");

  /** @param {{stop: () => void, resume: () => void}} lever */
  constructor(lever) {
    this.#stop.onclick = () => lever.stop();
    this.#resume.onclick = () => lever.resume();
  }

  /** Take the page, or leave it to the desk. */
  take(is) {
    if (is === !this.#view.hidden) return;
    this.#view.hidden = !is;
    byId("desk").hidden = is;
    if (is) this.#stop.focus(); // so that space and enter stop, too
  }

  /** Whether the participant sits here. */
  get taken() {
    return !this.#view.hidden;
  }

  /** Say how it is: `state` of the session, whether there is a line, and whether decodes are live. */
  show(state, { linked, live }) {
    const off = state === "stopping" || state === "stopped";
    let key = state;
    if (!linked) key = state === "stopping" ? "owed" : "away";
    else if (!off && state !== "paused") key = live ? "decoding" : "waiting";
    const [word, what] = WORDS[key];
    this.#view.dataset.state = key;
    say(byId("seat-word"), word);
    say(byId("seat-what"), what);
    // All keep their places, and going on is never focused: it must be meant, and not be a second
    // press of stop.
    const back = !off && this.#view.classList.contains("off");
    this.#view.classList.toggle("off", off);
    this.#view.classList.toggle("over", linked && state === "stopped");
    if (back) this.#stop.focus();
  }
}
