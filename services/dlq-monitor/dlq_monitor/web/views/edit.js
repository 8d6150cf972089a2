/** Edit a letter and send the edited one: fields first, then the plan with what has changed, then it is done. */

import { post } from "../api.js";
import { exact, pretty } from "../json.js";
import { h } from "../shared/dom.js";
import { toast } from "../shared/toasts.js";
import { doing, field, open, reasonField } from "./dialog.js";
import { button } from "./pieces.js";
import { way } from "./plan.js";

/** Properties that the service lets one change. */
const EDITABLE = ["type", "content_type", "content_encoding", "correlation_id", "reply_to", "app_id"];
const JSON_HINT = "JSON. Types that JSON has not are tagged, as in {\"$date\": …} or {\"$bytes\": …}.";

export function edit(desk, letter) {
  const dialog = open("Edit it and send it again", { wide: true, testid: "edit-dialog" });
  const before = {
    body: letter.body.encoding === "utf-8" ? pretty(letter.body.data) ?? letter.body.data : letter.body.data,
    headers: pretty(JSON.stringify(letter.editable.headers)),
  };
  const properties = EDITABLE.map((name) => [name, letter.properties[name] ?? "", h("input", { name, value: letter.properties[name] ?? "",
    maxlength: "255", autocomplete: "off", spellcheck: "false", data: { testid: `edit-${name}` } })]);
  const area = (name, rows) => {
    const element = h("textarea", { rows, spellcheck: "false", autocapitalize: "none", dir: "auto", data: { testid: `edit-${name}` } });
    element.value = before[name];
    return element;
  };
  const fields = { body: area("body", 12), headers: area("headers", 5) };
  const reason = reasonField();
  const binary = letter.body.encoding === "base64";
  const form = h("div", { class: "content" },
    field(binary ? "Body, in base64: it is not text" : "Body", fields.body),
    field("Headers", fields.headers, `${JSON_HINT} Warren's own and the broker's are not shown; they are made anew.`),
    h("details", {}, h("summary", {}, "Properties"), h("div", { class: "fields" }, ...properties.map(([name, , input]) => field(name, input)))),
    field("Why (if you like)", reason, "It stays on record, with your name."));

  /** What has changed, as the service takes it. */
  function changes() {
    const found = { reason: reason.value.trim() };
    if (fields.body.value !== before.body) found.body = { encoding: letter.body.encoding, data: fields.body.value };
    if (fields.headers.value !== before.headers) found.headers = parsed(fields.headers.value);
    const changed = properties.filter(([, was, input]) => input.value !== was);
    if (changed.length) found.properties = Object.fromEntries(changed.map(([name, , input]) => [name, input.value || null]));
    return found;
  }

  function showForm() {
    dialog.failed("");
    dialog.body.replaceChildren(form);
    dialog.actions.replaceChildren(dialog.actions.firstChild, doing(dialog, "Show the plan", showPlan, { testid: "show-plan" }));
  }

  async function showPlan() {
    const wanted = changes();
    if (Object.keys(wanted).length === 1) throw new Error("Nothing has been changed: to send it as it was, replay it");
    const { plan } = await post(`letters/${letter.id}/edit`, { ...wanted, dry_run: true });
    dialog.body.replaceChildren(
      h("ul", { class: "plan", data: { testid: "plan" } }, way({ ...plan, count: 1 }, desk.summary?.settle_seconds)),
      h("p", plan.checked ? {} : { class: "warn" }, plan.checked ? `It was checked: it is a right ${plan.checked}.` : "It could not be checked: no contract of Warren's has this type."),
      h("p", { class: "quiet" }, "It gets a new message id, and a header that names what it replaces. The original then can't be sent any more."),
      ...["body", "headers"].filter((name) => name in wanted).map((name) => change(name, before[name], fields[name].value)),
      ...properties.filter(([name]) => name in (wanted.properties ?? {})).map(([name, was, input]) => change(name, was, input.value)));
    dialog.actions.replaceChildren(dialog.actions.firstChild, button("Back", showForm, { kind: "soft" }),
      doing(dialog, "Send the edited one", async () => {
        const done = await post(`letters/${letter.id}/edit`, { ...wanted, dry_run: false });
        dialog.close();
        toast("The edited one was sent; its outcome is awaited");
        if (done.letter) desk.go(["letters", done.letter.id]);
        else desk.refresh();
      }));
    dialog.actions.lastChild.focus();
  }

  showForm();
  fields.body.focus();
  fields.body.setSelectionRange(0, 0);
}

const change = (name, was, is) => h("div", {}, h("h3", {}, `What changes in the ${name}`), difference(was, is));

function parsed(text) {
  try {
    return JSON.parse(text, exact);
  } catch (error) {
    throw new Error(`The headers are no JSON: ${error.message}`);
  }
}

/** The lines between the first and the last that differ: those that go, then those that come. */
function difference(before, after) {
  const [old, now] = [before.split("\n"), after.split("\n")];
  let [head, tail] = [0, 0];
  while (head < old.length && head < now.length && old[head] === now[head]) head += 1;
  while (tail < old.length - head && tail < now.length - head && old.at(-1 - tail) === now.at(-1 - tail)) tail += 1;
  const lines = (all, kind, mark) => all.slice(head, all.length - tail).slice(0, 200).map((l) => h(kind, {}, `${mark} ${l}\n`));
  return h("pre", { class: "code difference", dir: "auto" }, ...lines(old, "del", "−"), ...lines(now, "ins", "+"));
}
