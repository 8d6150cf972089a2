/** Fetches what a room's state says is missing, one request per room and kind at a time, until nothing is. */

import { backoff } from "./protocol/backoff.js";
import { needs } from "./state/room.js";

const PAGE = 200;

/** `room(name)` gives the state of a joined room or undefined; `dispatch(name, action)` takes what was fetched. */
export function createSync({ api, room, dispatch }) {
  const running = new Set();

  async function repeat(key, name, wanted, fetch) {
    if (running.has(key)) return;
    running.add(key);
    for (let attempt = 0; room(name) && wanted(needs(room(name))); attempt += 1) {
      const before = room(name);
      try {
        await fetch(wanted(needs(before)));
        if (room(name) !== before) attempt = -1;
      } catch (error) {
        if (error.permanent) break;
        await pause(error.retryAfter ?? 0);
      }
      if (attempt >= 0) await pause(backoff(attempt, 0.2));
    }
    running.delete(key);
  }

  const pause = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

  /** Look what the room needs; cheap when that is nothing. */
  return function check(name) {
    const missing = needs(room(name));
    if (missing.entries) {
      repeat(`entries ${name}`, name, (n) => n.entries, async (range) => {
        const { entries } = await api.entries(name, range.latest ? { limit: PAGE } : { ...range, limit: PAGE });
        dispatch(name, { type: "page", entries, latest: range.latest });
      });
    }
    if (missing.members) {
      repeat(`members ${name}`, name, (n) => n.members, async () => {
        dispatch(name, { type: "members", ...(await api.members(name)) });
      });
    }
  };
}
