/**
 * What may be believed right now, from everything the page has heard. No document in here.
 *
 * All instants given to it are seconds on the page's own clock, except `t` in events, which is
 * on the LSL clock.
 */

const SILENCE = 1.5; // seconds without a frame of the signal, of which twenty come each second
const NOTICE = 6; // seconds that a passing event is said

const SOURCE = {
  stalled: ["STALLED", "bad", "The source has stalled. Nothing here is live."],
  lost: ["SOURCE LOST", "bad", "The source is lost. Nothing here is live."],
  ahead: ["CLOCK", "bad", "Nothing here is known to be live:"],
  ended: ["ENDED", "warn", "The source has ended. Nothing here is live."],
};
const SESSION = {
  stopping: ["STOPPING", "warn", "Stop was pressed, and the server has not confirmed it yet"],
  stopped: ["STOPPED", "warn", "Nothing is decoded until somebody resumes"],
  paused: ["PAUSED", "warn", "Nothing is decoded until somebody resumes"],
};
const QUIET = new Set(["ready", "settling", "unknown"]);

export class Status {
  #link = { state: "connecting" };
  #source = { state: "unknown" };
  #decoder = { state: "unknown" };
  #recorder = "";
  #drift = "";
  #session = "unknown";
  #why = ""; // the session is as it is
  #notice = null;
  #heard = 0; // when the last frame of the signal came

  connected(now) {
    this.#link = { state: "open" };
    this.#source = { state: "unknown" };
    this.#decoder = { state: "unknown" };
    this.#recorder = this.#drift = "";
    this.#notice = null;
    this.#heard = now;
  }

  disconnected(now, wait) {
    const known = this.#link.state === "open" || this.#link.state === "lost";
    this.#link = { state: known ? "lost" : "connecting", retry: now + wait };
  }

  refused() {
    this.#link = { state: "refused" };
  }

  /** The session was paused, stopped or resumed. */
  session(state) {
    this.#session = state;
  }

  /** A frame of the signal came whose first sample was taken at `t0`. */
  frame(now, t0) {
    this.#heard = now;
    // Frames that were under way when the source broke do not bring it back; newer ones do.
    if (SOURCE[this.#source.state] && t0 > this.#source.t) this.#source = { state: "live" };
  }

  state(now, event) {
    if (event.what === "source") this.#source = event;
    else if (event.what === "decoder") this.#decoder = event;
    else if (event.what === "session") this.#why = event.detail;
    else if (event.what === "recorder") this.#recorder = `Nothing is recorded: ${event.detail}.`;
    else if (event.what === "drift") this.#drift = event.state === "alarm" ? `Drift: ${event.detail}.` : "";
    else if (event.state === "gap") {
      this.notice(now, `${event.detail}. Windows that touch it are not decoded.`);
    } else this.notice(now, event.detail);
  }

  notice(now, text) {
    this.#notice = { text, until: now + NOTICE };
  }

  /**
   * @returns {{word: string, tone: string, banner: string, live: boolean}} `live`: whether the
   *   newest decode may be shown as one.
   */
  view(now) {
    const link = this.#link;
    if (link.state === "refused") return view("LOCKED", "bad", "", false);
    if (link.state === "connecting") {
      return view("CONNECTING", "warn", link.retry ? "The server does not answer yet. Trying again." : "", false);
    }
    if (link.state === "lost") {
      const wait = Math.max(0, Math.ceil(link.retry - now));
      const next = wait ? `Trying again in ${wait} s.` : "Trying again.";
      const owed = this.#session === "stopping" ? "The stop is sent as soon as it is back. " : "";
      return view("OFFLINE", "bad", `${owed}The connection to the server is lost. Nothing here is live. ${next}`, false);
    }
    const stopped = this.#session === "stopped" || this.#session === "stopping";
    if (stopped) return this.#held();
    if (SOURCE[this.#source.state]) {
      const [word, tone, text] = SOURCE[this.#source.state];
      return view(word, tone, `${text} ${this.#source.detail ?? ""}`.trim(), false);
    }
    if (!QUIET.has(this.#decoder.state)) {
      const { state, detail } = this.#decoder;
      return view("DECODER", "bad", `The decoder is ${state}. Nothing here is live. ${detail ?? ""}`.trim(), false);
    }
    if (now - this.#heard > SILENCE) {
      return view("NO SIGNAL", "bad", "No signal is arriving. Nothing here is live.", false);
    }
    if (this.#session === "paused") return this.#held();
    const noticed = this.#notice && now < this.#notice.until ? this.#notice.text : "";
    const passing = [this.#recorder, this.#drift, noticed].filter(Boolean).join(" ");
    if (this.#decoder.state === "settling") return view("SETTLING", "warn", passing, true);
    return view("LIVE", passing ? "warn" : "good", passing, true);
  }

  /** The session is stopped or paused, and why. */
  #held() {
    const [word, tone, text] = SESSION[this.#session];
    const why = this.#session === "stopping" || !this.#why ? "" : `: ${this.#why}`;
    return view(word, tone, `${text}${why}.`, false);
  }
}

function view(word, tone, banner, live) {
  return { word, tone, banner, live };
}
