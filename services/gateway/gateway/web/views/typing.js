/** Who is writing, in words. */

import { typists } from "../state/room.js";
import { listing } from "../text.js";
import { $, setText } from "../shared/dom.js";

/** Draw for a room (null: none) at this moment. */
export function renderTyping(room) {
  const names = room ? typists(room, Date.now()).map((user) => `\u2068${user.name}\u2069`) : [];
  setText($("typing"), names.length ? `${listing(names)} ${names.length > 1 ? "are" : "is"} writing…` : "");
}
