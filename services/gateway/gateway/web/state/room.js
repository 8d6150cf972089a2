/**
 * What is known of one room, as a pure function of what was heard of it: no clock, no network, no DOM.
 *
 * `reduce(room, action)` takes frames as the server sends them and a few local actions, in any order, any
 * number of times, and returns the next state (the same object if nothing changed). Entries are kept dense:
 * `entries` has no hole, ever; what lies above a hole waits in `held` until `needs(room)` was fetched.
 */

import * as presence from "./presence.js";
import * as outbox from "./pending.js";

const NOTICES_KEPT = 100;
const FAR = 1_000; // entries: a larger hole is not filled, the newest page takes the place of what is shown
export const TYPING_SECONDS = 5;

/** A room before anything was heard of it. `read` is the last `seq` that is known to be read, if any. */
export function newRoom(name, { me, read = null }) {
  return {
    name,
    me, // own user id
    joined: false,
    entries: [], // dense, ascending by seq
    next: null, // the seq that comes next; null until a snapshot said where the room stands
    head: 0, // the highest seq heard of
    held: new Map(), // seq → entry, above a hole
    base: 0, // the last seq before the connection was lost
    epoch: 0, // grows when the entries were replaced instead of extended
    amended: new Map(), // seq → {seq, body}: the latest edit (body) or deletion (null) of an entry
    notices: [], // {after, user, was, at}: renames, shown below the entry `after`
    read,
    unread: 0,
    typing: new Map(), // user id → {user, until}
    ...presence.unknown(),
    pending: [], // own messages on their way, see pending.js
  };
}

/** The seq of the earliest entry at hand (of the one to come, in an empty room). */
export const firstSeq = (room) => room.entries[0]?.seq ?? room.next;

/** Whether the very beginning of the room is at hand. */
export const isComplete = (room) => firstSeq(room) === 1;

/** The entry with this seq, or undefined. */
export const entryAt = (room, seq) => room.entries[seq - room.entries[0]?.seq];

/** What has to be fetched: `entries` is null, `{latest: true}` or `{after: seq}`. */
export function needs(room) {
  if (!room.joined) return { entries: null, members: false };
  let entries = null;
  if (room.next === null) entries = { latest: true };
  else if (room.head - room.next >= FAR) entries = { latest: true };
  else if (room.head >= room.next) entries = { after: room.next - 1 };
  return { entries, members: presence.hasGap(room) };
}

/** What others said between two states of a room; nothing, if the one does not go on where the other stopped. */
export function heard(now, before) {
  if (!before || before.name !== now?.name || before.next === null || before.epoch !== now.epoch) return [];
  const added = now.next === before.next ? [] : now.entries.slice(before.next - now.next);
  return added.filter((e) => e.type === "message" && e.user.id !== now.me);
}

/** The seq of the first message at hand that is not read, or null. */
export const firstUnread = ({ entries, read, me }) =>
  entries.find((e) => e.seq > read && e.type === "message" && e.user.id !== me)?.seq ?? null;

/** The users who are writing at the moment `at` (milliseconds), by when they began. */
export const typists = (room, at) => [...room.typing.values()].filter((t) => t.until > at).map((t) => t.user);

const reducers = {
  joined,
  page: (room, { entries, latest }) => (latest ? newest(room, sorted(entries)) : absorb(room, sorted(entries))),
  message: (room, entry) => absorb(room, [entry]),
  edited: (room, entry) => absorb(room, [entry]),
  deleted: (room, entry) => absorb(room, [entry]),
  disconnected,
  presence: presence.changed,
  members: presence.listed,
  renamed,
  typing,
  read,
  trim,
  identity: (room, { me }) => (me === room.me ? room : outbox.failAll({ ...room, me }, "You have a new identity")),
  post: outbox.post,
  ack: outbox.acknowledged,
  rejected: outbox.rejected,
  failed: outbox.failed,
  retry: outbox.retried,
  discard: outbox.discarded,
};

/** The next state of a room; actions of an unknown type change nothing. */
export function reduce(room, action) {
  return Object.hasOwn(reducers, action.type) ? reducers[action.type](room, action) : room;
}

function joined(room, frame) {
  const entries = sorted(frame.entries);
  let next = frame.read > 0 ? read(room, { seq: frame.read }) : room;
  if (!room.joined && room.next !== null && frame.seq < room.base) next = forget(room); // the store was reset
  if (next.next === null) next = anchor(next, entries, frame.seq);
  else next = frame.truncated ? newest(next, entries) : absorb(next, entries);
  const members = { rev: frame.rev, count: frame.count, members: frame.members };
  return { ...presence.listed(next, members), joined: true, head: Math.max(next.head, frame.seq) };
}

function disconnected(room) {
  const base = room.next === null ? 0 : room.next - 1;
  return { ...room, ...presence.lost(room), joined: false, base, typing: new Map() };
}

/** Start over: nothing that was known holds any more. */
function forget(room) {
  return { ...room, entries: [], next: null, head: 0, held: new Map(), amended: new Map(), notices: [], read: null,
    epoch: room.epoch + 1 };
}

