/** The operator's bar: stop, pause, markers, notes, blind. */

import { byId, say } from "./dom.js";
import { toast } from "./toast.js";

export class Bar {
  #bar = byId("bar");
  #stop = byId("stop");
  #pause = byId("pause");
  #blind = byId("blind");
  #call;

  /**
   * @param {(method: string, params: object) => Promise<object>} call asks the server
   * @param {Switch} lever
   */
  constructor(call, lever) {
    this.#call = call;
    this.#stop.onclick = () => lever.stop();
    this.#pause.onclick = () => (lever.state === "stopped" ? lever.resume() : lever.pause());
    this.#take("marker", (label) => [
      "injectMarker",
      { label: /^-?\d{1,9}$/.test(label) ? Number(label) : label },
      `Marker ${label} sent`,
    ]);
    this.#take("note", (text) => ["control", { action: "note", text }, "Note saved"]);
    this.#blind.onclick = () => {
      const on = this.#blind.getAttribute("aria-pressed") !== "true";
      this.do("control", { action: "blind", on }, "");
    };
  }

  allow(role) {
    this.#bar.hidden = role !== "operator";
  }

  /** The session is in another state. */
  show(state) {
    const off = state === "paused" || state === "stopped";
    this.#stop.disabled = state === "stopped";
    say(byId("pause-word"), off ? "Resume" : "Pause");
    this.#pause.dataset.due = off ? "yes" : "no";
    byId("pause-key").hidden = state === "stopped"; // going on after a stop must be meant
    this.#pause.disabled = state === "stopping";
    for (const field of this.#bar.querySelectorAll("#marker-form *")) {
      field.disabled = state === "stopped" || state === "stopping";
    }
  }

  blind(on) {
    this.#blind.setAttribute("aria-pressed", String(on));
  }

  /** Ask for something and say what came of it; resolves with whether it worked. */
  async do(method, params, done) {
    try {
      await this.#call(method, params);
      if (done) toast(done);
      return true;
    } catch ({ message }) {
      toast(message, "bad");
      return false;
    }
  }

  /** Wire a form of one field. */
  #take(name, request) {
    byId(`${name}-form`).onsubmit = async (submission) => {
      submission.preventDefault();
      const field = byId(name);
      const text = field.value.trim();
      if (!text) return;
      if (await this.do(...request(text))) field.value = "";
    };
  }
}
