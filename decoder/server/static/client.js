/**
 * A client of braincast's websocket: JSON-RPC 2.0, events, the LSL clock. When the line breaks, or
 * the service starts again, it connects again and goes on where it broke: of `lossless` streams each
 * event comes once, in order.
 *
 * One file without dependencies, for browsers and for Node 20 and newer. Example:
 *
 *     import { Client, splitUrl } from "./client.js";
 *     const { url, token } = splitUrl("http://127.0.0.1:8000/#token=...");
 *     const client = new Client(url, { token, policies: { text: "lossless" } });
 *     client.on("text", (event) => console.log(event.top[0]?.text));
 *     client.start();
 *
 * License: BSD-3-Clause, see https://opensource.org/license/bsd-3-clause.
 */

const BACKOFF = [0.25, 0.5, 1, 2, 4]; // seconds before each attempt, at most; the last one repeats
const CALL_TIMEOUT = 5; // seconds; a server that does not answer for so long is gone
const EMBEDDING = 120; // seconds that new candidates may take
const PULSE = 2; // seconds between questions for the time, which also notice a dead line
const CLOCK_MEMORY = 15; // answers; the one with the shortest way sets the clock
const EPHEMERAL = new Set(["latency", "latent", "signal"]); // have no seq: what is missed is gone
const FORBIDDEN = 1008;
const OPEN = 1; // of a WebSocket's states; one that is closing takes nothing, and browsers log it
const PURGED = -32005;

const utf8 = new TextDecoder();
const seconds = () => performance.now() / 1000;

/** The server's answer to a call that it refused; `code` is one of the protocol's. */
export class RpcError extends Error {
  constructor({ code, message }) {
    super(message);
    this.name = "RpcError";
    this.code = code;
  }
}

/**
 * Make the websocket's address and the token out of the address printed at start.
 *
 * @param {string} address
 * @returns {{url: string, token: string}}
 */
export function splitUrl(address) {
  const { protocol, host, hash } = new URL(address);
  const scheme = protocol === "https:" || protocol === "wss:" ? "wss" : "ws";
  const token = new URLSearchParams(hash.slice(1)).get("token") ?? "";
  return { url: `${scheme}://${host}/v1/ws`, token };
}

/**
 * Read a binary frame: 4 bytes of header length (big-endian), a JSON header, then float32 values.
 *
 * @param {ArrayBuffer} buffer
 * @returns {{header: object, view: DataView, start: number}} `start` is where the values begin;
 *     read them with `view.getFloat32(start + 4 * i, true)`.
 */
export function readFrame(buffer) {
  const view = new DataView(buffer);
  const length = view.getUint32(0);
  const header = JSON.parse(utf8.decode(new Uint8Array(buffer, 4, length)));
  return { header, view, start: 4 + length };
}

/**
 * Connects, authorizes, subscribes, and does so again whenever the line breaks.
 *
 * Listeners get: `connected` (the answer to authorize), `disconnected` ({wait, attempt}),
 * `refused` ({message}; it then waits for `setToken`), `problem` ({message}), `missed` ({missed,
 * resumed_from}: the service had so many events no longer), `purged` (what was missed was purged by
 * a stop), and each stream by its name (`signal`, `latent` and `image` as `readFrame` gives
 * them; of an image the bytes from `start` on are the picture, of the format in its header).
 */
export class Client {
  #url;
  #token;
  #policies;
  #WebSocket;
  #listeners = new Map();
  #calls = new Map();
  #socket = null;
  #lastId = 0;
  #attempt = 0;
  #timer = 0;
  #pulse = 0;
  #clock = [];
  #offset = NaN;
  #session = null;
  #format;
  #nextSeq; // of the lossless streams; undefined before it is known
  #goesOn; // whether to ask for what was missed

  /**
   * @param {string} url
   * @param {object} options
   * @param {string} [options.token] Empty: ask to be let in without one.
   * @param {Object<string, string|number>} options.policies Stream name to policy: `lossless`,
   *     `latest`, or a number of messages a second.
   * @param {number} [options.fromSeq] The first event to be sent; 1 is the session's first. If left
   *     out: what comes from now on.
   * @param {string} [options.format] Of pictures: `png`, `jpeg` or `webp`.
   * @param {typeof WebSocket} [options.WebSocket]
   */
  constructor(
    url,
    { token = "", policies, fromSeq, format = "png", WebSocket = globalThis.WebSocket },
  ) {
    this.#format = format;
    this.#url = url;
    this.#token = token;
    this.#policies = policies;
    this.#WebSocket = WebSocket ?? NodeSocket;
    this.#nextSeq = fromSeq;
    this.#goesOn = fromSeq !== undefined;
  }

