/** Letters as a list, the newest first; and the table that a group shows of its own. */

import { get } from "../api.js";
import { hashOf, turn } from "../router.js";
import { h } from "../shared/dom.js";
import { letters as counted, number } from "../words.js";
import { asked, distinct, filtered, filters } from "./filters.js";
import { button, chip, empty, heading, when } from "./pieces.js";
import { planReplay } from "./plan.js";

export const PAGE = 50;

export function letters(desk) {
  return {
    load: (query) => get("letters", { ...asked(query), before: query.before, limit: PAGE }),
    draw(data, query) {
      const known = { queue: distinct(data.items.map((x) => x.queue)), type: distinct(data.items.map((x) => x.type)),
        cause: distinct(data.items.map((x) => x.cause)) };
      const open = !query.status || ["new", "held", "retrying", "open"].includes(query.status);
      return [
        heading("Letters", {
          beside: [h("p", { class: "quiet" }, data.total ? counted(data.total) : "")],
          actions: [desk.mayChange() && open && data.total
            ? button(filtered(query) ? "Replay all of these…" : "Replay all…", () => planReplay(desk, asked(query), "Replay what is filtered"), { symbol: "replays" })
            : null],
        }),
        filters(query, known),
        data.items.length ? table(data.items) : empty("No letters of that kind."),
        pages(data, query.before, (before) => turn({ ...query, before })),
      ];
    },
  };
}

/** Letters as rows; those of one group need not say what they have in common. */
export const table = (items, { alike = false } = {}) =>
  h("table", { class: "list letters", data: { key: "letters" } },
    h("thead", {}, h("tr", {}, ...["Letter", "Queue and type", "Status", "Died"].map((t) => h("th", { scope: "col" }, t)))),
    h("tbody", {}, ...items.map((x) =>
      h("tr", { data: { key: x.id, testid: "letter", status: x.status } },
        h("td", {}, h("a", { class: "cover", href: hashOf(["letters", x.id]) }, alike ? h("code", {}, x.id.slice(0, 8)) : h("b", { dir: "auto" }, x.cause)),
          alike ? null : h("span", { class: "quiet id" }, x.id.slice(0, 8))),
        h("td", { class: "quiet where" }, alike ? x.message_id ?? "no message id" : `${x.queue} · ${x.type ?? "no type"}`),
        h("td", {}, chip(x.status)),
        h("td", { class: "times" }, when(x.time))))));

/** From one page to the next; `go` gets where it begins, null for the newest. */
export function pages(data, before, go) {
  if (!before && data.next === null) return null;
  return h("p", { class: "more", data: { key: "pages" } },
    before ? button("Newest", () => go(null), { kind: "soft" }) : null,
    data.next === null ? null : button(`Older (of ${number(data.total)})`, () => go(data.next), { kind: "soft", testid: "older" }));
}