/** The newest page of the room: it extends what is known, or takes its place if there is a hole between. */
function newest(room, entries) {
  if (room.next === null) return anchor(room, entries);
  return entries.length && entries[0].seq > room.next ? replace(room, entries) : absorb(room, entries);
}

/** A page far ahead of what is known takes its place; own messages that were accepted lie in between. */
function replace(room, entries) {
  const bare = { ...room, entries: [], next: null, notices: [], epoch: room.epoch + 1 };
  return anchor(outbox.dropAccepted(bare), entries);
}

/** The first entries of a room say where it stands; `seq` 0 says that it is empty. */
function anchor(room, entries, seq = null) {
  if (!entries.length) return seq === 0 ? absorb({ ...room, next: 1, read: room.read ?? 0 }, []) : room;
  let start = entries.length - 1;
  while (start > 0 && entries[start - 1].seq === entries[start].seq - 1) start -= 1;
  const kept = entries.slice(start);
  const last = kept.at(-1).seq;
  const held = new Map([...room.held].filter(([s]) => s > last));
  const anchored = { ...room, entries: kept, next: last + 1, head: Math.max(room.head, last), held };
  const known = absorb(consequences(outbox.settle(anchored, kept), kept), []);
  return { ...known, ...unreadOf(known, room.read ?? Math.max(last, seq ?? 0)) };
}

/** Take in entries in any order, with duplicates and holes; what does not connect yet is held. */
function absorb(room, incoming) {
  const first = firstSeq(room);
  const fresh = incoming.filter((e) => room.next === null || e.seq >= room.next || e.seq < first);
  const settled = outbox.settle(room, incoming);
  if (!fresh.length && !room.held.has(room.next)) return settled;
  const held = new Map(room.held);
  for (const entry of fresh) if (!held.has(entry.seq)) held.set(entry.seq, entry);
  const head = fresh.reduce((top, e) => Math.max(top, e.seq), room.head);
  if (room.next === null) return { ...settled, held, head };

  const after = [];
  let next = room.next;
  for (; held.has(next); next += 1) after.push(take(held, next));
  const before = [];
  for (let seq = first - 1; held.has(seq); seq -= 1) before.push(take(held, seq));
  for (const seq of held.keys()) if (seq < next) held.delete(seq); // too old and without connection
  const entries = before.length || after.length ? [...before.reverse(), ...room.entries, ...after] : room.entries;
  const extended = { ...settled, entries, next, head, held };
  const unread = room.unread + after.filter((e) => counts(room, e)).length;
  return consequences({ ...extended, unread }, before.concat(after));
}

function take(held, seq) {
  const entry = held.get(seq);
  held.delete(seq);
  return entry;
}

const counts = (room, entry) => entry.type === "message" && entry.user.id !== room.me && entry.seq > room.read;

/** What new entries mean beside their place: edits, deletions, an end of typing. */
function consequences(room, added) {
  let { amended, typing: writing } = room;
  for (const entry of added) {
    if (entry.target && !(amended.get(entry.target)?.seq > entry.seq)) {
      const body = entry.type === "edited" ? entry.body : null;
      amended = new Map(amended).set(entry.target, { seq: entry.seq, body });
    } else if (writing.has(entry.user.id)) {
      writing = new Map(writing);
      writing.delete(entry.user.id);
    }
  }
  return { ...room, amended, typing: writing };
}

function unreadOf(room, read) {
  const hidden = Math.max(0, firstSeq(room) - 1 - read);
  return { read, unread: hidden + room.entries.filter((e) => counts({ ...room, read }, e)).length };
}

/** Read up to `seq`, here or on another device; without `seq`, all that is at hand. Never back. */
function read(room, { seq = null }) {
  if (room.next === null) return seq === null ? room : { ...room, read: Math.max(room.read ?? 0, seq) };
  const upto = Math.max(room.read, seq ?? room.next - 1);
  if (upto === room.read && (seq !== null || room.unread === 0)) return room;
  return { ...room, ...(upto >= room.next - 1 ? { read: upto, unread: 0 } : unreadOf(room, upto)) };
}

/** Forget the earliest entries beyond `keep`; scrolling up fetches them again. */
function trim(room, { keep }) {
  if (room.entries.length <= keep) return room;
  const entries = room.entries.slice(-keep);
  const first = entries[0].seq;
  const amended = new Map([...room.amended].filter(([target, { seq }]) => target >= first || seq >= first));
  return { ...room, entries, amended, notices: room.notices.filter((n) => n.after >= first) };
}

function renamed(room, { user, was, at }) {
  const next = presence.rename(room, user);
  const last = room.notices.at(-1);
  const said = last?.user.id === user.id && last.user.name === user.name && last.was === was;
  const concerned = room.members?.has(user.id) || user.id === room.me || room.entries.some((e) => e.user.id === user.id);
  if (said || !concerned || room.next === null || user.name === was) return next;
  const notice = { after: room.next - 1, user, was, at };
  return { ...next, notices: [...room.notices, notice].slice(-NOTICES_KEPT) };
}

function typing(room, { user, at }) {
  if (user.id === room.me) return room;
  return { ...room, typing: new Map(room.typing).set(user.id, { user, until: at + TYPING_SECONDS * 1000 }) };
}

const sorted = (entries) => [...entries].sort((a, b) => a.seq - b.seq);
