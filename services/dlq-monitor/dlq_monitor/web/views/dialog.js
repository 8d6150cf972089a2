/** Dialogs: made when needed, gone when closed. Nothing that comes in meanwhile touches them. */

import { h } from "../shared/dom.js";
import { toast } from "../shared/toasts.js";
import { button } from "./pieces.js";

/** Open a dialog; returns `{body, actions, close, failed}`. `actions` begins with a button to cancel. */
export function open(title, { wide = false, testid } = {}) {
  const body = h("div", { class: "content" });
  const actions = h("div", { class: "actions" }, button("Cancel", () => dialog.close(), { kind: "soft" }));
  const problem = h("p", { class: "problem", role: "alert" });
  const dialog = h("dialog", { "aria-labelledby": "dialog-title", class: wide ? "wide" : "", data: { testid: testid ?? "dialog" } },
    h("form", { class: "card", novalidate: true, on: { submit: (event) => event.preventDefault() } },
      h("h2", { id: "dialog-title" }, title), body, problem, actions));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  return { body, actions, close: () => dialog.close(), failed: (text) => (problem.textContent = text) };
}

/** A button that does something that may fail: busy meanwhile; what failed is said in the dialog. */
export function doing(dialog, text, call, { kind = "primary", testid = "confirm" } = {}) {
  const element = button(text, async () => {
    element.disabled = true;
    dialog.failed("");
    try {
      await call();
    } catch (error) {
      dialog.failed(`${error.message}.`.replace(/([.?!])\.$/, "$1"));
    } finally {
      element.disabled = false;
    }
  }, { kind, testid });
  element.type = "submit";
  return element;
}

/** A field under its label. */
export function field(label, input, hint) {
  return h("label", { class: "field" }, h("span", {}, label), input, hint ? h("small", { class: "quiet" }, hint) : null);
}

export const reasonField = (needed = false) =>
  h("input", { name: "reason", maxlength: "1000", autocomplete: "off", dir: "auto", required: needed, data: { testid: "reason" } });

/** Ask for a reason, then do it with that; `done` is what the notice says. */
export function decide(title, text, action, call, { needed = false, done, kind = "primary" } = {}) {
  const dialog = open(title);
  const reason = reasonField(needed);
  dialog.body.append(h("p", {}, text), field(needed ? "Why" : "Why (if you like)", reason, "It stays on record, with your name."));
  dialog.actions.append(doing(dialog, action, async () => {
    if (needed && !reason.value.trim()) {
      reason.focus();
      return dialog.failed("Say why.");
    }
    await call(reason.value.trim());
    dialog.close();
    return done && toast(done);
  }, { kind }));
  reason.focus();
}
