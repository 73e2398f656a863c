/**
 * A client of braincast's websocket: JSON-RPC 2.0, events, the LSL clock, reconnecting.
 *
 * One file without dependencies, for browsers and for Node (before version 22, pass a
 * `WebSocket` class). Example:
 *
 *     const client = new Client("ws://127.0.0.1:8000/v1/ws", { policies: { text: "lossless" } });
 *     client.on("text", (event) => console.log(event.top[0].text));
 *     client.start();
 */

const BACKOFF = [0.25, 0.5, 1, 2, 4]; // seconds before each attempt; the last one repeats
const CALL_TIMEOUT = 5; // seconds; a server that does not answer for so long is gone
const PULSE = 2; // seconds between questions for the time, which also notice a dead line
const CLOCK_MEMORY = 15; // answers; the one with the shortest way sets the clock

const utf8 = new TextDecoder();
const seconds = () => performance.now() / 1000;

/** The server's answer to a call that it refused. */
export class RpcError extends Error {
  constructor({ code, message }) {
    super(message);
    this.name = "RpcError";
    this.code = code;
  }
}

/**
 * Read a binary frame: 4 bytes of header length (big-endian), a JSON header, then the samples.
 *
 * @param {ArrayBuffer} buffer
 * @returns {{header: object, view: DataView, start: number}} `start` is where samples begin.
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
 * `refused` ({message}; it then waits for `setToken`), `problem` ({message}), and each stream
 * by its name (`signal` as `readFrame` gives it).
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

  /**
   * @param {string} url
   * @param {object} options
   * @param {string} [options.token] Empty: ask to be let in without one.
   * @param {Object<string, string>} options.policies Stream name to policy.
   * @param {typeof WebSocket} [options.WebSocket]
   */
  constructor(url, { token = "", policies, WebSocket = globalThis.WebSocket }) {
    this.#url = url;
    this.#token = token;
    this.#policies = policies;
    this.#WebSocket = WebSocket;
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
    socket.onclose = () => this.#lost(socket);
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

  /** Call a method; resolves with its result, or rejects with an RpcError or a lost line. */
  call(method, params = {}) {
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      const socket = this.#socket;
      const timer = setTimeout(() => socket?.close(), CALL_TIMEOUT * 1000);
      this.#calls.set(id, { resolve, reject, timer });
      socket.send(JSON.stringify({ jsonrpc: "2.0", id, method, params }));
    });
  }

  async #enter(socket) {
    try {
      const hello = await this.#timed("authorize", this.#token ? { token: this.#token } : {});
      this.#emit("connected", hello); // first: what it clears must not be news of this line
      for (const policy of new Set(Object.values(this.#policies))) {
        const streams = Object.keys(this.#policies).filter((s) => this.#policies[s] === policy);
        const { failure } = await this.call("subscribe", { streams, policy });
        for (const { stream, message } of failure) {
          this.#emit("problem", { message: `${stream}: ${message}` });
        }
      }
      this.#attempt = 0;
      this.#pulse = setInterval(() => this.#timed("time").catch(() => {}), PULSE * 1000);
    } catch (error) {
      if (socket !== this.#socket) return; // the line broke: #lost has seen to it
      if (!(error instanceof RpcError)) throw error;
      this.stop();
      this.#emit("refused", { message: error.message });
    }
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
      this.#emit(frame.header.stream, frame);
      return;
    }
    const message = JSON.parse(data);
    if (message.method !== undefined) {
      this.#emit(message.method, message.params);
      return;
    }
    const call = this.#calls.get(message.id);
    if (!call) return;
    this.#calls.delete(message.id);
    clearTimeout(call.timer);
    if (message.error) call.reject(new RpcError(message.error));
    else call.resolve(message.result);
  }

  #lost(socket) {
    if (socket !== this.#socket) return;
    this.#hangUp();
    const wait = BACKOFF[Math.min(this.#attempt, BACKOFF.length - 1)];
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
