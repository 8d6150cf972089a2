/**
 * Who is in a room: a snapshot with a revision, and changes that each raise it by one (pure functions).
 *
 * A change tells what happened after the revision `since`: one not above ours is dropped, one that begins beyond ours is
 * held until the members were fetched. A frame with `members` takes the place of all; one without lists is of a large room.
 * `members` is null in a large room: only the count is known there. `gone` are those who went offline meanwhile, the
 * latest last, with when they were last seen.
 */

const HELD_AT_MOST = 200;
const GONE_AT_MOST = 20;

/** Nothing is known yet. */
export const unknown = () => ({ rev: null, count: 0, members: null, gone: [], heldPresence: [] });

/** The connection is lost: what is shown stays, but a snapshot of any revision replaces it. */
export const lost = () => ({ rev: null, heldPresence: [] });

/** Whether changes were missed. */
export const hasGap = (room) => room.rev !== null && room.heldPresence.length > 0;

/** A `presence` frame. */
export function changed(room, frame) {
  if (room.rev !== null && (frame.members ? frame.rev < room.rev : frame.rev <= room.rev)) return room;
  return drain({ ...room, heldPresence: [...room.heldPresence, frame].slice(-HELD_AT_MOST) });
}

/** A snapshot of the members: of `joined`, or fetched. */
export function listed(room, { members, count, rev, truncated = false }) {
  if (room.rev !== null && rev < room.rev) return room;
  const map = members && !truncated ? new Map(members.map((m) => [m.id, m])) : null;
  return drain({ ...room, members: map, gone: map ? room.gone.filter((m) => !map.has(m.id)) : [], count, rev });
}

/** The name of a member, where the user is one. */
export function rename(room, user) {
  const member = room.members?.get(user.id);
  if (!member || member.name === user.name) return room;
  return { ...room, members: new Map(room.members).set(user.id, { ...member, name: user.name }) };
}

function drain(room) {
  if (room.rev === null) return room;
  const frames = [...room.heldPresence].sort((a, b) => a.rev - b.rev);
  let { rev, count, members, gone } = room;
  let waiting = [];
  for (const frame of frames) {
    if (frame.rev < rev || (frame.rev === rev && !frame.members)) continue;
    if (frame.members || !(frame.joined || frame.left || frame.changed)) {
      members = frame.members ? new Map(frame.members.map((m) => [m.id, m])) : null;
      gone = members ? gone.filter((m) => !members.has(m.id)) : [];
      waiting = [];
    } else if (members && (frame.since ?? frame.rev - 1) > rev) {
      waiting.push(frame);
      continue;
    } else if (members) [members, gone] = [apply(members, frame), depart(gone, frame)];
    ({ rev, count } = frame);
  }
  return { ...room, rev, count, members, gone, heldPresence: waiting };
}

function apply(members, { joined = [], left = [], changed: altered = [] }) {
  const next = new Map(members);
  for (const member of left) next.delete(member.id);
  for (const member of [...joined, ...altered]) next.set(member.id, member);
  return next;
}

function depart(gone, { joined = [], left = [] }) {
  const moved = new Set([...joined, ...left].map((m) => m.id));
  const offline = left.filter((m) => m.status === "offline");
  if (!offline.length && !gone.some((m) => moved.has(m.id))) return gone;
  return [...gone.filter((m) => !moved.has(m.id)), ...offline].slice(-GONE_AT_MOST);
}
