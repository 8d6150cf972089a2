/**
 * The chat itself, without a page: joins rooms, sends messages until they are acknowledged, keeps up with the
 * server. It writes to the store; what a person should hear of goes to `tell(text, {kind})`.
 *
 * State: `{me, connection, limits, rooms: Map name → room state, active, directory: [{room, seq, time}], history}`.
 */

import { createApi, socketAddress } from "./api.js";
import { Delivery } from "./delivery.js";
import { uuid7 } from "./ids.js";
import { restore, save } from "./outbox.js";
import { Connection } from "./protocol/connection.js";
import { Reading } from "./reading.js";
import * as session from "./session.js";
import { firstSeq, isComplete, newRoom, reduce } from "./state/room.js";
import { lasting } from "./shared/storage.js";
import { createSync } from "./sync.js";
import { plain } from "./text.js";

const TYPING_EVERY = 3_000;
const RENEW_EVERY = 10_000;
const HISTORY_PAGE = 100;
const KEPT = 2_000;
const GATHERED = 4; // milliseconds: entries of a burst are taken in together

export const initialState = {
  me: null,
  connection: { name: "offline", retryAt: null, reason: "" },
  limits: {},
  rooms: new Map(),
  active: null,
  directory: [],
  history: {}, // room → "loading" | "failed"
};

