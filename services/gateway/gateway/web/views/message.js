/** One message as a row of the log: day, author, text, what became of it. */

import { dayKey, dayName, fullTime, linkify, onlyEmoji, timeOfDay } from "../text.js";
import { avatar } from "./avatar.js";
import { h, icon } from "../shared/dom.js";

const GROUPED_WITHIN = 5 * 60_000;
const LONG = { characters: 1_800, lines: 24 };

/**
 * The row of a log entry. `about` has `previous` (the entry before, or undefined), `notices` (below it),
 * `noticesBefore` (whether some stand right above), `editing` (whether it is being changed), `amended` ({body} or undefined), `own`, `isFirstUnread`, `change` (the
 * own change of it on its way, or undefined), and `actions`: `edit(seq, body)`, `remove(seq)`, `retry(id)`, `discard(id)`.
 */
export function entryRow(entry, about) {
  const date = new Date(entry.time);
  const newDay = !about.previous || dayKey(new Date(about.previous.time)) !== dayKey(date);
  const data = { seq: entry.seq, id: entry.id, user: entry.user.id, trace: entry.trace ?? "" };
  const row = h("li", { class: about.editing ? "row editing" : "row", data },
    newDay && h("div", { class: "day", data: { testid: "day" } }, h("span", {}, dayName(date))),
    about.isFirstUnread && h("div", { class: "unread", data: { testid: "unread-divider" } }, h("span", {}, "New")),
  );
  if (entry.type === "message") {
    const starts = newDay || about.isFirstUnread || about.noticesBefore || !continues(entry, about.previous);
    row.append(message({ ...entry, date, starts, ...about, status: "sent" }));
    row.dataset.testid = "message";
    if (about.own) Object.assign(row.dataset, { own: "", status: about.change?.status === "failed" ? "failed" : "sent" });
    if (about.change?.status === "failed") row.append(failure(about.change, "Not changed", about.actions));
  }
  row.append(...about.notices.map(notice));
  return row;
}

/** The row of an own message on its way; `actions` has `retry(id)` and `discard(id)`. */
export function pendingRow(pending, { user, previous, actions }) {
  const date = new Date(pending.at);
  const starts = !previous || !continues({ user, time: date }, previous);
  const status = pending.status === "accepted" ? "sent" : pending.status;
  const data = { testid: "message", id: pending.id, user: user.id, own: "", status };
  const row = h("li", { class: "row", data }, message({ ...pending, user, date, starts, own: true, status }));
  if (status === "failed") row.append(failure(pending, "Not sent", actions));
  return row;
}

function failure({ id, reason }, what, actions) {
  return h("p", { class: "failed", role: "alert" }, icon("alert"), h("span", {}, `${what}: ${reason}.`),
    h("button", { type: "button", data: { testid: "retry" }, on: { click: () => actions.retry(id) } }, "Retry"),
    h("button", { type: "button", data: { testid: "discard" }, on: { click: () => actions.discard(id) } }, "Discard"));
}

/** Whether a message goes on below the author's last one without naming the author again. */
function continues(entry, previous) {
  if (previous?.type !== "message" || previous.user.id !== entry.user.id) return false;
  return previous.user.name === entry.user.name && new Date(entry.time) - new Date(previous.time) < GROUPED_WITHIN;
}

function message({ seq, user, body, date, starts, own, amended, change, actions, status, trace }) {
  const title = trace ? `${fullTime(date)}\ntrace ${trace}` : fullTime(date);
  const time = h("time", { datetime: date.toISOString(), title }, timeOfDay(date));
  const name = h("bdi", { class: starts ? "author" : "author sr", data: { testid: "author" } }, user.name);
  const now = amended ? amended.body : body;
  const deleted = now === null || now === "";
  const text = deleted ? h("p", { class: "body gone" }, "This message was deleted") : bodyOf(change?.body ?? now);
  if (change?.status === "pending") text.append(h("span", { class: "quiet edited" }, change.body === null ? " (deleting…)" : " (saving…)"));
  else if (amended && !deleted) text.append(h("span", { class: "quiet edited" }, " (edited)"));
  return h("div", { class: `msg${starts ? " starts" : ""}${own ? " own" : ""}` },
    starts && avatar(user),
    h("div", { class: "meta" }, name, starts && own && h("span", { class: "you" }, "you"), time),
    text,
    own && mark(status),
    own && seq && !deleted && !change && tools(seq, now, actions));
}

function tools(seq, body, actions) {
  const tool = (name, label, click) =>
    h("button", { type: "button", title: label, "aria-label": label, data: { testid: name }, on: { click } }, icon(name));
  return h("div", { class: "tools" },
    tool("edit", "Edit this message", () => actions.edit(seq, body)),
    tool("delete", "Delete this message", () => actions.remove(seq)));
}

function mark(status) {
  const [name, label] = { pending: ["clock", "Sending"], sent: ["check", "Sent"], failed: ["alert", "Not sent"] }[status];
  return h("span", { class: `mark ${status}`, title: label }, icon(name), h("span", { class: "sr" }, label));
}

function bodyOf(body) {
  const parts = linkify(body).map(({ text, href }) =>
    href ? h("a", { href, target: "_blank", rel: "noopener noreferrer nofollow" }, text) : text);
  const kind = onlyEmoji(body) ? " emoji" : "";
  const element = h("div", { class: `body${kind}`, dir: "auto", data: { testid: "body" } }, ...parts);
  const long = body.length > LONG.characters || body.split("\n", LONG.lines + 1).length > LONG.lines;
  return long ? folded(element) : element;
}

function folded(element) {
  element.classList.add("folded");
  const button = h("button", { type: "button", class: "soft", "aria-expanded": "false" }, "Show all of it");
  button.addEventListener("click", () => {
    const open = element.classList.toggle("folded") === false;
    button.setAttribute("aria-expanded", String(open));
    button.textContent = open ? "Show less" : "Show all of it";
  });
  return h("div", { class: "long" }, element, button);
}

function notice({ user, was }) {
  return h("p", { class: "notice", data: { testid: "notice" } },
    h("bdi", {}, was), " is now ", h("bdi", { class: "name" }, user.name));
}
