/** All groups: what keeps dying, of what, and since when. */

import { get } from "../api.js";
import { hashOf } from "../router.js";
import { h } from "../shared/dom.js";
import { letters, number } from "../words.js";
import { bars } from "./chart.js";
import { asked, distinct, filtered, filters } from "./filters.js";
import { button, chip, empty, heading, when } from "./pieces.js";
import { planReplay } from "./plan.js";

const AT_ONCE = 100;

export function groups(desk) {
  let limit = AT_ONCE;

  const row = (group) =>
    h("tr", { data: { key: group.id, testid: "group", status: group.status } },
      h("td", { class: "about" },
        h("a", { class: "cover", href: hashOf(["groups", group.id]) }, h("b", { dir: "auto" }, group.cause)), " ",
        chip(group.status),
        h("p", { class: "message", dir: "auto" }, group.message || "without a message"),
        h("p", { class: "quiet where" }, group.queue, " · ", group.type ?? "no type", group.owner ? [" · ", h("bdi", { class: "owner" }, group.owner)] : null)),
      h("td", { class: "trend" }, bars(group.series)),
      h("td", { class: "figures" }, h("b", {}, number(group.open)), " open", h("span", { class: "quiet" }, `of ${number(group.count)}`)),
      h("td", { class: "times" }, when(group.last), h("span", { class: "quiet" }, "first ", when(group.first))));

  return {
    load: (query) => get("groups", { ...asked(query), limit }),
    draw(data, query) {
      const open = data.items.reduce((sum, g) => sum + g.open, 0);
      const known = { queue: distinct(data.items.map((g) => g.queue)), type: distinct(data.items.map((g) => g.type)),
        cause: distinct(data.items.map((g) => g.cause)) };
      const { status, ...rest } = query;
      const wanted = asked({ ...rest, status: ["new", "held", "retrying", "open"].includes(status) ? status : null });
      return [
        heading("Groups", {
          beside: [h("p", { class: "quiet" }, data.total ? `${number(data.total)} kinds of failure, ${letters(open)} open` : "")],
          actions: [desk.mayChange() && filtered(query) && open > 0
            ? button("Replay all of these…", () => planReplay(desk, wanted, "Replay what is filtered"), { symbol: "replays" }) : null],
        }),
        filters(query, known),
        data.items.length
          ? h("table", { class: "list groups", data: { key: "list" } },
            h("thead", {}, h("tr", {}, ...["Cause", "Seven days", "Letters", "Last"].map((t) => h("th", { scope: "col" }, t)))),
            h("tbody", {}, ...data.items.map(row)))
          : empty(filtered(query) ? "No groups of that kind." : "Nothing has died. All is well."),
        data.total > data.items.length
          ? h("p", { class: "more", data: { key: "more" } }, button(`${number(data.total - data.items.length)} more`, () => {
            limit += AT_ONCE;
            desk.refresh();
          }, { kind: "soft" })) : null,
      ];
    },
  };
}
