/** Queues and the broker: how much waits, where it grows, who takes it. */

import { get } from "../api.js";
import { hashOf } from "../router.js";
import { h } from "../shared/dom.js";
import { bytes, number, rate, span } from "../words.js";
import { depths, line, scale } from "./chart.js";
import { empty, heading, section } from "./pieces.js";

const ARROW = { rising: " ↗", falling: " ↘", steady: "", unknown: "" };
const RANGES = { 600: "10 minutes", 3600: "an hour", 21600: "6 hours" };

export function queues(desk, [name]) {
  const row = (q) =>
    h("tr", { class: q.growing ? "growing" : q.depth ? "" : "idle", data: { key: q.name, testid: "queue" } },
      h("td", {}, h("a", { class: "cover", href: hashOf(["queues", q.name]) }, q.name), q.delay ? h("span", { class: "quiet" }, " delay") : null),
      h("td", { class: "trend" }, q.recent.some(Boolean) ? line(q.recent) : null),
      h("td", { class: "n" }, h("b", {}, number(q.depth))),
      h("td", { class: "n wide" }, q.unacked === null ? "–" : number(q.unacked)),
      h("td", { class: q.consumers || q.delay ? "n wide" : "n wide none" }, number(q.consumers)),
      h("td", { class: "n wide" }, rate(q.rate_in) + ARROW[q.trend_in]),
      h("td", { class: "n wide" }, rate(q.rate_out) + ARROW[q.trend_out]),
      h("td", { class: "oldest" }, q.oldest_seconds === null ? "–" : `${q.oldest_by === "at least" ? "≥ " : ""}${span(q.oldest_seconds)}`),
      h("td", { class: "quiet estimate", title: q.estimate }, outlook(q)));

  /** What becomes of it at present rates. */
  function outlook(q) {
    if (!q.depth) return "empty";
    if (q.growth === null) return "too early to say";
    if (q.drain_seconds !== null) return `empty in ${span(q.drain_seconds)}`;
    return q.growing ? `grows, full in ${span(q.limit_seconds)}` : "does not get shorter";
  }

  const broker = (data) => {
    const troubles = [
      ...data.broker.alarms.map((a) => `${a.resource} alarm on ${a.node}: the broker takes nothing from publishers.`),
      ...data.broker.blocked.map((b) => `The broker does not read from ${b}.`),
      ...data.missing.map((q) => `The queue ${q} does not exist.`),
      data.management === "ok" ? "" : `Its management API tells nothing (${data.management}): only depths and consumers of Warren's queues are known.`,
      data.left_out ? `${number(data.left_out)} queues are not watched: there are too many.` : "",
    ].filter(Boolean);
    return section("broker", `Broker${data.broker.version ? `, RabbitMQ ${data.broker.version}` : ""}`,
      troubles.length ? h("ul", {}, ...troubles.map((t) => h("li", { class: "warn" }, t))) : h("p", { class: "fine" }, "It is well: no alarms, nothing blocked."),
      ...data.broker.nodes.map((n) => h("p", { class: n.running ? "quiet" : "warn" }, [n.name, n.running ? "runs" : "is down",
        n.memory === null ? "" : `memory ${bytes(n.memory)} of ${bytes(n.memory_limit ?? 0)}`,
        n.disk_free === null ? "" : `disk ${bytes(n.disk_free)} free, needs ${bytes(n.disk_limit ?? 0)}`].filter(Boolean).join(", "))));
  };

  const chosen = (history, query) => section("history", "Depth",
    h("p", { class: "ranges" }, ...Object.entries(RANGES).map(([seconds, words]) =>
      h("a", { href: hashOf(["queues", name], { seconds }), "aria-current": (query.seconds ?? "3600") === seconds ? "true" : null }, words))),
    history ? [depths(history.samples), h("p", { class: "scale quiet" },
      ...scale(Math.max(0, ...history.samples.map((s) => s.ready + (s.unacked ?? 0))), history.samples[0]?.time).map((t) => h("span", {}, t)))]
      : h("p", { class: "quiet" }, "This queue is not watched."));

  return {
    async load(query) {
      const past = name ? get(`queues/${encodeURIComponent(name)}/history`, { seconds: query.seconds ?? 3600 }).catch((e) => {
        if (e.status !== 404) throw e;
        return null;
      }) : null;
      const [now, history] = await Promise.all([get("queues"), past]);
      return { now, history };
    },
    draw({ now, history }, query) {
      const items = [...now.items].sort((a, b) => b.growing - a.growing || (b.depth > 0) - (a.depth > 0) || a.name.localeCompare(b.name, "en", { numeric: true }));
      const waiting = now.items.reduce((sum, q) => sum + q.depth, 0);
      return [
        heading(name ?? "Queues", { back: name ? { href: hashOf(["queues"]), text: "All queues" } : null,
          beside: [h("p", { class: "quiet" }, `${number(items.length)} queues, ${number(waiting)} messages`)] }),
        name ? chosen(history, query) : null,
        broker(now),
        items.length
          ? h("div", { class: "scrolls", tabindex: "0", role: "region", "aria-label": "Queues", data: { key: "list" } }, h("table", { class: "list queues" },
            h("thead", {}, h("tr", {}, ...["Queue", "Ten minutes", "Depth", "Unacked", "Consumers", "In/s", "Out/s", "Oldest", "At present rates"]
              .map((t) => h("th", { scope: "col" }, t)))),
            h("tbody", {}, ...items.map(row))))
          : empty("No queue was seen yet."),
      ];
    },
  };
}
