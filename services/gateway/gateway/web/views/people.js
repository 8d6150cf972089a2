/** Who is here, and who was a while ago: a live list, and the number of those here in the header of the room. */

import { paint } from "./avatar.js";
import { $, arrange, h, setText } from "../shared/dom.js";
import { ago, fullTime } from "../text.js";

const WORDS_EVERY = 30_000; // milliseconds: "5 min ago" grows old
const ORDER = { online: 0, away: 1, offline: 2 };
const byName = new Intl.Collator(undefined, { sensitivity: "base", numeric: true });

export class PeopleView {
  #items = new Map(); // user id → item
  #drawn = null; // the members as drawn
  #gone = null; // those who are gone as drawn

  constructor() {
    setInterval(() => this.#items.forEach(say), WORDS_EVERY);
  }

  /** Draw the members of a room (null: none); `me` is the own user. */
  render(room, me) {
    const count = room?.count ?? 0;
    setText($("people-count"), count > 999 ? "999+" : String(count));
    setText($("people-label-count"), count ? String(count) : "");
    const label = `${count} ${count === 1 ? "person" : "people"} here`;
    $("people-toggle").setAttribute("aria-label", label);
    $("people-toggle").title = label;
    const hidden = room && room.rev !== null && room.members === null && count > 0;
    $("people-note").hidden = !hidden;
    setText($("people-note"), hidden ? `${count} people are here. In a room this large they are not listed.` : "");
    if (room?.members === this.#drawn && room?.gone === this.#gone) return;
    this.#drawn = room?.members;
    this.#gone = room?.gone;
    this.#list([...(room?.members?.values() ?? []), ...(room?.gone ?? [])], me);
  }

  #list(members, me) {
    members.sort((a, b) => ORDER[a.status] - ORDER[b.status] || byName.compare(a.name, b.name) || (a.id < b.id ? -1 : 1));
    const shown = new Set(members.map((member) => member.id));
    for (const id of this.#items.keys()) if (!shown.has(id)) this.#items.delete(id);
    arrange($("members"), members.map((member) => this.#item(member, member.id === me?.id)));
  }

  #item(member, own) {
    let item = this.#items.get(member.id);
    if (!item) {
      item = h("li", { class: "member", data: { testid: "member", user: member.id } },
        h("span", { class: "face" }, h("span", { class: "avatar", "aria-hidden": "true" }), h("span", { class: "status" })),
        h("bdi", { data: { testid: "member-name" } }), own && h("span", { class: "you" }, "you"), h("span", { class: "seen", data: { testid: "seen" } }));
      this.#items.set(member.id, item);
    }
    if (item.dataset.name !== member.name) paint(item.querySelector(".avatar"), member);
    item.dataset.name = member.name;
    item.dataset.status = member.status;
    setText(item.querySelector("bdi"), member.name);
    item.dataset.seen = member.seen ?? "";
    say(item);
    return item;
  }
}

/** How one is, in words: those who listen hear it of all, those who look see it of those who are not online. */
function say(item) {
  const { status, seen } = item.dataset;
  const words = item.lastChild;
  words.className = status === "online" ? "sr" : "seen";
  words.title = seen && fullTime(new Date(seen));
  const last = seen && ago(new Date(seen));
  setText(words, (status === "online" ? ", online" : status) + (last && `, last seen ${last === "now" ? "just now" : last}`));
}
