/** How the connection is: a banner while it is not, with a countdown and a way to cut the wait short. */

import { wait } from "../text.js";
import { $, setText } from "../shared/dom.js";

const NAMES = { online: "Online", connecting: "Connecting…", offline: "Offline", stopped: "Not connected" };

export class ConnectionView {
  #timer = null;
  #retryAt = null;
  #signIn = false;

  /** `reconnect()` tries at once; `signIn()` asks for another token. */
  constructor({ reconnect, signIn }) {
    $("reconnect").addEventListener("click", () => (this.#signIn ? signIn() : reconnect()));
  }

  /** Draw `{name, retryAt, reason}`; `foreign`: the token can't be renewed by trying again. */
  render({ name, retryAt, reason }, foreign) {
    this.#signIn = foreign && name === "stopped";
    setText($("reconnect"), this.#signIn ? "Sign in again" : "Reconnect now");
    const banner = $("connection");
    banner.dataset.state = document.body.dataset.connection = name;
    banner.hidden = name === "online";
    setText($("me-state"), NAMES[name]);
    const lead = reason ? `${reason}.` : `${NAMES[name]}.`;
    setText($("connection-text"), { online: "", connecting: "Connecting…", offline: lead, stopped: lead }[name]);
    $("reconnect").hidden = name === "online" || name === "connecting";
    this.#retryAt = retryAt;
    clearInterval(this.#timer);
    if (retryAt) this.#timer = setInterval(() => this.#count(), 250);
    this.#count();
  }

  #count() {
    const left = this.#retryAt ? (this.#retryAt - Date.now()) / 1000 : null;
    setText($("connection-countdown"), left === null ? "" : `Trying again in ${wait(left)}.`);
  }
}
