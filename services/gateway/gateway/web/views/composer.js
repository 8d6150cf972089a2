/** The message box: grows with its text, sends on Enter, keeps a draft per room. */

import { perTab } from "../shared/storage.js";
import { $, setText } from "../shared/dom.js";

const encoder = new TextEncoder();
const WARN_AT = 0.9; // of the limit

export class ComposerView {
  #input = $("composer-input");
  #room = null;
  #limit = 0;
  #actions;

  /** `actions`: `say(body)`, `typing()`, `scroll(pages)`. */
  constructor(actions) {
    this.#actions = actions;
    $("composer").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.#input.addEventListener("input", () => this.#changed());
    this.#input.addEventListener("keydown", (event) => this.#key(event));
  }

  /** Draw for a room by name (null: none); `limit` is the most bytes a message may have, 0 for any number. */
  render(room, limit) {
    this.#limit = limit;
    if (room === this.#room) return;
    this.#room = room;
    this.#input.disabled = room === null;
    this.#input.placeholder = room === null ? "" : `Message #${room}`;
    this.#input.setAttribute("aria-label", room === null ? "Message" : `Message to ${room}`);
    this.#input.value = perTab.get("drafts", {})[room] ?? "";
    this.#fit();
  }

  /** Put the caret into the box. */
  focus() {
    this.#input.focus({ preventScroll: true });
  }

  #key(event) {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      this.#submit();
    } else if ((event.key === "PageUp" || event.key === "PageDown") && !event.altKey) {
      event.preventDefault();
      this.#actions.scroll(event.key === "PageUp" ? -1 : 1);
    }
  }

  #changed() {
    this.#keepDraft();
    this.#fit();
    if (this.#input.value.trim()) this.#actions.typing();
  }

  #submit() {
    const body = this.#input.value.trim();
    if (!body || this.#room === null || this.#over() > 1) return;
    this.#input.value = "";
    this.#keepDraft();
    this.#fit();
    this.#actions.say(body);
  }

  #over() {
    return this.#limit ? encoder.encode(this.#input.value.trim()).length / this.#limit : 0;
  }

  #keepDraft() {
    const drafts = perTab.get("drafts", {});
    if (this.#input.value) drafts[this.#room] = this.#input.value;
    else delete drafts[this.#room];
    perTab.set("drafts", drafts);
  }

  #fit() {
    const over = this.#over();
    const percent = Math.ceil((over - 1) * 100);
    setText($("composer-hint"), over > 1 ? `Too long by ${percent} %: send it in parts.`
      : over > WARN_AT ? "Almost as long as a message may be." : "");
    $("send").disabled = !this.#input.value.trim() || over > 1;
    this.#input.style.height = "auto";
    this.#input.style.height = `${this.#input.scrollHeight}px`;
  }
}
