/** The message box: grows with its text, sends on Enter, keeps a draft per room; changes a message where it is told to. */

import { perTab } from "../shared/storage.js";
import { $, setText } from "../shared/dom.js";

const encoder = new TextEncoder();
const WARN_AT = 0.9; // of the limit

export class ComposerView {
  #input = $("composer-input");
  #room = null;
  #editing = null; // the seq of the message that is being changed
  #limit = 0;
  #actions;

  /** `actions`: `say(body)`, `change(seq, body)`, `remove(seq)`, `editing(seq or null)`, `editLast()`, `typing()`, `scroll(pages)`. */
  constructor(actions) {
    this.#actions = actions;
    $("composer").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.#input.addEventListener("input", () => this.#changed());
    this.#input.addEventListener("keydown", (event) => this.#key(event));
    $("editing-cancel").addEventListener("click", () => this.#stopEditing());
  }

  /** Change a message instead of writing one, until it is sent or given up. */
  edit(seq, body) {
    this.#edits(seq);
    this.#input.value = body;
    this.#fit();
    this.focus();
  }

  #edits(seq) {
    this.#editing = seq;
    $("editing").hidden = seq === null;
    this.#actions.editing(seq);
  }

  #stopEditing() {
    this.#edits(null);
    this.#input.value = perTab.get("drafts", {})[this.#room] ?? "";
    this.#fit();
    this.focus();
  }

  /** Draw for a room by name (null: none); `limit` is the most bytes a message may have, 0 for any number. */
  render(room, limit) {
    this.#limit = limit;
    if (room === this.#room) return;
    this.#room = room;
    this.#edits(null);
    this.#input.readOnly = false;
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
    } else if (event.key === "Escape" && this.#editing !== null) {
      this.#stopEditing();
    } else if (event.key === "ArrowUp" && !this.#input.value && this.#editing === null) {
      event.preventDefault();
      this.#actions.editLast();
    } else if ((event.key === "PageUp" || event.key === "PageDown") && !event.altKey) {
      event.preventDefault();
      this.#actions.scroll(event.key === "PageUp" ? -1 : 1);
    }
  }

  #changed() {
    this.#fit();
    if (this.#editing !== null) return;
    this.#keepDraft();
    if (this.#input.value.trim()) this.#actions.typing();
  }

  #submit() {
    const body = this.#input.value.trim();
    const target = this.#editing;
    if ((!body && target === null) || this.#room === null || this.#over() > 1) return;
    if (target !== null) {
      this.#stopEditing();
      if (body) this.#actions.change(target, body);
      else this.#actions.remove(target); // whoever takes all the words away means the message
      return;
    }
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
