/** Short notices that go away by themselves, unless someone is about to read or use them. */

import { $, h, icon } from "./dom.js";

const SHOWN = { done: 4_000, problem: 8_000 };
const AT_MOST = 4;

/** Show a text; `kind` is "done" or "problem". The same text twice is one notice that stays longer. */
export function toast(text, { kind = "done" } = {}) {
  const region = $("toasts");
  const same = [...region.children].find((other) => other.dataset.text === text);
  const element = same ?? create(text, kind);
  clearTimeout(Number(element.dataset.timer));
  element.dataset.timer = setTimeout(() => retire(element, kind), SHOWN[kind]);
  if (!same) region.append(element);
  while (region.children.length > AT_MOST) region.firstChild.remove();
}

function create(text, kind) {
  const close = h("button", { class: "icon", type: "button", "aria-label": "Dismiss" }, icon("close"));
  const element = h("div", { class: `toast ${kind}`, role: kind === "problem" ? "alert" : "status",
    data: { testid: "toast", text } }, icon(kind === "problem" ? "alert" : "check"), h("span", { dir: "auto" }, text), close);
  close.addEventListener("click", () => element.remove());
  return element;
}

function retire(element, kind) {
  if (element.matches(":hover, :focus-within")) {
    element.dataset.timer = setTimeout(() => retire(element, kind), SHOWN[kind]);
  } else element.remove();
}
