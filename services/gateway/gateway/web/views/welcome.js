/** The first page: a name to choose or keep; where guests are not let in, an access token instead. */

import { guestToken } from "../api.js";
import { roomName as properName } from "../router.js";
import { keep, useToken } from "../session.js";
import { plain } from "../text.js";
import { $, setText } from "../shared/dom.js";

/** Show the page; `entered()` is called when there is a session. `problem` says why one is asked again. */
export function showWelcome(entered, problem = "") {
  const input = $("welcome-input");
  const button = $("welcome-enter");
  let offer = null; // a session under a random name
  let guests = true;
  $("welcome").hidden = false;
  $("shell").hidden = true;
  setText($("welcome-error"), problem);
  input.value = "";
  input.focus();

  async function ask(name) {
    button.disabled = true;
    try {
      return await guestToken(name);
    } catch (error) {
      if (error.status === 401 || error.status === 403) withToken();
      else setText($("welcome-error"), plain(error.message, null));
      return null;
    } finally {
      button.disabled = false;
    }
  }

  function withToken() {
    guests = false;
    setText($("welcome-hint"), "This server asks for an access token. Whoever runs it can give you one.");
    setText($("welcome-label"), "Access token");
    Object.assign(input, { type: "password", autocomplete: "off", maxLength: 10_000, value: "" });
  }

  async function enter() {
    setText($("welcome-error"), "");
    const text = input.value.trim();
    if (!guests) {
      if (!text) return;
      useToken(text);
    } else {
      const name = text === "" ? null : properName(text);
      if (text && !name) {
        setText($("welcome-error"), "A name has at most 64 characters.");
        return;
      }
      const session = offer && (name === offer.user.name || name === null) ? offer : await ask(name);
      if (!session) return;
      keep(session);
    }
    $("welcome").hidden = true;
    $("welcome-form").onsubmit = null;
    entered();
  }

  $("welcome-form").onsubmit = (event) => {
    event.preventDefault();
    if (!button.disabled) enter();
  };
  ask(null).then((session) => {
    offer = session;
    if (!session || input.value) return;
    input.value = session.user.name;
    if (document.activeElement === input) input.select();
  });
}