  on(name, listener) {
    this.#listeners.set(name, [...(this.#listeners.get(name) ?? []), listener]);
    return this;
  }

  start() {
    this.stop();
    const socket = new this.#WebSocket(this.#url);
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    socket.onopen = () => this.#enter(socket);
    socket.onmessage = ({ data }) => this.#receive(data);
    socket.onclose = ({ code, reason }) => this.#lost(socket, code, reason);
    socket.onerror = () => {}; // a close always follows, and is handled there
  }

  stop() {
    clearTimeout(this.#timer);
    const socket = this.#socket;
    this.#hangUp();
    socket?.close();
  }

  setToken(token) {
    this.#token = token;
    this.start();
  }

  /** The time now on the server's LSL clock, in seconds; NaN before the first answer. */
  now() {
    return seconds() + this.#offset;
  }

  /**
   * How long ago an event was sent, in seconds. Whoever reads slowly gets old events of `lossless`
   * streams: nothing that is older than a second should be shown as live.
   */
  age({ t_emit }) {
    return this.now() - t_emit;
  }

  /**
   * Call a method; resolves with its result, or rejects with an RpcError or a lost line. A call is
   * never sent twice: where the line was lost, it may have been done or not.
   */
  call(method, params = {}, timeout = CALL_TIMEOUT) {
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      const socket = this.#socket;
      if (socket?.readyState !== OPEN) throw new Error("not connected");
      const timer = setTimeout(() => this.#lost(socket), timeout * 1000);
      this.#calls.set(id, { resolve, reject, timer });
      socket.send(JSON.stringify({ jsonrpc: "2.0", id, method, params }));
    });
  }

  /** Add a marker as if the source had sent it; resolves with its time on the LSL clock. */
  async injectMarker(label, t) {
    return (await this.call("injectMarker", t === undefined ? { label } : { label, t })).t;
  }

  /** Replace, add or remove candidates ({id, text}); resolves with `candidates_version`, ... */
  setCandidates(candidates, mode = "replace") {
    return this.call("setCandidates", { candidates, mode }, EMBEDDING);
  }

  /** Ask for `stop`, `resume`, `pause`, `note`, ...; resolves with the state. */
  async control(action, params = {}) {
    return (await this.call("control", { action, ...params })).state;
  }

  async #enter(socket) {
    try {
      const hello = await this.#timed("authorize", this.#token ? { token: this.#token } : {});
      this.#welcome(hello);
      this.#emit("connected", hello); // first: what it clears must not be news of this line
      for (const params of this.#subscriptions()) await this.#subscribe(params, hello);
      if (socket !== this.#socket) return; // a listener has stopped us meanwhile
      this.#goesOn = true;
      this.#attempt = 0;
      this.#pulse = setInterval(() => this.#timed("time").catch(() => {}), PULSE * 1000);
    } catch (error) {
      if (socket !== this.#socket) return; // the line broke: #lost has seen to it
      if (!(error instanceof RpcError)) throw error;
      this.stop();
      this.#emit("refused", { message: error.message });
    }
  }

  /** Decide where to go on. */
  #welcome({ session, last_seq }) {
    if (this.#nextSeq === undefined) {
      this.#nextSeq = last_seq === undefined ? undefined : last_seq + 1;
    } else if (this.#session !== null && this.#session !== session) {
      this.#nextSeq = 1; // of another session all is new
    } else if (this.#session !== null && last_seq !== undefined) {
      this.#nextSeq = Math.min(this.#nextSeq, last_seq + 1); // its disk failed: it counts anew
    }
    this.#session = session;
  }

  #resumes(stream) {
    return this.#policies[stream] === "lossless" && !EPHEMERAL.has(stream);
  }

