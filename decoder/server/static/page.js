/** The page: what the client hears goes to the panels; a clock decides what may look live. */

import { askToken, download, get, takeToken } from "./access.js";
import { AccuracyPanel } from "./accuracy.js";
import { Bar } from "./bar.js";
import { Client } from "./client.js";
import { DecodePanel, ShownPanel, isLate } from "./decode.js";
import { byId, hasEmoji, say } from "./dom.js";
import { watchKeys } from "./keys.js";
import { LatencyPanel } from "./latency.js";
import { CandidatesPanel, ModelsPanel, SessionsPanel } from "./panels.js";
import { Plot } from "./plot.js";
import { PreviewPanel } from "./preview.js";
import { offerRows } from "./rows.js";
import { ChannelsPanel } from "./scalp.js";
import { Seat } from "./seat.js";
import { Status } from "./status.js";
import { Switch } from "./switch.js";
import { startTheme } from "./theme.js";
import { toast } from "./toast.js";
import { Herald, TrialStrip } from "./trials.js";

const TICK = 200; // ms between looks at what has grown old
const ASK = 5000; // ms between looks at who else is connected
const EMBEDDING = 120; // seconds that new candidates and another model may take

const plot = new Plot(byId("plot"));
const shown = new ShownPanel();
const decoded = new DecodePanel();
const preview = new PreviewPanel();
const trials = new TrialStrip();
const herald = new Herald();
const latency = new LatencyPanel();
const accuracy = {
  closed_set: new AccuracyPanel("closed_set"),
  zero_shot: new AccuracyPanel("zero_shot"),
};
const status = new Status();
const seconds = () => performance.now() / 1000;

let token = takeToken();
let session = null;
let newest = -1; // seq of the newest decode: what comes twice is shown once
let linked = false;
let blind = false;

const scheme = location.protocol === "https:" ? "wss" : "ws";
const client = new Client(`${scheme}://${location.host}/v1/ws`, {
  token,
  policies: {
    text: "lossless",
    markers: "lossless",
    evidence: "lossless",
    state: "lossless",
    signal: "latest",
    latency: "latest",
    quality: "latest",
    image: "lossless",
  },
});

const lever = new Switch(
  (action) => client.call("control", { action }),
  switched,
  (problem) => toast(problem, "bad"),
);
const bar = new Bar((method, params) => client.call(method, params, EMBEDDING), lever);
const seat = new Seat(lever);
const channels = new ChannelsPanel((ch_names, bad) => bar.do("markBad", { ch_names, bad }, ""));
const ask = (path) => get(path, token);
const candidates = new CandidatesPanel(ask, (...request) => bar.do(...request));
const models = new ModelsPanel(ask, (...request) => bar.do(...request));
new SessionsPanel(ask, (path, name) => download(path, name, token));

/** Take everything about the participant off the page. */
function clear() {
  newest = -1;
  const tellers = [decoded, preview, trials, herald, ...Object.values(accuracy)];
  for (const panel of [plot, shown, channels, latency, ...tellers]) panel.clear();
}

/** Whether what comes about the participant may be shown. */
const open = () => lever.state !== "stopping" && lever.state !== "stopped";

function switched(state) {
  status.session(state);
  bar.show(state);
  if (!open()) clear();
  tick();
}

function hide(on) {
  blind = on;
  bar.blind(on);
  document.body.dataset.blind = on ? "yes" : "no";
  if (on) for (const panel of [decoded, preview, trials, herald, ...Object.values(accuracy)]) panel.clear();
}

/** Ask what this session is; the page says nothing about the participant before it knows. */
async function describe() {
  const about = await ask("/v1/session");
  const { source, signal, simulated } = about;
  if (plot.describe(signal)) offerRows(signal.ch_names, (first, n) => plot.show(first, n));
  channels.describe(about.sensors);
  preview.describe(about.preview);
  byId("participant").hidden = !simulated;
  say(byId("snr"), simulated?.snr ?? "");
  const rate = Number(source.sfreq.toFixed(1));
  const parts = [source.name, `${source.ch_names.length} channels`, `${rate} Hz`];
  say(byId("source"), parts.filter(Boolean).join(" · "));
  say(byId("pool"), `among ${about.candidates.n}`);
  say(byId("latency-from"), `from ${about.latency_from}`);
  latency.count(about.clients);
}

const tellWhat = () => describe().catch(({ message }) => status.notice(seconds(), message));

client
  .on("connected", (hello) => {
    linked = true;
    status.connected(seconds());
    channels.allow(hello.role);
    bar.allow(hello.role);
    seat.take(hello.role === "participant");
    hide(hello.blind);
    if (session !== hello.session) clear(); // nothing of another session stays in sight
    session = hello.session;
    lever.connected(hello.role);
    tellWhat();
  })
  .on("disconnected", ({ wait }) => {
    linked = false;
    status.disconnected(seconds(), wait);
    tick();
  })
  .on("refused", ({ message }) => {
    linked = false;
    status.refused();
    askToken(message, (entered) => {
      token = entered;
      client.setToken(entered);
    });
  })
  .on("purged", clear)
  .on("problem", ({ message }) => status.notice(seconds(), message))
  .on("signal", (frame) => {
    status.frame(seconds(), frame.header.t0);
    if (open()) plot.append(frame);
  })
  .on("markers", (event) => {
    if (!open()) return;
    shown.see(event);
    if (event.role === "stimulus") plot.mark(event.t, event.text);
  })
  .on("evidence", (event) => {
    if (blind || !open()) return;
    const told = event.protocol ? [accuracy[event.protocol]] : Object.values(accuracy);
    for (const panel of told) panel?.bet(event);
  })
  .on("quality", (event) => {
    if (!open()) return;
    plot.judge(event);
    channels.judge(event);
  })
  .on("state", (event) => {
    if (event.what === "session") lever.see(event.state);
    else if (event.what === "blind") hide(event.state === "on");
    else if (event.what === "candidates" || event.what === "model") {
      tellWhat();
      candidates.refresh();
      models.refresh();
    }
    status.state(seconds(), event);
  })
  .on("image", (frame) => {
    if (!blind && open()) preview.show(frame);
  })
  .on("latency", (event) => open() && latency.show(event))
  .on("text", (event) => {
    if (event.seq <= newest || blind || !open()) return;
    newest = event.seq;
    const late = isLate(event, client.age(event));
    decoded.show(event, late);
    preview.decoded(event);
    trials.add(event);
    herald.tell(event, seconds());
    for (const score of event.running) accuracy[score.protocol]?.show(score, event.conformal?.risk);
  });

function tick() {
  const { word, tone, banner, live } = status.view(seconds());
  say(byId("pill-word"), word);
  byId("pill").dataset.tone = tone;
  const strip = byId("banner");
  strip.hidden = !banner || seat.taken;
  strip.dataset.tone = tone;
  say(strip, banner);
  document.body.dataset.live = live ? "yes" : "no";
  decoded.age(client.now(), live);
  shown.age(client.now());
  if (seat.taken) seat.show(lever.state, { linked, live });
}

function frame() {
  if (!seat.taken) plot.draw(client.now());
  requestAnimationFrame(frame);
}

/** Who else is connected is not told by any event. */
async function look() {
  if (!linked || document.hidden || seat.taken) return;
  const { clients } = await ask("/v1/session").catch(() => ({}));
  latency.count(clients);
}

clear();
document.body.classList.toggle("no-emoji", !hasEmoji());
startTheme(() => plot.restyle());
watchKeys(lever, seat);
client.start();
tick();
setInterval(tick, TICK);
setInterval(look, ASK);
requestAnimationFrame(frame);
