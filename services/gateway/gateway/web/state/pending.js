/**
 * Own messages on their way: pending → accepted (acknowledged) → gone from here, for they are in the log.
 *
 * A message keeps its id for life, so sending it again is safe: the server takes an id once. `failed` is what
 * a person may retry or discard; it is `final` if the server refused it, so that no late ack mends it.
 */

/** The user said something: `{id, body, at}`, or changes the message `target`: another body, or null to delete it. */
export function post(room, { id, body, at, target = null }) {
  const message = { id, body, at, target, epoch: room.epoch, status: "pending", reason: "", final: false };
  return { ...room, pending: [...room.pending, message] };
}

/** The broker has it. If the view was replaced since it was sent, it may lie in what is not shown: drop it. */
export function acknowledged(room, { id }) {
  const message = find(room, id);
  if (!message || message.final) return room;
  return message.epoch < room.epoch ? discarded(room, { id }) : change(room, id, { status: "accepted", reason: "" });
}

/** A rule refused it. */
export const rejected = (room, { id, message }) =>
  find(room, id) ? change(room, id, { status: "failed", reason: message, final: true }) : room;

/** It was not taken: `{id, reason}`. */
export const failed = (room, { id, reason }) =>
  find(room, id) ? change(room, id, { status: "failed", reason }) : room;

/** The user wants it sent again. */
export const retried = (room, { id }) =>
  find(room, id) ? change(room, id, { status: "pending", reason: "", final: false }) : room;

/** The user gives it up. */
export const discarded = (room, { id }) =>
  find(room, id) ? { ...room, pending: room.pending.filter((p) => p.id !== id) } : room;

/** What is accepted is safe: it comes with the log. */
export const dropAccepted = (room) => ({ ...room, pending: room.pending.filter((p) => p.status !== "accepted") });

/** All that is not accepted fails with one reason. */
export function failAll(room, reason) {
  if (!room.pending.length) return room; // nothing of it changes, so nothing that was kept is overwritten
  return { ...room, pending: room.pending.map((p) => (p.status === "pending" ? { ...p, status: "failed", reason } : p)) };
}

/** Entries have arrived: own ones among them are on their way no longer. */
export function settle(room, entries) {
  if (!room.pending.length) return room;
  const mine = new Set(entries.filter((e) => e.user.id === room.me).map((e) => e.id));
  const pending = room.pending.filter((p) => !mine.has(p.id));
  return pending.length === room.pending.length ? room : { ...room, pending };
}

const find = (room, id) => room.pending.find((p) => p.id === id);

function change(room, id, fields) {
  return { ...room, pending: room.pending.map((p) => (p.id === id ? { ...p, ...fields } : p)) };
}