  /** The parameters of each `subscribe`: one for each policy, and one for what is resumed. */
  #subscriptions() {
    const groups = new Map();
    for (const [stream, policy] of Object.entries(this.#policies)) {
      const resumed = this.#goesOn && this.#resumes(stream) && this.#nextSeq !== undefined;
      const rules = typeof policy === "number" ? { policy: "rate", rate: policy } : { policy };
      if (resumed) rules.from_seq = this.#nextSeq;
      const key = JSON.stringify(rules);
      if (!groups.has(key)) groups.set(key, { streams: [], ...rules });
      groups.get(key).streams.push(stream);
      if (stream === "image" && this.#format !== "png") groups.get(key).format = this.#format;
    }
    return [...groups.values()];
  }

  async #subscribe(params, hello) {
    let answer;
    try {
      answer = await this.call("subscribe", params);
    } catch (error) {
      if (error.code !== PURGED) throw error;
      this.#emit("purged", { from_seq: params.from_seq });
      this.#nextSeq = hello.last_seq + 1;
      answer = await this.call("subscribe", { ...params, from_seq: undefined });
    }
    for (const { stream, message } of answer.failure) {
      this.#emit("problem", { message: `${stream}: ${message}` });
    }
    if (answer.missed) this.#emit("missed", answer);
  }

  /** Call a method whose answer holds `t_lsl`, and learn the clock from it. */
  async #timed(method, params) {
    const sent = seconds();
    const answer = await this.call(method, params);
    const way = seconds() - sent;
    this.#clock.push({ way, offset: answer.t_lsl - sent - way / 2 });
    if (this.#clock.length > CLOCK_MEMORY) this.#clock.shift();
    this.#offset = this.#clock.reduce((a, b) => (b.way < a.way ? b : a)).offset;
    return answer;
  }

