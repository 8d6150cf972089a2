/** Replay: what would go where is shown first, then it is done. */

import { post } from "../api.js";
import { h } from "../shared/dom.js";
import { toast } from "../shared/toasts.js";
import { letters, number } from "../words.js";
import { doing, field, open, reasonField } from "./dialog.js";

/** How the effect of what goes to a queue will be seen. */
export const outcome = (kind, settle) =>
  kind === "fact"
    ? "It counts as resolved when an event names it as its cause."
    : `It counts as resolved when its queue was seen empty and it has not died again for ${settle} s.`;

export const ATLEASTONCE =
  "At least once: its consumer is not Warren's, and nobody vouches that a second arrival does nothing.";

/** One line of a plan: how many of what go where. */
export function way(part, settle) {
  const to = part.queue ? ["queue ", h("b", {}, part.queue)] : ["exchange ", h("b", {}, part.exchange || "(default)"), part.key ? ` with key ${part.key}` : null];
  return h("li", {},
    h("p", {}, h("b", {}, letters(part.count)), " of ", h("b", {}, part.type ?? "no type"), " → ", ...to,
      part.queue && part.exchange ? h("span", { class: "quiet" }, ` through ${part.exchange}`) : null),
    h("p", { class: "quiet" }, outcome(part.outcome, settle)),
    part.at_least_once ? h("p", { class: "warn" }, ATLEASTONCE) : null);
}

const plan = (parts, settle) => h("ul", { class: "plan", data: { testid: "plan" } }, ...parts.map((p) => way(p, settle)));

/** Plan a replay of many letters, let its pace be chosen, begin it, and go where it can be watched. */
export async function planReplay(desk, which, title) {
  const given = Object.fromEntries(Object.entries(which).filter(([, value]) => value));
  const chosen = Object.keys(given).length ? given : { all: true };
  const dialog = open(title, { wide: true, testid: "replay-dialog" });
  dialog.body.append(h("p", { class: "quiet" }, "Making the plan…"));
  let found;
  try {
    found = (await post("replays", { letters: chosen, dry_run: true })).plan;
  } catch (error) {
    dialog.body.replaceChildren();
    return dialog.failed(`${error.message}.`);
  }
  const reason = reasonField();
  const rate = h("input", { type: "number", min: "0.1", step: "any", placeholder: "full speed", data: { testid: "rate" } });
  const failures = h("input", { type: "number", min: "0", step: "1", value: "10", data: { testid: "max-failures" } });
  const canary = h("input", { type: "checkbox", checked: true, data: { testid: "canary" } });
  const left = [
    found.busy ? `${letters(found.busy)} left out: they are part of another replay.` : "",
    found.unsendable ? `${letters(found.unsendable)} left out: it is not known which queue they died in.` : "",
  ].filter(Boolean);
  dialog.body.replaceChildren(
    found.total ? plan(found.parts, desk.summary?.settle_seconds) : h("p", {}, "There is nothing to send: no open letters of that kind."),
    ...left.map((text) => h("p", { class: "warn" }, text)));
  if (!found.total) return undefined;
  dialog.body.append(
    h("p", { class: "quiet" }, "What arrives from now on is not part of it. Each room's letters go in their first order."),
    h("div", { class: "fields" },
      field("Letters a second", rate, "Empty: as fast as it goes."),
      field("Stop after failures", failures, "More than so many that die again.")),
    h("label", { class: "check" }, canary, h("span", {}, "Send one first, and go on when its effect was seen")),
    field("Why (if you like)", reason, "It stays on record, with your name."));
  dialog.actions.append(doing(dialog, `Send ${letters(found.total)}`, async () => {
    const { replay } = await post("replays", {
      letters: chosen, reason: reason.value.trim(), canary: canary.checked, max_failures: Number(failures.value || 0),
      rate: rate.value ? Number(rate.value) : null,
    });
    dialog.close();
    toast(`${number(replay.total)} are on their way`);
    desk.go(["replays", replay.id]);
  }));
  return reason.focus();
}

/** Plan the replay of one letter, and send it. */
export async function planOne(desk, letter) {
  const dialog = open("Send it again", { testid: "replay-dialog" });
  dialog.body.append(h("p", { class: "quiet" }, "Making the plan…"));
  try {
    const { plan: found } = await post("replays", { letters: { ids: [letter.id] }, dry_run: true });
    if (!found.total) throw new Error(found.busy ? "It is part of a replay that is under way" : "It is not known which queue it died in");
    dialog.body.replaceChildren(plan(found.parts, desk.summary?.settle_seconds),
      h("p", { class: "quiet" }, "It goes as it was, with the same message id: a consumer that has done its work already does nothing."));
  } catch (error) {
    dialog.body.replaceChildren();
    return dialog.failed(`${error.message}.`);
  }
  const reason = reasonField();
  dialog.body.append(field("Why (if you like)", reason, "It stays on record, with your name."));
  dialog.actions.append(doing(dialog, "Send it", async () => {
    await post(`letters/${letter.id}/replay`, { reason: reason.value.trim() });
    dialog.close();
    toast("It was sent; its outcome is awaited");
    desk.refresh();
  }));
  return reason.focus();
}
