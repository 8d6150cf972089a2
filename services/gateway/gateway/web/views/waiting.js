/** Own messages on their way, below the newest entry. */

import { $ } from "../shared/dom.js";
import { pendingRow } from "./message.js";

export class WaitingView {
  element = $("pending");

  /** Draw those of a room (null: none); `actions` as `pendingRow` takes them. */
  render(room, me, actions) {
    let previous = room?.entries.at(-1);
    const rows = (room?.pending ?? []).filter((p) => p.target === null).map((p) => {
      const row = pendingRow(p, { user: me, previous, actions });
      previous = { type: "message", user: me, time: p.at };
      return row;
    });
    const focused = this.element.contains(document.activeElement);
    this.element.replaceChildren(...rows);
    if (focused) $("scroller").focus({ preventScroll: true }); // on a button of what is gone
  }

  /** They are out of sight with the newest entry. */
  show(atEnd) {
    this.element.hidden = !atEnd || !this.element.hasChildNodes();
  }
}
