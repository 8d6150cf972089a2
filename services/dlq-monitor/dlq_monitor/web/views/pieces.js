/** Small pieces that several views show. */

import { hashOf } from "../router.js";
import { h, icon } from "../shared/dom.js";
import { toast } from "../shared/toasts.js";
import { ago, full } from "../words.js";

/** The head of a view: its title, what belongs beside it, and where it lies. */
export function heading(title, { back, beside = [], actions = [] } = {}) {
  return h("header", { class: "heading", data: { key: "heading" } },
    back ? h("a", { class: "back", href: back.href }, `‹ ${back.text}`) : null,
    h("div", { class: "line" },
      h("h1", { id: "title", tabindex: "-1" }, h("bdi", {}, title)),
      ...beside,
      actions.some(Boolean) ? h("div", { class: "buttons" }, ...actions) : null));
}

export const chip = (status) => h("span", { class: `chip ${status}`, data: { testid: "status" } }, status);

/** A time that is told by how long ago it was. */
export const when = (iso) => h("time", { datetime: iso, title: full(iso) }, ago(iso));

export function button(text, call, { symbol, kind = "plain", testid, title } = {}) {
  return h("button", { type: "button", class: kind, title, data: testid ? { testid } : {}, on: { click: call } },
    symbol ? icon(symbol) : null, h("span", {}, text));
}

/** A button that copies a text. */
export function copy(text, what) {
  return h("button", { type: "button", class: "copy", "aria-label": `Copy ${what}`, title: `Copy ${what}`,
    on: {
      async click(event) {
        const copied = event.currentTarget;
        try {
          await navigator.clipboard.writeText(text);
        } catch {
          return toast("The browser does not let this page copy: mark the text instead", { kind: "problem" });
        }
        copied.classList.add("done");
        return setTimeout(() => copied.classList.remove("done"), 1500);
      },
    } }, icon("copy"));
}

/** Terms and what they are; those without a value are left out. */
export const facts = (pairs) =>
  h("dl", { class: "facts" }, ...pairs.filter(([, value]) => value !== null && value !== undefined && value !== "").flatMap(
    ([term, ...values]) => [h("dt", {}, term), h("dd", {}, ...values.map((v) => (typeof v === "number" ? String(v) : v)))]));

/** A part of a view under a title of its own. */
export const section = (key, title, ...content) =>
  h("section", { class: "part", "aria-labelledby": `${key}-title`, data: { key, testid: `part-${key}` } },
    h("h2", { id: `${key}-title` }, title), ...content);

/** What happened, the newest first; ids of letters in reasons lead there. */
export const history = (steps) =>
  h("ol", { class: "history" }, ...[...steps].reverse().map((step) =>
    h("li", {}, h("span", { class: "what" }, h("b", {}, step.action), " by ", h("bdi", {}, step.actor)), when(step.time),
      step.reason || step.letter ? h("p", { dir: "auto" }, ...linked(saying(step))) : null)));

/** The reason of a step, and the letter it is about where the reason does not name it. */
const saying = ({ reason, letter }) => (!letter || reason.includes(letter) ? reason : `${reason}${reason ? "; " : ""}letter ${letter}`);

const linked = (text) =>
  text.split(/\b([0-9a-f]{32})\b/).map((part, place) =>
    place % 2 ? h("a", { href: hashOf(["letters", part]) }, part.slice(0, 8)) : part);

export const empty = (text) => h("p", { class: "empty", data: { key: "empty" } }, text);
