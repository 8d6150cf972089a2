/** One group: how often, what people say of it, its letters. */

import { get, patch, post } from "../api.js";
import { hashOf, turn } from "../router.js";
import { name } from "../session.js";
import { $, h } from "../shared/dom.js";
import { toast } from "../shared/toasts.js";
import { letters, number } from "../words.js";
import { hours, scale } from "./chart.js";
import { decide } from "./dialog.js";
import { button, chip, facts, heading, history, section, when } from "./pieces.js";
import { PAGE, pages, table } from "./letters.js";
import { planReplay } from "./plan.js";

export function group(desk, [id]) {
  const say = (what) => patch(`groups/${id}`, what).then(desk.refresh);

  const verdict = (status, title, text, action, done, needed = false) => () =>
    decide(title, text, action, (reason) => say({ status, reason }), { needed, done });

  const actions = (found) => !desk.mayChange() ? [] : [
    found.open ? button("Replay…", () => planReplay(desk, { group: found.id }, "Replay this group"), { symbol: "replays", kind: "primary", testid: "replay" }) : null,
    verdictOf(found) === "held" ? null : button("Hold…", verdict("held", "Hold the group",
      "Rules leave its letters alone, and no alert tells of it, until the status is taken back.", "Hold it", "The group is held"), { testid: "hold" }),
    found.status === "resolved" ? null : button("Resolved…", verdict("resolved", "Close the group as resolved",
      "Its letters stay as they are. It opens again if it comes back.", "Close it", "The group is resolved"), { symbol: "check", testid: "resolve" }),
    found.status === "discarded" ? null : button("Discard…", () => discard(found), { symbol: "discard", testid: "discard" }),
    verdictOf(found) ? button("Take back…", verdict("new", "Take the status back",
      "The group's status is again what its letters say.", "Take it back", "The status was taken back"), { symbol: "restore", testid: "restore" }) : null,
  ];

  /** Count first, then ask: its open letters are given up with it. */
  async function discard(found) {
    const some = { letters: { group: found.id } };
    const { total, busy } = await post("letters/discard", { ...some, dry_run: true });
    const left = busy ? ` ${letters(busy)} of it stay: they are part of a replay.` : "";
    decide("Discard the group", `${letters(total)} are given up with it.${left} All stay on record, and each can be restored.`, "Discard it", async (reason) => {
      await post("letters/discard", { ...some, reason });
      await say({ status: "discarded", reason });
    }, { needed: true, done: `${letters(total)} are discarded` });
  }

  /** What people said of it that still holds: a status may also be what its letters say. */
  function verdictOf(found) {
    const last = found.history.findLast((step) => ["held", "resolved", "discarded", "new", "reopened"].includes(step.action));
    return last && !["new", "reopened"].includes(last.action) ? last.action : null;
  }

  function notes(found) {
    if (!desk.mayChange()) return facts([["Owner", found.owner && h("bdi", {}, found.owner)], ["Note", found.note && h("span", { dir: "auto", class: "said" }, found.note)]]);
    const owner = h("input", { id: "owner", value: found.owner ?? "", maxlength: "128", dir: "auto", placeholder: "nobody yet", autocomplete: "off", data: { testid: "owner" } });
    const note = h("textarea", { id: "note", rows: 3, maxlength: "4000", dir: "auto", data: { testid: "note" } }, found.note ?? "");
    return h("form", { class: "notes", on: { submit: save } },
      h("label", { for: "owner" }, "Owner"),
      h("div", { class: "beside" }, owner, found.owner === name() ? null : button("Me", () => say({ owner: name() }), { kind: "soft" })),
      h("label", { for: "note" }, "Note"), note,
      h("button", { class: "plain", type: "submit", data: { testid: "save" } }, "Save"));
  }

  async function save(event) {
    event.preventDefault();
    const changed = ["owner", "note"].map($).filter((field) => field.value !== field.defaultValue);
    if (!changed.length) return;
    try {
      await say(Object.fromEntries(changed.map((field) => [field.id, field.value])));
      toast("Saved");
    } catch (error) {
      toast(error.message, { kind: "problem" });
    }
  }

  return {
    load: async (query) => {
      const [found, own] = await Promise.all([get(`groups/${id}`), get("letters", { group: id, before: query.before, limit: PAGE })]);
      return { found, own };
    },
    draw: ({ found, own }, query) => [
      heading(found.cause, { back: { href: hashOf(["groups"]), text: "Groups" }, beside: [chip(found.status)], actions: actions(found) }),
      h("p", { class: "lead", dir: "auto", data: { key: "message" } }, found.message || "without a message"),
      h("div", { class: "split", data: { key: "about" } },
        h("div", { class: "stack" }, section("chart", "Seven days", hours(found.hours),
          h("p", { class: "scale quiet" }, ...scale(Math.max(0, ...found.hours.map((x) => x.count)), new Date(Date.now() - 6048e5)).map((t) => h("span", {}, t)))),
          section("letters", "Its letters", table(own.items, { alike: true }), pages(own, query.before, (before) => turn({ ...query, before })))),
        h("div", { class: "stack" }, section("facts", "What died", facts([
          ["Queue", found.queue], ["Type", found.type ?? "no type"], ["In the code", found.where],
          ["Open", `${number(found.open)} of ${number(found.count)}`],
          ["Letters", Object.entries(found.counts).filter(([, n]) => n).map(([s, n]) => `${number(n)} ${s}`).join(", ")],
          ["First", when(found.first)], ["Last", when(found.last)], ["Group", h("code", {}, found.id)]])),
          section("notes", "Owner and note", notes(found)),
          found.history.length ? section("history", "History", history(found.history)) : null)),
    ],
  };
}