  #receive(data) {
    if (data instanceof ArrayBuffer) {
      const frame = readFrame(data);
      const { stream, seq } = frame.header;
      if (this.#isNew(stream, seq)) this.#emit(stream, frame);
      return;
    }
    const message = JSON.parse(data);
    if (message.method !== undefined) {
      if (this.#isNew(message.method, message.params.seq)) this.#emit(message.method, message.params);
      return;
    }
    const call = this.#calls.get(message.id);
    if (!call) return;
    this.#calls.delete(message.id);
    clearTimeout(call.timer);
    if (message.error) call.reject(new RpcError(message.error));
    else call.resolve(message.result);
  }

  /** Say whether an event did not come before, and remember it. */
  #isNew(stream, seq) {
    if (seq === undefined || !this.#resumes(stream)) return true;
    const came = this.#goesOn && seq < this.#nextSeq;
    this.#nextSeq = Math.max(this.#nextSeq ?? 0, seq + 1);
    return !came;
  }

  #lost(socket, code, reason) {
    if (socket !== this.#socket) return;
    this.stop();
    if (code === FORBIDDEN) {
      this.#emit("refused", { message: reason });
      return;
    }
    const most = BACKOFF[Math.min(this.#attempt, BACKOFF.length - 1)];
    const wait = most * (0.5 + Math.random() / 2); // not all clients at once
    this.#attempt += 1;
    this.#timer = setTimeout(() => this.start(), wait * 1000);
    this.#emit("disconnected", { wait, attempt: this.#attempt });
  }

  /** Forget the socket: later words from it are not ours, and open calls will not return. */
  #hangUp() {
    clearInterval(this.#pulse);
    if (this.#socket) this.#socket.onmessage = null;
    this.#socket = null;
    this.#clock = []; // a restarted server may have another clock
    for (const { reject, timer } of this.#calls.values()) {
      clearTimeout(timer);
      reject(new Error("the connection was lost"));
    }
    this.#calls.clear();
  }

  #emit(name, event) {
    for (const listener of this.#listeners.get(name) ?? []) listener(event);
  }
}

const KEY = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; // RFC 6455, 1.3
const [PIECE, TEXT, BINARY, CLOSE, PING, PONG] = [0, 1, 2, 8, 9, 10];
const HANDSHAKE = 10; // seconds
const NO_CODE = 1005;
const BROKEN = 1006;

/**
 * What `Client` needs of a WebSocket, for Node before version 22, which has none (RFC 6455; no
 * extensions).
 */
class NodeSocket {
  #asked = null;
  #socket = null;
  #unread = new Uint8Array(0);
  #pieces = [];
  #kind = TEXT;
  #ended = false;

  constructor(url) {
    this.#open(new URL(url)).catch(() => this.#end());
  }

  get readyState() {
    return this.#socket?.writable && !this.#ended ? OPEN : 3;
  }

  send(text) {
    this.#write(TEXT, new TextEncoder().encode(text));
  }

  close() {
    this.#write(CLOSE, Uint8Array.of(3, 232)); // 1000
    this.#asked?.destroy();
    this.#socket?.end();
    this.#end();
  }

  async #open(url) {
    url.protocol = url.protocol === "wss:" ? "https:" : "http:";
    const { request } = await import(`node:${url.protocol.slice(0, -1)}`);
    const key = btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(16))));
    const hash = await crypto.subtle.digest("SHA-1", new TextEncoder().encode(key + KEY));
    const accept = btoa(String.fromCharCode(...new Uint8Array(hash)));
    if (this.#ended) return;
    const headers = { Connection: "Upgrade", Upgrade: "websocket", "Sec-WebSocket-Key": key };
    headers["Sec-WebSocket-Version"] = "13";
    this.#asked = request(url, { headers, timeout: HANDSHAKE * 1000 });
    this.#asked.on("timeout", () => this.#asked.destroy());
    this.#asked.on("error", () => this.#end());
    this.#asked.on("response", () => this.#end()); // another answer than an upgrade
    this.#asked.on("upgrade", ({ headers }, socket, head) => {
      socket.on("error", () => {}); // a close always follows
      socket.on("close", () => this.#end());
      socket.setTimeout(0);
      socket.setNoDelay(true);
      if (this.#ended || headers["sec-websocket-accept"] !== accept) return void socket.destroy();
      [this.#socket, this.#asked] = [socket, null];
      socket.on("data", (data) => this.#read(data));
      this.onopen?.();
      this.#read(head);
    });
    this.#asked.end();
  }

  #end(code = BROKEN, reason = "") {
    if (this.#ended) return;
    this.#ended = true;
    this.#asked?.destroy();
    this.onclose?.({ code, reason });
  }

  /** Send a frame: masked, as those of clients have to be. */
  #write(kind, body) {
    if (!this.#socket?.writable) return;
    const long = body.length > 65535 ? 8 : body.length > 125 ? 2 : 0;
    const frame = new Uint8Array(6 + long + body.length);
    const view = new DataView(frame.buffer);
    frame[0] = 0x80 | kind;
    frame[1] = 0x80 | (long === 8 ? 127 : long === 2 ? 126 : body.length);
    if (long === 2) view.setUint16(2, body.length);
    if (long === 8) view.setBigUint64(2, BigInt(body.length));
    const mask = crypto.getRandomValues(frame.subarray(2 + long, 6 + long));
    for (let i = 0; i < body.length; i++) frame[6 + long + i] = body[i] ^ mask[i % 4];
    this.#socket.write(frame);
  }

  #read(data) {
    this.#unread = joined([this.#unread, data]);
    while (this.#unread.length >= 2 && !this.#ended) {
      const bytes = this.#unread;
      const short = bytes[1] & 0x7f;
      const start = short === 127 ? 10 : short === 126 ? 4 : 2;
      if (bytes.length < start) return;
      const view = new DataView(bytes.buffer, bytes.byteOffset);
      const length =
        short === 127 ? Number(view.getBigUint64(2)) : short === 126 ? view.getUint16(2) : short;
      if (bytes.length < start + length) return;
      this.#unread = bytes.subarray(start + length);
      this.#take(bytes[0] & 0x0f, (bytes[0] & 0x80) !== 0, bytes.slice(start, start + length));
    }
  }

  /** Take a frame; `last` says that its message ends with it. */
  #take(kind, last, body) {
    if (kind === PING) this.#write(PONG, body);
    if (kind === CLOSE) {
      this.#write(CLOSE, body);
      this.#socket.end();
      const code = body.length < 2 ? NO_CODE : new DataView(body.buffer).getUint16(0);
      this.#end(code, utf8.decode(body.subarray(2)));
    }
    if (kind > BINARY) return;
    if (kind !== PIECE) this.#kind = kind;
    this.#pieces.push(body);
    if (!last) return;
    const whole = joined(this.#pieces);
    this.#pieces = [];
    this.onmessage?.({ data: this.#kind === TEXT ? utf8.decode(whole) : whole.buffer });
  }
}

function joined(pieces) {
  const whole = new Uint8Array(pieces.reduce((n, piece) => n + piece.length, 0));
  let n = 0;
  for (const piece of pieces) {
    whole.set(piece, n);
    n += piece.length;
  }
  return whole;
}
