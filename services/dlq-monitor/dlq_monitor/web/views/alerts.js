/** Alerts, silences, and who is told. */

import { get, post } from "../api.js";
import { hashOf } from "../router.js";
import { h } from "../shared/dom.js";
import { toast } from "../shared/toasts.js";
import { decide, doing, field, open, reasonField } from "./dialog.js";
import { button, chip, heading, section, when } from "./pieces.js";

const PAST_EVERY = 10_000;
const PAST = 20;
/** Labels whose values are shown in a view of their own. */
const LEAD = { group: "groups", queue: "queues" };
const SPANS = { 900: "15 minutes", 3600: "an hour", 14400: "4 hours", 86400: "a day", 604800: "a week" };

const labelled = (labels) => Object.entries(labels).map(([name, value]) => `${name}=${value}`).join(", ");

export function alerts(desk) {
  let past = null;
  let pastAt = 0;

  function silence(alert) {
    const dialog = open("Silence", { testid: "silence-dialog" });
    const name = h("input", { value: alert?.alert ?? "", data: { testid: "silence-alert" }, autocomplete: "off" });
    const labels = h("input", { value: alert ? labelled(alert.labels) : "", autocomplete: "off", data: { testid: "silence-labels" } });
    const length = h("select", { data: { testid: "silence-seconds" } }, ...Object.entries(SPANS).map(([value, words]) => h("option", { value, selected: value === "3600" }, words)));
    const reason = reasonField(true);
    dialog.body.append(h("p", { class: "quiet" }, "What matches is not told until then. That something is over is always told."),
      field("Alert", name, "* stands for anything."), field("Only with", labels, "As in queue=chat.*, node=a; empty for all."),
      field("For", length), field("Why", reason, "It stays on record, with your name."));
    dialog.actions.append(doing(dialog, "Silence it", async () => {
      const pairs = labels.value.split(",").map((part) => part.split("=").map((x) => x.trim())).filter(([n]) => n);
      if (!reason.value.trim()) throw new Error("Say why");
      await post("silences", { alert: name.value, labels: Object.fromEntries(pairs.map(([n, ...rest]) => [n, rest.join("=")])),
        reason: reason.value.trim(), seconds: Number(length.value) });
      dialog.close();
      toast("It is silenced");
      desk.refresh();
    }));
    (alert ? reason : name).focus();
  }

  const item = (alert, ...more) =>
    h("li", { class: `alert ${alert.severity}`, data: { key: alert.id, testid: "alert", state: alert.state } },
      h("div", {}, h("p", { dir: "auto" }, h("b", {}, alert.summary)),
        h("p", { class: "quiet" }, alert.alert, ", ", when(alert.cleared ?? alert.raised ?? alert.since), ...Object.entries(alert.labels)
          .filter(([name]) => name in LEAD).flatMap(([name, value]) => [", ", h("a", { href: hashOf([LEAD[name], value]) }, name)]),
        alert.silence ? [" ", chip("silenced")] : null)), ...more);

  const list = (items, none, draw) => (items.length ? h("ul", { class: "alerts" }, ...items.map(draw)) : h("p", { class: "quiet" }, none));

  async function test(channel) {
    try {
      await post(`alerts/test/${channel}`);
      toast(`${channel} took the test`);
    } catch (error) {
      toast(error.message, { kind: "problem" });
    }
  }

  return {
    async load() {
      const renew = Date.now() - pastAt > PAST_EVERY;
      const [firing, pending, silences, channels, cleared] = await Promise.all([
        get("alerts"), get("alerts", { state: "pending" }), get("silences"), get("alerts/channels"),
        renew ? get("alerts", { state: "cleared", limit: PAST }) : past]);
      if (renew) [past, pastAt] = [cleared, Date.now()];
      return { firing: firing.items, pending: pending.items, silences: silences.items, channels: channels.items, cleared: cleared.items };
    },
    draw: ({ firing, pending, silences, channels, cleared }) => [
      heading("Alerts", { beside: [h("p", { class: "quiet" }, firing.length ? `${firing.length} firing` : "Nothing fires")],
        actions: [desk.mayChange() ? button("Silence…", () => silence(null), { testid: "new-silence" }) : null] }),
      h("div", { class: "split", data: { key: "all" } },
        h("div", { class: "stack" },
          section("firing", "Firing", list(firing, "All is quiet.", (a) =>
            item(a, desk.mayChange() && !a.silence ? button("Silence…", () => silence(a), { kind: "soft", testid: "silence" }) : null))),
          pending.length ? section("pending", "Beginning", list(pending, "", (a) => item(a))) : null,
          section("cleared", "Over", list(cleared, "Nothing yet.", (a) => item(a)))),
        h("div", { class: "stack" },
          section("silences", "Silences", list(silences, "None.", (s) =>
            h("li", { class: "alert", data: { key: s.id, testid: "silenced" } },
              h("div", {}, h("p", {}, h("b", {}, s.alert), " ", labelled(s.labels)), h("p", { dir: "auto" }, s.reason),
                h("p", { class: "quiet" }, "by ", h("bdi", {}, s.actor), ", ends ", when(s.until))),
              desk.mayChange() ? button("End…", () => decide("End the silence", "What still fires is told.", "End it",
                () => post(`silences/${s.id}/end`).then(desk.refresh), { done: "The silence is over" }), { kind: "soft", testid: "end-silence" }) : null))),
          section("channels", "Who is told", list(channels, "Nobody: no channel is set up.", (c) =>
            h("li", { class: `alert ${c.status}`, data: { key: c.name, testid: "channel" } },
              h("div", {}, h("p", {}, h("b", {}, c.name), c.waiting ? `, ${c.waiting} waiting` : ""), c.reason ? h("p", { class: "problem" }, c.reason) : h("p", { class: "quiet" }, "works")),
              desk.mayChange() ? button("Test", () => test(c.name), { kind: "soft" }) : null))))),
    ],
  };
}
