/** Own messages that the server has not acknowledged outlive a reload of the tab, with their ids. */

import { perTab } from "./shared/storage.js";

/** The messages of a user by room: `{room: [{id, body, at, target}]}`. */
export function restore(user) {
  const kept = perTab.get("outbox");
  return kept?.user === user ? kept.rooms : {};
}

/** Keep what is not acknowledged in any of the rooms (a Map of room states). */
export function save(user, rooms) {
  const open = {};
  for (const room of rooms.values()) {
    const own = room.pending.filter((p) => p.status !== "accepted");
    if (own.length) open[room.name] = own.map(({ id, body, at, target }) => ({ id, body, at, target }));
  }
  if (Object.keys(open).length) perTab.set("outbox", { user, rooms: open });
  else perTab.remove("outbox");
}
