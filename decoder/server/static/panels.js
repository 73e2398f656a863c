/** What opens on demand: candidates, models, finished sessions. Each asks when it opens. */

import { byId, glyph, make, say } from "./dom.js";
import { toast } from "./toast.js";

const EMOJI = /^(\p{Extended_Pictographic}\S*)\s+(\S.*)$/u;

/** Fill a panel whenever it opens, and on `refresh` while it is open. */
class Panel {
  #node;

  constructor(id) {
    this.#node = byId(id);
    this.#node.addEventListener("toggle", ({ newState }) => newState === "open" && this.refresh());
  }

  async refresh() {
    if (!this.#node.matches(":popover-open")) return;
    try {
      await this.fill();
    } catch ({ message }) {
      toast(message, "bad");
    }
  }
}

export class CandidatesPanel extends Panel {
  #get;
  #ask;
  #all = [];
  #chosen = new Set();
  #list = byId("candidates-list");
  #remove = byId("candidates-remove");
  #replace = byId("candidates-replace");
  #armed = false; // replacing all takes a second press

  /**
   * @param {(path: string) => Promise<object>} get
   * @param {(method: string, params: object, done: string) => Promise<boolean>} ask
   */
  constructor(get, ask) {
    super("candidates");
    this.#get = get;
    this.#ask = ask;
    byId("candidates-find").oninput = () => this.#draw();
    byId("candidates-new").oninput = () => this.#arm(false);
    byId("candidates-form").onsubmit = (submission) => {
      submission.preventDefault();
      this.#send("add", this.#entered(), "added");
    };
    this.#replace.onclick = () => {
      const entered = this.#entered();
      if (!entered.length) return;
      if (this.#armed) this.#send("replace", entered, "in place of all others");
      this.#arm(!this.#armed, entered.length);
    };
    this.#remove.onclick = () => {
      const gone = this.#all.filter(({ id }) => this.#chosen.has(id));
      this.#send("remove", gone, "removed");
    };
  }

  async fill() {
    this.#all = await this.#get("/v1/candidates");
    this.#chosen.clear();
    this.#draw();
  }

  #entered() {
    const lines = byId("candidates-new").value.split("\n").map((line) => line.trim());
    return lines.filter(Boolean).map((line) => {
      const [, emoji = "", text = line] = line.match(EMOJI) ?? [];
      return emoji ? { id: text, text, glyph: emoji } : { id: text, text };
    });
  }

  async #send(mode, candidates, what) {
    if (!candidates.length) return;
    const params = candidates.map(({ id, text, glyph: emoji }) =>
      emoji ? { id, text, glyph: emoji } : { id, text },
    );
    const n = candidates.length;
    const names = n <= 3 ? candidates.map(({ text }) => text).join(", ") : `${n} candidates`;
    if (!(await this.#ask("setCandidates", { candidates: params, mode }, `${names} ${what}`))) return;
    if (mode !== "remove") byId("candidates-new").value = "";
    await this.refresh();
  }

  #arm(on, n) {
    this.#armed = on;
    say(this.#replace, on ? `Press again: ${n} for ${this.#all.length}` : "Replace all");
  }

  #draw() {
    const wanted = byId("candidates-find").value.trim().toLowerCase();
    const found = this.#all.filter(({ text }) => text.toLowerCase().includes(wanted));
    say(byId("candidates-count"), String(this.#all.length));
    this.#list.replaceChildren(...found.map((candidate) => this.#row(candidate)));
    this.#count();
  }

  #row({ id, text, glyph: emoji, trained }) {
    const row = make("li");
    const label = make("label");
    const box = make("input");
    box.type = "checkbox";
    box.checked = this.#chosen.has(id);
    box.onchange = () => {
      if (box.checked) this.#chosen.add(id);
      else this.#chosen.delete(id);
      this.#count();
    };
    label.append(box, glyph(emoji), make("span", "word", text));
    row.append(label, make("span", "fine", trained ? "" : "never seen"));
    return row;
  }

  #count() {
    const n = this.#chosen.size;
    this.#remove.disabled = !n;
    say(this.#remove, n ? `Remove ${n}` : "Remove");
  }
}

export class ModelsPanel extends Panel {
  #get;
  #ask;

  constructor(get, ask) {
    super("models");
    this.#get = get;
    this.#ask = ask;
    byId("models-back").onclick = () =>
      this.#swap({ action: "rollBack" }, "The model before decodes again");
  }

  async fill() {
    const models = await this.#get("/v1/models");
    byId("models-list").replaceChildren(...models.map((model) => this.#row(model)));
  }

  #row({ id, name, space, active, refused }) {
    const row = make("li");
    const said = make("span");
    said.append(make("b", "word", name ?? id), make("span", "fine", `${space} · ${id.slice(0, 16)}`));
    const button = make("button", "", active ? "Decodes now" : "Use this");
    button.type = "button";
    button.disabled = Boolean(active || refused);
    if (refused) said.append(make("span", "fine", refused));
    button.onclick = () => this.#swap({ action: "swapModel", model: id }, `${name ?? id} decodes now`);
    row.append(said, button);
    return row;
  }

  async #swap(params, done) {
    if (await this.#ask("control", params, done)) await this.refresh();
  }
}

export class SessionsPanel extends Panel {
  #get;
  #download;

  /** @param {(path: string, name: string) => Promise<void>} download */
  constructor(get, download) {
    super("sessions");
    this.#get = get;
    this.#download = download;
  }

  async fill() {
    const sessions = await this.#get("/v1/sessions");
    const rows = sessions.map((session) => this.#row(session));
    byId("sessions-list").replaceChildren(...(rows.length ? rows : [make("li", "fine", "None is kept here yet.")]));
  }

  #row({ id, started, duration, n_decodes: n, source, report, verified }) {
    const row = make("li");
    const said = make("span");
    const date = new Date(started).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
    const facts = [source, `${Math.max(1, Math.round(duration / 60))} min`, `${n} decodes`, id];
    if (verified.startsWith("yes")) facts.push("verified");
    if (verified.startsWith("no,")) facts.push("DOES NOT COME OUT AGAIN");
    said.append(make("b", "word", date), make("span", "fine", facts.join(" · ")));
    said.title = `Verified: ${verified}`;
    row.append(said);
    if (report) {
      const button = make("button", "", "Report");
      button.type = "button";
      button.setAttribute("aria-label", `Save the report of ${date}`);
      button.onclick = () =>
        this.#download(`/v1/sessions/${encodeURIComponent(id)}/report`, `${id}.html`).catch(
          ({ message }) => toast(message, "bad"),
        );
      row.append(button);
    }
    return row;
  }
}
