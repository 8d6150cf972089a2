/** Filters in plain words; they live in the address, so a list can be kept and sent to someone. */

import { requery } from "../router.js";
import { h } from "../shared/dom.js";
import { button } from "./pieces.js";

export const SINCE = { "": "ever", "15m": "15 minutes ago", "1h": "an hour ago", "6h": "6 hours ago", "1d": "a day ago", "7d": "a week ago" };
const SECONDS = { m: 60, h: 3600, d: 86400 };
const STATUSES = {
  "": "any status", open: "open", new: "new", held: "held", retrying: "retrying", replayed: "replayed", resolved: "resolved",
  returned: "returned", discarded: "discarded", replaced: "replaced", edited: "edited",
};

/** The query to ask the service with: what `since` means now. */
export function asked(query) {
  const [, count, unit] = /^(\d+)([mhd])$/.exec(query.since ?? "") ?? [];
  const since = count ? new Date(Date.now() - count * SECONDS[unit] * 1000).toISOString() : null;
  return { queue: query.queue, type: query.type, cause: query.cause, group: query.group, status: query.status, since };
}

/** Whether anything is filtered. */
export const filtered = (query) => Object.values(asked(query)).some(Boolean);

/** The line of filters; `known` are values to choose from: `{queue: […], type: […], cause: […]}`. */
export function filters(query, known) {
  let typing = 0;
  const change = (name) => (event) => {
    clearTimeout(typing);
    const value = event.target.value.trim();
    const apply = () => requery({ ...query, before: null, [name]: value });
    if (event.type === "input") typing = setTimeout(apply, 300);
    else apply();
  };
  const text = (name, label, hint) =>
    h("label", { class: "filter" }, h("span", {}, label),
      h("input", { name, value: query[name] ?? "", placeholder: hint, list: `known-${name}`, autocomplete: "off",
        spellcheck: "false", autocapitalize: "none", data: { testid: `filter-${name}` }, on: { input: change(name) } }),
      h("datalist", { id: `known-${name}` }, ...(known[name] ?? []).map((value) => h("option", { value }))));
  const choice = (name, label, values) =>
    h("label", { class: "filter" }, h("span", {}, label),
      h("select", { name, data: { testid: `filter-${name}` }, on: { change: change(name) } },
        ...Object.entries(values).map(([value, words]) => h("option", { value, selected: (query[name] ?? "") === value }, words))));
  return h("form", { class: "filters", role: "search", "aria-label": "Filters", data: { key: "filters" },
    on: { submit: (event) => event.preventDefault() } },
    text("queue", "Queue", "any, or chat.*"),
    text("type", "Type", "any, or message.*"),
    text("cause", "Cause", "any, or Timeout"),
    choice("status", "Status", STATUSES),
    choice("since", "Since", SINCE),
    filtered(query) ? button("Clear", () => requery({}), { kind: "soft" }) : null);
}

/** Values without repeats, in order. */
export const distinct = (values) => [...new Set(values.filter(Boolean))].sort();
