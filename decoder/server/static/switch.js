/**
 * Stop, pause and resume. No document in here.
 *
 * A stop takes effect on this page at once, before the server answers; if the line is broken it
 * is said again as soon as there is one.
 */

const MAY = {
  operator: new Set(["stop", "pause", "resume"]),
  participant: new Set(["stop", "resume"]),
};

export class Switch {
  #call;
  #changed;
  #fail;
  #role = "";
  #owed = false; // a stop that the server has not confirmed
  state = "unknown"; // decoding, paused, stopping, stopped

  /**
   * @param {(action: string) => Promise<{state: string}>} call asks the server
   * @param {(state: string) => void} changed is told each new state
   * @param {(problem: string) => void} fail is told why something could not be done
   */
  constructor(call, changed, fail) {
    this.#call = call;
    this.#changed = changed;
    this.#fail = fail;
  }

  /** Whether this role may do something. */
  may(action) {
    return MAY[this.#role]?.has(action) ?? false;
  }

  /** The line is there, for a client of this role. */
  connected(role) {
    this.#role = role;
    this.#set(this.#owed ? "stopping" : "unknown");
    if (this.#owed) this.#ask("stop");
  }

  /** The server said how the session is. */
  see(state) {
    if (state === "stopped") this.#owed = false;
    if (!this.#owed) this.#set(state);
  }

  stop() {
    if (!this.may("stop") || this.state === "stopped") return;
    this.#owed = true;
    this.#set("stopping");
    this.#ask("stop");
  }

  resume() {
    if (this.may("resume") && ["paused", "stopped"].includes(this.state)) this.#ask("resume");
  }

  /** Pause, or go on after a pause; never after a stop, which `resume` alone takes back. */
  pause() {
    if (!this.may("pause")) return;
    if (this.state === "paused") this.resume();
    else if (this.state === "decoding" || this.state === "unknown") this.#ask("pause");
  }

  async #ask(action) {
    try {
      const { state } = await this.#call(action);
      this.see(state);
    } catch (error) {
      if (error.code === undefined && action === "stop") return; // the line broke: said again later
      if (action === "stop") this.#owed = false;
      if (this.state === "stopping") this.#set("unknown");
      this.#fail(error.message);
    }
  }

  #set(state) {
    if (state === this.state) return;
    this.state = state;
    this.#changed(state);
  }
}
