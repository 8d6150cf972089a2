/** What stands at the two ends of the log: where earlier messages come from, and the way to the newest. */

import { isComplete } from "../state/room.js";
import { $, setText } from "../shared/dom.js";

const EARLIER = { loading: "Loading earlier messages…", failed: "Earlier messages could not be loaded. Try again" };

/** Draw the upper end of a room (null: none); `history` is undefined, "loading" or "failed". */
export function drawTop(room, history) {
  const earlier = $("earlier");
  earlier.hidden = !room?.entries.length || isComplete(room);
  earlier.disabled = history === "loading";
  setText(earlier, EARLIER[history] ?? "Earlier messages");
  const beginning = $("beginning");
  beginning.hidden = !room || room.next === null || !isComplete(room);
  if (beginning.hidden) return;
  setText(beginning.querySelector("h2"), `#${room.name}`);
  setText(beginning.querySelector("p"), room.entries.length
    ? "This is where the room begins."
    : "Nobody has said anything here yet. Be the first.");
}

/** Draw the button that leads to the newest message, unless the room is shown at its end. */
export function drawNewest(room, atEnd) {
  const newest = $("newest");
  newest.hidden = atEnd || !room;
  if (newest.hidden) return;
  const count = room.unread;
  setText(newest.querySelector("span"), count ? `${count} new` : "Newest");
  newest.setAttribute("aria-label", count ? `Go to ${count} new messages` : "Go to the newest message");
}
