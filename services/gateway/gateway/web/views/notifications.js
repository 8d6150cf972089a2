/**
 * The system's notifications of what others say while one looks elsewhere: off until a person turns them on, one for
 * each room, gone when the room is read.
 */

import { looking } from "../attendance.js";
import { $, setText } from "../shared/dom.js";
import { lasting } from "../shared/storage.js";
import { heard } from "../state/room.js";

const LINES = 3; // of the latest messages of a room
const LETTERS = 150; // of each
const NOTES = {
  on: "You are told of new messages while you look elsewhere.",
  off: "Be told of new messages while you look elsewhere.",
  default: "Your browser has not allowed them yet. Try again, and allow them when it asks.",
  denied: "Your browser forbids them here. Allow notifications for this address in its settings, then try again.",
  insecure: "Browsers show them only for pages that come over HTTPS.",
  missing: "This browser shows none for this page.",
};

export class Notifications {
  #open;
  #shown = new Map(); // room → {notification, lines, count}
  #problem = null; // the key of a note

  /** `open(room)` shows a room. */
  constructor(open) {
    this.#open = open;
    $("notify").addEventListener("click", () => this.#toggle());
    $("me").addEventListener("click", () => this.#draw());
    this.#draw();
  }

  /** Tell what is new between two states of the page, and take back what was read meanwhile. */
  update(now, before) {
    for (const name of this.#shown.keys()) if (!now.rooms.get(name)?.unread) this.#take(name);
    if (now.rooms === before.rooms || looking() || !isOn()) return;
    for (const [name, room] of now.rooms) {
      const fresh = heard(room, before.rooms.get(name)).filter((e) => e.seq > room.read && !room.amended.has(e.seq));
      if (fresh.length) this.#tell(name, fresh);
    }
  }

  #tell(name, entries) {
    const shown = this.#shown.get(name) ?? { lines: [], count: 0 };
    const lines = entries.map(({ user, body }) => `\u2068${user.name}\u2069: ${body.slice(0, LETTERS)}`);
    const count = shown.count + lines.length;
    const latest = [...shown.lines, ...lines].slice(-LINES);
    const title = count > 1 ? `#${name}: ${count} new messages` : `#${name}`;
    const notification = show(title, latest.join("\n"), name);
    if (!notification) return;
    this.#shown.set(name, { notification, lines: latest, count });
    notification.onclose = () => this.#shown.get(name)?.notification === notification && this.#shown.delete(name);
    notification.onclick = () => {
      window.focus();
      this.#open(name);
      this.#take(name);
    };
  }

  #take(name) {
    const { notification } = this.#shown.get(name);
    this.#shown.delete(name);
    notification.close();
  }

  async #toggle() {
    this.#problem = null;
    if (isOn()) lasting.remove("notify");
    else this.#problem = await turnOn();
    this.#draw();
  }

  #draw() {
    const on = isOn();
    $("notify").setAttribute("aria-checked", String(on));
    setText($("notify-note"), NOTES[on ? "on" : this.#problem ?? "off"]);
  }
}

const isOn = () => lasting.get("notify", false) && window.Notification?.permission === "granted";

/** Ask the browser; returns null if they are on now, else the key of a note that says why not. */
async function turnOn() {
  if (!isSecureContext) return "insecure";
  if (!window.Notification) return "missing";
  const permission = await Notification.requestPermission();
  if (permission !== "granted") return permission;
  if (!show("Notifications are on", NOTES.on, "")) return "missing";
  lasting.set("notify", true);
  return null;
}

/** A notification that takes the place of the one before in this room; null where pages may show none (some phones). */
function show(title, body, room) {
  try {
    return new Notification(title, { body, tag: `warren ${room}`, icon: "web/shared/icon.svg" });
  } catch {
    return null;
  }
}
