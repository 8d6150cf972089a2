/** The rooms: those joined with what is unread in them, others to join, and a field that finds or creates one. */

import { hashOf, roomName } from "../router.js";
import { ago } from "../text.js";
import { $, arrange, h, setText } from "../shared/dom.js";

const OTHERS_SHOWN = 100;

export class RoomsView {
  #links = new Map(); // room → its item among the joined ones
  #others = new Map(); // room → its item among the others
  #open;
  #state = null;

  /** `open(name)` shows a room, joining it if need be. */
  constructor(open) {
    this.#open = open;
    const input = $("room-input");
    input.addEventListener("input", () => this.render(this.#state));
    $("room-form").addEventListener("submit", (event) => {
      event.preventDefault();
      const name = roomName(input.value.replace(/^\s*#\s*(?=\S)/, ""));
      if (!name) return;
      input.value = "";
      this.#open(name);
      this.render(this.#state);
    });
  }

  /** Draw `{rooms, active, directory}`. */
  render(state) {
    this.#state = state;
    const wanted = $("room-input").value.trim().replace(/^#/, "").toLowerCase();
    const matches = (name) => name.toLowerCase().includes(wanted);
    const joined = [...state.rooms.values()].filter((room) => matches(room.name));
    arrange($("rooms"), joined.map((room) => this.#link(room, room.name === state.active)));

    const others = state.directory
      .filter(({ room }) => !state.rooms.has(room) && matches(room))
      .sort((a, b) => (b.time ?? "").localeCompare(a.time ?? ""))
      .slice(0, OTHERS_SHOWN);
    arrange($("directory"), others.map((other) => this.#other(other)));
    $("directory-label").hidden = !others.length;
    const elsewhere = [...state.rooms.values()].some((room) => room.unread && room.name !== state.active);
    $("elsewhere").hidden = !elsewhere;
    $("sidebar-open").setAttribute("aria-label", elsewhere ? "Rooms, some with new messages" : "Rooms");
  }

  #link(room, active) {
    const item = this.#links.get(room.name) ?? this.#newLink(room.name);
    const link = item.firstChild;
    const [name, badge, words] = [link.children[1], link.children[2], link.children[3]];
    setText(name, room.name);
    setText(badge, room.unread > 99 ? "99+" : String(room.unread));
    badge.hidden = !room.unread;
    setText(words, room.unread ? `, ${room.unread} unread` : "");
    link.classList.toggle("has-unread", room.unread > 0);
    if (active) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
    return item;
  }

  #newLink(name) {
    const item = h("li", {}, h("a", { class: "room", href: hashOf(name), data: { testid: "room", room: name } },
      h("span", { class: "hash", "aria-hidden": "true" }, "#"), h("bdi"),
      h("span", { class: "badge", "aria-hidden": "true", data: { testid: "unread" } }), h("span", { class: "sr" })));
    // The address may name the room already while a panel covers it.
    item.firstChild.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      this.#open(name);
    });
    this.#links.set(name, item);
    return item;
  }

  #other({ room, time }) {
    let item = this.#others.get(room);
    if (!item) {
      item = h("li", {}, h("button", { class: "room", type: "button", data: { testid: "other-room", room }, on: {
        click: () => this.#open(room),
      } }, h("span", { class: "hash", "aria-hidden": "true" }, "#"), h("bdi", {}, room), h("span", { class: "quiet when" })));
      this.#others.set(room, item);
    }
    setText(item.querySelector(".when"), time ? ago(new Date(time)) : "");
    return item;
  }
}
