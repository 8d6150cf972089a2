/** Replays: how far they are and what became of their letters. */

import { get, post } from "../api.js";
import { hashOf } from "../router.js";
import { h } from "../shared/dom.js";
import { letters, number } from "../words.js";
import { progress, swatch } from "./chart.js";
import { decide } from "./dialog.js";
import { button, chip, empty, facts, heading, section, when } from "./pieces.js";

const ENDED = ["done", "cancelled", "stopped"];
const KINDS = ["resolved", "awaited", "returned", "refused"];
const WORDS = {
  running: "It sends.", settling: "All is sent; what becomes of it is awaited.", done: "It is over.",
  cancelled: "Someone stopped it. It can go on.", stopped: "It stopped by itself. It can go on.",
};

/** Which letters, in words. */
function which(chosen) {
  if (chosen.all) return "all open letters";
  if (chosen.ids) return letters(chosen.ids.length);
  return Object.entries(chosen).map(([name, value]) => `${name} ${value}`).join(", ");
}

/** What became of its letters as one bar. */
function bar(replay) {
  const words = KINDS.filter((k) => replay[k]).map((k) => `${number(replay[k])} ${k}`).join(", ");
  return progress(KINDS.map((kind) => [kind, replay[kind]]), replay.total,
    `${number(replay.sent)} of ${number(replay.total)} sent; ${words || "nothing seen yet"}`);
}

const figures = (r) => h("p", { class: "quiet counts" }, h("b", {}, number(r.sent)), ` of ${number(r.total)} sent`, ...[
  [r.resolved, "resolved"], [r.awaited, "awaited"], [r.returned, "died again"], [r.refused, "could not be sent"]]
  .filter(([n]) => n).flatMap(([n, word]) => [", ", h("b", {}, number(n)), ` ${word}`]));

function actions(desk, replay) {
  if (!desk.mayChange()) return [];
  const act = (what) => (reason) => post(`replays/${replay.id}/${what}`, { reason }).then(desk.refresh);
  if (replay.state === "running") {
    return [button("Cancel…", () => decide("Stop the replay", "It sends no more. What was sent is sent; it can go on later.", "Stop it", act("cancel"),
      { done: "The replay is stopped" }), { symbol: "close", testid: "cancel" })];
  }
  if (["cancelled", "stopped"].includes(replay.state)) {
    return [button("Resume…", () => decide("Go on", `It sends the ${letters(replay.total - replay.sent)} that are left.`, "Go on", act("resume"),
      { done: "The replay goes on" }), { symbol: "replays", kind: "primary", testid: "resume" })];
  }
  return [];
}

export function replays(desk) {
  return {
    load: () => get("replays"),
    draw: (data) => [
      heading("Replays", { beside: [h("p", { class: "quiet" }, "Begin one from a group, or from a filter.")] }),
      data.items.length
        ? h("table", { class: "list replays", data: { key: "list" } },
          h("thead", {}, h("tr", {}, ...["Letters", "Progress", "State", "Begun"].map((t) => h("th", { scope: "col" }, t)))),
          h("tbody", {}, ...data.items.map((r) =>
            h("tr", { data: { key: r.id, testid: "replay-row" } },
              h("td", {}, h("a", { class: "cover", href: hashOf(["replays", r.id]) }, h("b", {}, which(r.letters))), h("p", { class: "quiet" }, h("bdi", {}, r.actor), r.reason ? `: ${r.reason}` : "")),
              h("td", { class: "wide" }, bar(r), figures(r)), h("td", {}, chip(r.state)), h("td", { class: "times" }, when(r.made))))))
        : empty("Nothing was replayed yet."),
    ],
  };
}

export function replay(desk, [id]) {
  return {
    load: () => get(`replays/${id}`),
    draw: (r) => [
      heading(`Replay of ${which(r.letters)}`, { back: { href: hashOf(["replays"]), text: "Replays" }, beside: [chip(r.state)], actions: actions(desk, r) }),
      h("div", { class: `state ${r.state}`, role: "status", data: { key: "state", testid: "state", status: r.state } }, h("p", {}, WORDS[r.state], r.why ? ` ${r.why}` : "")),
      section("progress", "Progress", bar(r), figures(r),
        h("p", { class: "legend quiet" }, ...KINDS.map((k) => h("span", {}, swatch(k), k)))),
      section("how", "How", facts([
        ["Asked by", h("bdi", {}, r.actor)], ["Why", r.reason && h("span", { dir: "auto" }, r.reason)], ["Letters", r.letters.group
          ? h("a", { href: hashOf(["groups", r.letters.group]) }, `group ${r.letters.group}`) : which(r.letters)],
        ["To", r.to ? `exchange ${r.to.exchange || "(default)"}, key ${r.to.key}` : "the queues they died in"], ["Pace", r.rate ? `${r.rate} a second` : "full speed"],
        ["Canary", r.canary ? "one first, until its effect was seen" : "none"], ["Stops after", `${number(r.max_failures)} failures`],
        ["Begun", when(r.made)], ["Ended", ENDED.includes(r.state) && r.ended ? when(r.ended) : null]])),
    ],
  };
}
