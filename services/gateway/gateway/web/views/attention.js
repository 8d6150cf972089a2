/** What reaches people who don't look: the page's title, and words for screen readers. */

import { $, h } from "../shared/dom.js";
import { heard } from "../state/room.js";

const SPOKEN = 3; // new messages at once that are still read out
const LETTERS = 300;

/** The title: how much is unread, and where one is. */
export function renderTitle({ rooms, active }) {
  const unread = [...rooms.values()].reduce((sum, room) => sum + room.unread, 0);
  const title = `${unread ? `(${unread}) ` : ""}${active === null ? "" : `#${active} · `}Warren`;
  if (document.title !== title) document.title = title;
}

/**
 * Say the new messages of the active room. The log itself is not live: it is drawn in parts, backwards, and own
 * messages twice, so a screen reader would speak too much of it.
 */
export function announce(now, before) {
  const added = heard(now, before);
  if (!added.length) return;
  const texts = added.length > SPOKEN
    ? [`${added.length} new messages`]
    : added.map((e) => `${e.user.name}: ${e.body.slice(0, LETTERS)}`);
  $("announcer").replaceChildren(...texts.map((text) => h("p", {}, text)));
}