export class Client {
  #store;
  #tell;
  #api = createApi(session.token);
  #connection;
  #check;
  #arrived = new Map(); // room → entries not yet taken in
  #asked = new Map(); // ref → {kind, room or name}
  #typed = new Map(); // room → when it was told last
  #shown = null; // the token that the server has seen last
  #status = "online";
  #following = true; // whether the active room is shown at its end
  #delivery = new Delivery({
    send: (frame) => this.#connection.send(frame),
    join: (name) => this.#join(name),
    room: (name) => this.#rooms.get(name),
    dispatch: (name, action) => this.#dispatch(name, action),
    tell: (text, options) => this.#tell(text, options),
  });
  #reading = new Reading({ room: (name) => this.#rooms.get(name), send: (frame) => this.#connection.send(frame) });
  #handlers = {
    welcome: (frame) => this.#welcome(frame),
    joined: (frame) => this.#joined(frame),
    ack: (frame) => this.#acknowledged(frame),
    rejected: (frame) => this.#delivery.rejected(frame),
    renamed: (frame) => this.#renamed(frame),
    read: (frame) => this.#readElsewhere(frame),
    error: (frame) => this.#refused(frame),
  };

  constructor(store, tell) {
    this.#store = store;
    this.#tell = tell;
    this.#check = createSync({
      api: this.#api,
      room: (name) => this.#rooms.get(name),
      dispatch: (name, action) => this.#dispatch(name, action),
    });
  }

  get #rooms() {
    return this.#store.get().rooms;
  }

  /** Connect as the user of the session at hand, into the rooms of the last visit and `room`. */
  start(room) {
    const { user } = session.session();
    this.#store.set({ me: user });
    for (const name of lasting.get("rooms", [])) this.#add(name);
    if (user) this.#restore(user.id);
    this.open(room);
    this.#connection = new Connection({
      url: socketAddress(),
      token: async (options) => (this.#shown = await session.token(options)),
      onFrame: (frame) => this.#receive(frame),
      onStatus: (status) => this.#changed(status),
    });
    this.#connection.reconnectNow();
    setInterval(() => this.#expireTyping(), 1_000);
    setInterval(() => this.#renew(), RENEW_EVERY);
  }

  /** Try at once instead of waiting. */
  reconnect() {
    this.#connection.reconnectNow();
  }

  // ------------------------------------------------------------------ rooms

  /** Show a room, joining it first if need be. */
  open(name) {
    if (!this.#rooms.has(name)) {
      this.#add(name);
      this.#join(name);
    }
    this.#following = true;
    this.#store.set({ active: name });
    lasting.set("active", name);
  }

  /** Leave a room; returns the room to show instead, if any. */
  leave(name) {
    if (this.#rooms.get(name)?.joined) this.#connection.send({ type: "leave", room: name });
    const names = [...this.#rooms.keys()];
    const next = names[names.indexOf(name) + 1] ?? names[names.indexOf(name) - 1] ?? null;
    this.#remove(name);
    return next;
  }

  /** The rooms there are, with their latest activity; keeps the old list if the server is away. */
  async refreshDirectory() {
    try {
      this.#store.set({ directory: await this.#api.rooms() });
    } catch {
      // The connection's own state says that the server is away.
    }
  }

  /** Fetch the page before the earliest entry at hand. */
  async loadEarlier(name) {
    const room = this.#rooms.get(name);
    if (!room?.entries.length || isComplete(room) || this.#store.get().history[name] === "loading") return;
    this.#history(name, "loading");
    try {
      const { entries } = await this.#api.entries(name, { before: firstSeq(room), limit: HISTORY_PAGE });
      this.#dispatch(name, { type: "page", entries });
      this.#history(name, undefined);
    } catch {
      this.#history(name, "failed");
    }
  }

  /** The view says whether the active room is shown at its end; if someone looks, it is read. */
  seen(name, { following, looking }) {
    if (name !== this.#store.get().active) return;
    this.#following = following;
    if (following && looking) this.#dispatch(name, { type: "read" });
  }

  // --------------------------------------------------------------- speaking

  /** Say something in a room; it stays on its way until the server has it. */
  say(name, body) {
    this.#typed.delete(name);
    this.#delivery.say(name, body);
  }

  /** Change an own message: another body, or null to delete it. */
  change(name, target, body) {
    this.#delivery.say(name, body, target);
  }

  /** Send a failed message again, under its own id. */
  retry(name, id) {
    this.#delivery.retry(name, id);
  }

  /** Give a failed message up. */
  discard(name, id) {
    this.#dispatch(name, { type: "discard", id });
  }

  /** The user writes: tell the room, at most every three seconds. */
  typing(name) {
    const now = Date.now();
    if (now - (this.#typed.get(name) ?? 0) < TYPING_EVERY || !this.#rooms.get(name)?.joined) return;
    this.#typed.set(name, now);
    this.#connection.send({ type: "typing", room: name });
  }

  /** Whether someone is at the page: `online` or `away`; told again after each reconnect. */
  attend(status) {
    this.#status = status;
    this.#connection.send({ type: "status", status });
  }

  /** Go by another name; false if there is no connection. */
  rename(name) {
    return this.#ask({ type: "rename", name }, { kind: "rename", name });
  }

  // -------------------------------------------------------------- listening

  #receive(frame) {
    if (frame.type === "message" && !document.hidden) {
      if (!this.#arrived.size) setTimeout(() => this.#takeIn(), GATHERED);
      const entries = this.#arrived.get(frame.room) ?? [];
      this.#arrived.set(frame.room, entries);
      entries.push(frame);
      return;
    }
    this.#takeIn(); // in the order of arrival
    if (Object.hasOwn(this.#handlers, frame.type)) this.#handlers[frame.type](frame);
    else if (frame.room) this.#dispatch(frame.room, { ...frame, at: Date.now() });
  }

  #takeIn() {
    for (const [name, entries] of this.#arrived) this.#dispatch(name, { type: "page", entries });
    this.#arrived.clear();
  }

  #welcome({ user, limits }) {
    const before = this.#store.get().me;
    session.identify(user);
    this.#store.set({ me: user, limits });
    for (const name of this.#rooms.keys()) this.#dispatch(name, { type: "identity", me: user.id });
    if (!before) this.#restore(user.id);
    if (this.#status !== "online") this.attend(this.#status);
    const { active } = this.#store.get();
    const names = [...this.#rooms.keys()].sort((a, b) => (b === active) - (a === active));
    for (const name of names) this.#join(name);
    this.refreshDirectory();
  }

  #joined(frame) {
    this.#asked.delete(frame.ref);
    this.#reading.known(frame.room, frame.read ?? 0);
    this.#dispatch(frame.room, frame);
    this.#delivery.resume(frame.room);
  }

  #acknowledged(frame) {
    const asked = this.#asked.get(frame.ref);
    this.#asked.delete(frame.ref);
    if (asked?.kind === "rename") this.#tell(`You are now ${asked.name}`, { kind: "done" });
    else if (frame.id) this.#delivery.acknowledged(frame);
  }

  #renamed({ user, was, asked = null }) {
    if (user.id === this.#store.get().me.id) {
      this.#store.set({ me: user });
      session.identify(user);
      if (asked) this.#tell(`“${asked}” is taken: you are ${user.name}`, { kind: "done" });
    }
    for (const name of this.#rooms.keys()) this.#dispatch(name, { type: "renamed", user, was, at: Date.now() });
  }

  #readElsewhere({ room, seq }) {
    this.#reading.known(room, seq);
    this.#dispatch(room, { type: "read", seq });
  }

  #refused(frame) {
    const { ref, room, code, message, retry_after: after = null } = frame;
    const asked = this.#asked.get(ref);
    this.#asked.delete(ref);
    if (this.#delivery.refused(frame)) return;
    if (asked?.kind === "join") this.#notJoined(asked.room, message, after);
    else if (code === "not_joined" && this.#rooms.has(room)) this.#join(room);
    else if (code === "forbidden" && !ref && this.#rooms.has(room)) this.#notJoined(room, message, null);
    else if (asked?.kind === "token") return; // the connection ends with its token, and comes back with another
    else this.#tell(plain(message, after), { kind: "problem" });
  }

  #notJoined(name, message, after) {
    if (!this.#rooms.has(name)) return;
    this.#tell(`#${name}: ${plain(message, after)}`, { kind: "problem" });
    if (after === null) this.#remove(name);
    else setTimeout(() => this.#rooms.get(name)?.joined === false && this.#join(name), after * 1000);
  }

  #changed(connection) {
    this.#store.set({ connection });
    if (connection.name === "online") return;
    this.#delivery.reset();
    this.#asked.clear();
    for (const [name, room] of this.#rooms) if (room.joined) this.#dispatch(name, { type: "disconnected" });
  }

  // --------------------------------------------------------------- plumbing

  #join(name) {
    const { next } = this.#rooms.get(name);
    const since = next === null ? {} : { since: next - 1 };
    this.#ask({ type: "join", room: name, ...since }, { kind: "join", room: name });
  }

  #ask(frame, about) {
    const ref = `${about.kind}-${uuid7().slice(-12)}`;
    if (!this.#connection?.send({ ...frame, ref })) return false;
    this.#asked.set(ref, about);
    return true;
  }

  #add(name) {
    const me = this.#store.get().me?.id ?? null;
    this.#store.set({ rooms: new Map(this.#rooms).set(name, newRoom(name, { me })) });
    lasting.set("rooms", [...this.#rooms.keys()]);
  }

  /** What the user had said before a reload, and nobody had acknowledged. */
  #restore(me) {
    for (const [name, messages] of Object.entries(restore(me))) {
      if (!this.#rooms.has(name)) this.#add(name);
      for (const message of messages) this.#dispatch(name, { type: "post", ...message });
    }
  }

  #remove(name) {
    const rooms = new Map(this.#rooms);
    rooms.delete(name);
    this.#store.set({ rooms, active: this.#store.get().active === name ? null : this.#store.get().active });
    lasting.set("rooms", [...rooms.keys()]);
  }

  #dispatch(name, action) {
    const before = this.#rooms.get(name);
    if (!before) return;
    let room = reduce(before, action);
    const shown = name === this.#store.get().active && !this.#following;
    if (room.entries.length > 2 * KEPT && !shown) room = reduce(room, { type: "trim", keep: KEPT });
    if (room === before) return;
    this.#store.set({ rooms: new Map(this.#rooms).set(name, room) });
    if (room.pending !== before.pending) save(room.me, this.#rooms);
    this.#reading.tell(name);
    this.#check(name);
  }

  #history(name, value) {
    this.#store.set({ history: { ...this.#store.get().history, [name]: value } });
  }

  /** Before the token expires, show the server a fresh one: the connection goes on under it. */
  async #renew() {
    if (this.#store.get().connection.name !== "online") return;
    const token = await session.token().catch(() => this.#shown); // the next time, then
    if (token !== this.#shown && this.#ask({ type: "token", token }, { kind: "token" })) this.#shown = token;
  }

  /** Nothing else happens when someone stops writing, so the views are woken for it. */
  #expireTyping() {
    const { active } = this.#store.get();
    if (this.#rooms.get(active)?.typing.size) this.#store.set({});
  }
}
