/** One letter: why it died, what it says, its way, and what can be done. */

import { get, post } from "../api.js";
import { exact, hex, parts, pretty } from "../json.js";
import { hashOf } from "../router.js";
import { h } from "../shared/dom.js";
import { bytes, full, OPEN, STATUS } from "../words.js";
import { decide } from "./dialog.js";
import { edit } from "./edit.js";
import { button, chip, copy, facts, heading, history, section, when } from "./pieces.js";
import { planOne } from "./plan.js";

const COLOURED = 30_000;
const SHOWN = 200_000;

export function letter(desk, [id]) {
  let body = null; // it never changes, and may be large: asked for once
  let laidOut = true;
  const act = (what) => (reason) => post(`letters/${id}/${what}`, { reason }).then(desk.refresh);

  function actions(found) {
    if (!desk.mayChange()) return [];
    const open = OPEN.includes(found.status);
    const whole = found.body.complete;
    return [
      open && whole ? button("Replay…", () => planOne(desk, found), { symbol: "replays", kind: "primary", testid: "replay" }) : null,
      open && whole ? button("Edit…", () => edit(desk, found), { symbol: "edit", testid: "edit" }) : null,
      open ? button("Discard…", () => decide("Give it up", "It stays on record and can be restored as long as it is kept.", "Discard it",
        act("discard"), { needed: true, done: "The letter is discarded" }), { symbol: "discard", testid: "discard" }) : null,
      found.status === "discarded" ? button("Restore…", () => decide("Take the discarding back", "It waits for a decision again.", "Restore it",
        act("restore"), { done: "The letter is restored" }), { symbol: "restore", kind: "primary", testid: "restore" }) : null,
    ];
  }

  /** Its status in a sentence, with what was last done about it. */
  function state(found) {
    const last = found.history.at(-1);
    const other = found.replaced_by ?? found.replaces;
    return h("div", { class: `state ${found.status}`, role: "status", data: { key: "state", testid: "state", status: found.status } },
      h("p", {}, chip(found.status), " ", STATUS[found.status] ?? "", found.due && OPEN.includes(found.status) ? [" Rules look at it ", when(found.due), "."] : null,
        other ? [" ", h("a", { href: hashOf(["letters", other]) }, found.replaced_by ? "See the edited copy" : "See the one it replaces"), "."] : null),
      last && ["resolved", "returned", "discarded", "replayed", "replaced"].includes(found.status) && last.reason
        ? h("p", { class: "quiet", dir: "auto" }, last.action, " by ", h("bdi", {}, last.actor), ": ", last.reason) : null,
      found.body.complete ? null : h("p", { class: "warn" }, `Its body of ${bytes(found.body.size)} was too long to be kept whole: it can't be sent again.`));
  }

  function shownBody(found) {
    const { encoding, data, size } = found.body;
    if (!size) return h("p", { class: "quiet" }, "It is empty.");
    const nice = encoding === "utf-8" ? pretty(data) : null;
    const raw = encoding === "utf-8" ? data : hex(data);
    const text = (laidOut && nice) || raw;
    const cut = text.slice(0, SHOWN);
    return [
      h("p", { class: "line quiet" },
        h("span", {}, `${bytes(size)}, ${nice ? "JSON" : encoding === "utf-8" ? "text" : "not text: bytes in hexadecimal"}`),
        nice ? button(laidOut ? "As it came" : "Laid out", () => {
          laidOut = !laidOut;
          desk.redraw();
        }, { kind: "soft" }) : null,
        copy(data, "the body")),
      h("pre", { class: encoding === "utf-8" ? "code" : "code hex", tabindex: "0", dir: "auto", data: { testid: "body" } }, ...(nice && laidOut && text.length < COLOURED
        ? parts(text).map(([kind, part]) => (kind === "plain" ? part : h("span", { class: kind }, part))) : [cut])),
      cut.length < text.length || (encoding === "base64" && size > 4096) ? h("p", { class: "quiet" }, "Only its beginning is shown.") : null,
    ];
  }

  const trace = (found) => {
    if (!found.trace) return null;
    const template = desk.summary?.trace_url;
    const code = h("code", { data: { testid: "trace" } }, found.trace);
    const href = template?.replace("{trace}", encodeURIComponent(found.trace));
    return h("span", { class: "line" }, href ? h("a", { href, target: "_blank", rel: "noopener noreferrer" }, code) : code, copy(found.trace, "the trace id"));
  };

  return {
    async load() {
      const found = await get(`letters/${id}`, { body: body ? "false" : null }, exact);
      body ??= found.body;
      return { ...found, body };
    },
    draw: (found) => [
      heading(found.cause.type, { back: { href: hashOf(["groups", found.group]), text: "Its group" },
        beside: [h("code", { class: "quiet" }, found.id.slice(0, 8))], actions: actions(found) }),
      state(found),
      h("div", { class: "split", data: { key: "whole" } },
        h("div", { class: "stack" },
          section("cause", "Why it died", h("p", { class: "lead", dir: "auto", data: { testid: "cause" } }, found.cause.message || "Nothing more was said."),
            found.cause.where ? h("p", { class: "quiet" }, "in ", h("code", {}, found.cause.where)) : null),
          section("body", "Body", ...[shownBody(found)].flat()),
          section("headers", "Headers", table(found.headers, "It has none.")),
          section("properties", "Properties", table(found.properties, "It has none."))),
        h("div", { class: "stack" },
          section("way", "Its way", facts([
            ["Sent to", found.exchange ? `exchange ${found.exchange}` : "the default exchange"], ["Routing key", found.routing_key && h("code", {}, found.routing_key)],
            ["Died in", h("a", { href: hashOf(["queues", found.queue]) }, found.queue)], ["Service", found.service], ["Died", h("span", {}, full(found.time), " (", when(found.time), ")")],
            ["Attempts", found.attempt], ["Sent again before", found.replays], ["Parked", when(found.first)], ["Came out of", found.dead_queue],
            ["Message id", found.message_id && h("span", { class: "line" }, h("code", {}, found.message_id), copy(found.message_id, "the message id"))],
            ["Type", found.type], ["Trace", trace(found)]])),
          section("history", "History", found.history.length ? history(found.history) : h("p", { class: "quiet" }, "Nothing was done yet.")))),
    ],
  };
}

/** A table of names and values; values that are no plain text are shown as JSON. */
function table(values, none) {
  const entries = Object.entries(values);
  if (!entries.length) return h("p", { class: "quiet" }, none);
  return h("table", { class: "pairs" }, h("tbody", {}, ...entries.map(([name, value]) =>
    h("tr", {}, h("th", { scope: "row", dir: "auto" }, name),
      h("td", { dir: "auto" }, typeof value === "string" ? value : h("code", {}, pretty(JSON.stringify(value)) ?? JSON.stringify(value)))))));
}
