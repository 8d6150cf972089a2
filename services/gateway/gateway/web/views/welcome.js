/** The first page: a name to choose or keep; where guests are not let in, an access token instead. */

import { guestToken } from "../api.js";
import { roomName as properName } from "../router.js";
import { keep, useToken } from "../session.js";
import { plain } from "../text.js";
import { $, setText } from "../shared/dom.js";

const HINTS = {
  guest: "Choose a name, or keep the one we dug up for you.",
  token: "Whoever runs this server can give you an access token.",
  needed: "This server asks for an access token. Whoever runs it can give you one.",
  again: "Your access token is not valid any more: bring a fresh one. Your rooms and what you wrote are still here.",
};

/** Show the page; `entered()` is called when there is a session; `again`: the token that was brought has expired. */
export function showWelcome(entered, { again = false } = {}) {
  const input = $("welcome-input");
  const button = $("welcome-enter");
  let offer = null; // a session under a random name
  let guests;
  $("welcome").hidden = false;
  $("shell").hidden = true;
  setText($("welcome-error"), "");

  async function ask(name) {
    button.disabled = true;
    try {
      return await guestToken(name);
    } catch (error) {
      if (error.status === 401 || error.status === 403) refuseGuests();
      else setText($("welcome-error"), plain(error.message, null));
      return null;
    } finally {
      button.disabled = false;
    }
  }

  function refuseGuests() {
    $("welcome-other").hidden = true;
    if (guests) become(false, "needed");
  }

  /** Ask a guest for a name, or a user for a token. */
  function become(guest, hint) {
    guests = guest;
    input.readOnly = false;
    setText($("welcome-hint"), HINTS[hint]);
    setText($("welcome-label"), guest ? "Your name" : "Access token");
    setText($("welcome-other"), guest ? "I have an access token" : "Enter as a guest");
    Object.assign(input, guest
      ? { type: "text", autocomplete: "nickname", maxLength: 64, value: offer?.user.name ?? "" }
      : { type: "password", autocomplete: "off", maxLength: 10_000, value: "" });
    input.focus();
    if (guest) input.select();
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
    $("welcome-form").onsubmit = $("welcome-other").onclick = null;
    entered();
  }

  $("welcome-form").onsubmit = (event) => {
    event.preventDefault();
    if (!button.disabled) enter();
  };
  $("welcome-other").onclick = () => become(!guests, guests ? "token" : "guest");
  become(!again, again ? "again" : "guest");
  ask(null).then((session) => {
    offer = session;
    if (!session || !guests || input.value) return;
    input.value = session.user.name;
    if (document.activeElement === input) input.select();
  });
}
