/** The page: what the client hears goes to the panels; a clock decides what may look live. */

import { askToken, takeToken } from "./access.js";
import { AccuracyPanel } from "./accuracy.js";
import { Client } from "./client.js";
import { DecodePanel, ShownPanel, isLate } from "./decode.js";
import { byId, hasEmoji, say } from "./dom.js";
import { LatencyPanel } from "./latency.js";
import { Marking } from "./marking.js";
import { Plot } from "./plot.js";
import { Status } from "./status.js";
import { startTheme } from "./theme.js";
import { Herald, TrialStrip } from "./trials.js";

const TICK = 200; // ms between looks at what has grown old

const plot = new Plot(byId("plot"));
const shown = new ShownPanel();
const decoded = new DecodePanel();
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

const scheme = location.protocol === "https:" ? "wss" : "ws";
const client = new Client(`${scheme}://${location.host}/v1/ws`, {
  token,
  policies: {
    text: "lossless",
    markers: "lossless",
    state: "lossless",
    signal: "latest",
    latency: "latest",
    quality: "latest",
  },
});

function clear() {
  newest = -1;
  for (const panel of [shown, decoded, trials, latency, ...Object.values(accuracy)]) panel.clear();
}

/** Ask what this session is; the page says nothing about the participant before it knows. */
async function describe() {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  const answer = await fetch("/v1/session", { headers });
  if (!answer.ok) {
    const problem = `The session's description was refused (HTTP ${answer.status}).`;
    status.notice(seconds(), problem);
    return;
  }
  const about = await answer.json();
  const { source, signal, simulated } = about;
  plot.describe(signal);
  const badge = byId("participant");
  badge.hidden = !simulated;
  say(byId("snr"), simulated?.snr ?? "");
  const rate = Number(source.sfreq.toFixed(1));
  const parts = [source.name, `${source.ch_names.length} channels`, `${rate} Hz`];
  say(byId("source"), parts.filter(Boolean).join(" · "));
  say(byId("pool"), `among ${about.candidates.n}`);
  say(byId("latency-from"), `from ${about.latency_from}`);
}

const marking = new Marking((ch_names, bad) => {
  client.call("markBad", { ch_names, bad }).catch(({ message }) => status.notice(seconds(), message));
});

client
  .on("connected", (hello) => {
    status.connected(seconds());
    marking.allow(hello.role);
    if (session !== hello.session) clear(); // nothing of another session stays in sight
    session = hello.session;
    describe().catch(() => status.notice(seconds(), "The session's description did not come."));
  })
  .on("disconnected", ({ wait }) => status.disconnected(seconds(), wait))
  .on("refused", ({ message }) => {
    status.refused();
    askToken(message, (entered) => {
      token = entered;
      client.setToken(entered);
    });
  })
  .on("problem", ({ message }) => status.notice(seconds(), message))
  .on("signal", (frame) => {
    status.frame(seconds(), frame.header.t0);
    plot.append(frame);
  })
  .on("markers", (event) => {
    shown.see(event);
    if (event.role === "stimulus") plot.mark(event.t, event.text);
  })
  .on("quality", (event) => {
    plot.judge(event);
    marking.judge(event);
  })
  .on("state", (event) => status.state(seconds(), event))
  .on("latency", (event) => latency.show(event))
  .on("text", (event) => {
    if (event.seq <= newest) return;
    newest = event.seq;
    const late = isLate(event, client.now());
    decoded.show(event, late);
    trials.add(event);
    herald.tell(event, seconds());
    for (const score of event.running) accuracy[score.protocol]?.show(score);
  });

function tick() {
  const { word, tone, banner, live } = status.view(seconds());
  say(byId("pill-word"), word);
  byId("pill").dataset.tone = tone;
  const bar = byId("banner");
  bar.hidden = !banner;
  bar.dataset.tone = tone;
  say(bar, banner);
  document.body.dataset.live = live ? "yes" : "no";
  decoded.age(client.now(), live);
  shown.age(client.now());
}

function frame() {
  plot.draw(client.now());
  requestAnimationFrame(frame);
}

clear();
document.body.classList.toggle("no-emoji", !hasEmoji());
startTheme(() => plot.restyle());
client.start();
tick();
setInterval(tick, TICK);
requestAnimationFrame(frame);
