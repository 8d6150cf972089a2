/** Asks before a message is deleted, for that can't be taken back. */

import { $ } from "../shared/dom.js";

/** Ask, and call `confirmed` if the answer is yes. */
export function confirmDeleting(confirmed) {
  const dialog = $("deleting");
  dialog.returnValue = "";
  dialog.addEventListener("close", () => dialog.returnValue === "delete" && confirmed(), { once: true });
  dialog.showModal();
}
