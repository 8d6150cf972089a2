/**
 * One lasting connection over sockets that come and go: connects, keeps alive, notices death, comes back.
 *
 * It knows tokens and the frames `welcome`, `goodbye` and `pong`; all else goes to `onFrame`. Its status is
 * `{name, retryAt, reason}` with the names `connecting`, `online`, `offline` (a retry is due at `retryAt`,
 * milliseconds) and `stopped` (only a person can go on).
 */

import { backoff } from "./backoff.js";
import { closing } from "./closing.js";

const PROTOCOL = "warren.v1";
const PING_EVERY = 25_000;
const DEAD_AFTER = 15_000; // without any frame since a ping: 40 s of silence in all
const PROBE = 4_000; // the same after the page was asleep
const WELCOME_WITHIN = 15_000;
const STABLE_AFTER = 10_000;
const TICK = 1_000;

export class Connection {
  #url;
  #token;
  #onFrame;
  #onStatus;
  #socket = null;
  #attempt = 0;
  #refused = 0;
  #tokenNeeded = "keep";
  #goodbye = null;
  #retry = null;
  #tick = null;
  #generation = 0;
  #pinged = 0;
  #heard = 0;
  #deadline = 0;
  #since = 0;
  status = { name: "offline", retryAt: null, reason: "" };

  /** `token({fresh})` resolves to a token, or rejects with `{message, permanent, retryAfter}`. */
  constructor({ url, token, onFrame, onStatus }) {
    this.#url = url;
    this.#token = token;
    this.#onFrame = onFrame;
    this.#onStatus = onStatus;
    addEventListener("online", () => this.reconnectNow());
    addEventListener("offline", () => this.status.name === "online" && this.#ping(PROBE));
    document.addEventListener("visibilitychange", () => document.hidden || this.#wake());
  }

  /** Connect at once, whatever was planned; does nothing while connected or connecting. */
  reconnectNow() {
    if (this.status.name === "online" || this.status.name === "connecting") return;
    this.#refused = 0;
    this.#connect();
  }

  /** Close for good; `reconnectNow` starts again. */
  stop(reason = "") {
    this.#drop();
    this.#become("stopped", { reason });
  }

  /** Send a frame; false if there is no connection. */
  send(frame) {
    if (this.status.name !== "online" || this.#socket.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(frame));
    return true;
  }

  async #connect() {
    this.#drop();
    const generation = this.#generation;
    this.#become("connecting");
    let token;
    try {
      token = await this.#token({ fresh: this.#tokenNeeded === "fresh" });
    } catch (error) {
      if (generation !== this.#generation) return;
      if (error.permanent) this.#become("stopped", { reason: error.message });
      else this.#later(error.message, error.retryAfter ?? 0);
      return;
    }
    if (generation !== this.#generation) return;
    this.#tokenNeeded = "keep";
    this.#open(token);
  }

  #open(token) {
    let socket;
    try {
      socket = new WebSocket(this.#url, [PROTOCOL, `bearer.${token}`]);
    } catch {
      this.stop("This sign-in cannot be used"); // a token that is no sub-protocol
      return;
    }
    this.#socket = socket;
    this.#heard = this.#pinged = Date.now();
    this.#deadline = this.#heard + WELCOME_WITHIN;
    socket.onmessage = (event) => this.#receive(event.data);
    socket.onclose = (event) => this.#closed(event.code);
    this.#tick = setInterval(() => this.#watch(), TICK);
  }

  #receive(text) {
    this.#heard = Date.now();
    this.#deadline = 0;
    const frame = JSON.parse(text);
    if (frame.type === "pong") return;
    if (frame.type === "goodbye") this.#goodbye = frame;
    if (frame.type === "welcome") {
      this.#since = this.#heard;
      this.#refused = 0;
      this.#become("online");
    }
    this.#onFrame(frame);
  }

  /** Timers may be late by a minute in a hidden page, so silence is counted from our own ping. */
  #watch() {
    const now = Date.now();
    if (this.#deadline && now > this.#deadline) {
      this.#closed(1006, "The server does not answer");
    } else if (this.status.name === "online" && now - this.#pinged >= PING_EVERY) {
      this.#ping(DEAD_AFTER);
    }
    if (this.status.name === "online" && now - this.#since > STABLE_AFTER) this.#attempt = 0;
  }

  #ping(within) {
    this.#pinged = Date.now();
    this.#deadline = this.#pinged + within;
    this.send({ type: "ping" });
  }

  /** The page is looked at again: find out at once what still lives. */
  #wake() {
    if (this.status.name === "offline") this.reconnectNow();
    else if (this.status.name === "online" && Date.now() - this.#heard > PROBE) this.#ping(PROBE);
  }

  #closed(code, silent = "") {
    const rule = closing(code);
    const reason = navigator.onLine ? silent || rule.reason : "This device is offline";
    const goodbye = this.#goodbye;
    this.#drop();
    if (rule.token === "fresh") {
      this.#tokenNeeded = "fresh";
      this.#refused += 1;
    }
    if (!rule.reconnect || this.#refused > 2) this.#become("stopped", { reason: rule.reason });
    else if (goodbye) this.#later(rule.reason, goodbye.reconnect_after, this.#attempt ? undefined : 0);
    else if (this.#refused === 1 && rule.token === "fresh") this.#connect();
    else this.#later(reason, rule.after);
  }

  #later(reason, least, jitter = backoff(this.#attempt)) {
    this.#attempt += 1;
    const delay = (least + jitter) * 1000;
    this.#retry = setTimeout(() => this.#connect(), delay);
    this.#become("offline", { reason, retryAt: Date.now() + delay });
  }

  /** Forget the socket without waiting for its closing handshake, which a dead peer never answers. */
  #drop() {
    this.#generation += 1;
    clearTimeout(this.#retry);
    clearInterval(this.#tick);
    this.#deadline = 0;
    this.#goodbye = null;
    if (this.#socket) {
      this.#socket.onmessage = this.#socket.onclose = null;
      this.#socket.close();
      this.#socket = null;
    }
  }

  #become(name, { retryAt = null, reason = "" } = {}) {
    this.status = { name, retryAt, reason };
    this.#onStatus(this.status);
  }
}
