/** The dialog in which one takes another name, or becomes someone else. */

import { roomName as properName } from "../router.js";
import { $, setText } from "../shared/dom.js";

/** Make the dialog work. `actions`: `rename(name)` (false if offline), `signOut()`, `me()`. */
export function setUpProfile({ rename, signOut, me }) {
  const dialog = $("profile");
  const input = $("profile-input");
  $("me").addEventListener("click", () => {
    input.value = me()?.name ?? "";
    setText($("profile-error"), "");
    dialog.showModal();
    input.focus();
    input.select();
  });
  $("profile-cancel").addEventListener("click", () => dialog.close());
  $("sign-out").addEventListener("click", signOut);
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  $("profile-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const name = properName(input.value);
    if (!name) setText($("profile-error"), "A name has 1 to 64 characters.");
    else if (name !== me()?.name && !rename(name)) {
      setText($("profile-error"), "There is no connection just now. Try again when you are online.");
    } else dialog.close();
  });
}
