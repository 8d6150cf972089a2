/** The page: puts the client, the store and the views together. */

import { watchAttendance } from "./attendance.js";
import { Client, initialState } from "./client.js";
import { hashOf, roomInAddress } from "./router.js";
import { forget, isForeign, session } from "./session.js";
import { createStore } from "./state/store.js";
import { lasting, perTab } from "./shared/storage.js";
import { announce, renderTitle } from "./views/attention.js";
import { paint } from "./views/avatar.js";
import { ComposerView } from "./views/composer.js";
import { ConnectionView } from "./views/connection.js";
import { $, setText } from "./shared/dom.js";
import { LogView } from "./views/log.js";
import { Notifications } from "./views/notifications.js";
import { confirmDeleting } from "./views/deleting.js";
import { closeCovering, setUpPanels } from "./views/panels.js";
import { PeopleView } from "./views/people.js";
import { setUpProfile } from "./views/profile.js";
import { RoomsView } from "./views/rooms.js";
import { setUpTheme } from "./shared/theme.js";
import { toast } from "./shared/toasts.js";
import { renderTyping } from "./views/typing.js";
import { showWelcome } from "./views/welcome.js";

const DEFAULT_ROOM = "general";
const DIRECTORY_EVERY = 30_000;
const finePointer = matchMedia("(hover: hover) and (pointer: fine)");

const store = createStore(initialState);
const client = new Client(store, toast);
const active = () => store.get().active;

const log = new LogView({
  loadEarlier: () => client.loadEarlier(active()),
  retry: (room, id) => client.retry(room, id),
  discard: (room, id) => client.discard(room, id),
  edit: (seq, body) => composer.edit(seq, body),
  remove,
  seen: (room, how) => client.seen(room, how),
});
const composer = new ComposerView({
  say(body) {
    client.say(active(), body);
    log.toEnd();
  },
  change: (seq, body) => client.change(active(), seq, body),
  remove: (seq) => remove(active(), seq),
  editing: (seq) => log.editing(seq),
  editLast: () => log.editLast(),
  typing: () => client.typing(active()),
  scroll: (pages) => log.scrollBy(pages),
});
const rooms = new RoomsView(go);
const people = new PeopleView();
const connection = new ConnectionView({ reconnect: () => client.reconnect(), signIn });
const notifications = new Notifications(go);

/** Show a room: the address changes, and the page follows the address. */
function go(name) {
  closeCovering();
  if (location.hash === hashOf(name)) follow();
  else location.hash = hashOf(name);
}

function follow() {
  const name = roomInAddress() ?? lasting.get("active") ?? DEFAULT_ROOM;
  if (roomInAddress() === null) history.replaceState(null, "", hashOf(name));
  client.open(name);
  if (finePointer.matches) composer.focus();
  else $("room-title").focus();
}

function remove(room, seq) {
  confirmDeleting(() => client.change(room, seq, null));
}

function leave() {
  if (active() === null) return;
  const next = client.leave(active());
  go(next ?? DEFAULT_ROOM);
}

/** Alt and an arrow: the room above or below. */
function step(direction) {
  const names = [...store.get().rooms.keys()];
  if (names.length > 1) go(names.at((names.indexOf(active()) + direction) % names.length));
}

function draw(now, before) {
  const [room, was] = [now.rooms.get(now.active) ?? null, before.rooms.get(before.active) ?? null];
  const [history, past] = [now.history[now.active], before.history[before.active]];
  if (now.active === null && now.rooms.size) go(now.rooms.keys().next().value); // the room refused us
  if (now.connection !== before.connection) connection.render(now.connection, isForeign());
  if (now.me !== before.me && now.me) {
    paint($("me").querySelector(".avatar"), now.me);
    setText($("me-name"), now.me.name);
  }
  if (now.rooms !== before.rooms || now.active !== before.active) renderTitle(now);
  if (now.rooms !== before.rooms || now.active !== before.active || now.directory !== before.directory) rooms.render(now);
  if (now.active !== before.active) setText($("room-name"), now.active ?? "");
  composer.render(now.active, now.limits.body_bytes ?? 0);
  const idle = now.connection.name === "stopped" || now.connection.name === "offline";
  $("loading").hidden = !room || room.next !== null || room.pending.length > 0 || idle;
  if (room !== was || now.me !== before.me || history !== past) log.render(room, now.me, history);
  people.render(room, now.me);
  renderTyping(room);
  announce(room, was);
  notifications.update(now, before);
}

function enter() {
  perTab.remove("sign-in");
  $("shell").hidden = false;
  client.start(roomInAddress() ?? lasting.get("active") ?? DEFAULT_ROOM);
  follow();
  addEventListener("hashchange", follow);
  watchAttendance((status) => client.attend(status));
  setInterval(() => document.hidden || client.refreshDirectory(), DIRECTORY_EVERY);
}

/** A token that was pasted cannot be renewed here: ask for another; rooms, drafts and what is not sent yet are kept. */
function signIn() {
  forget();
  perTab.set("sign-in", "token");
  location.reload();
}

function signOut() {
  forget();
  for (const name of ["rooms", "active"]) lasting.remove(name);
  for (const name of ["outbox", "drafts"]) perTab.remove(name);
  location.reload();
}

store.subscribe(draw);
setUpTheme();
setUpPanels();
setUpProfile({ rename: (name) => client.rename(name), signOut, me: () => store.get().me });
$("leave").addEventListener("click", leave);
$("skip").addEventListener("click", (event) => {
  event.preventDefault();
  composer.focus();
});
document.addEventListener("keydown", (event) => {
  if (event.altKey && (event.key === "ArrowUp" || event.key === "ArrowDown")) {
    event.preventDefault();
    step(event.key === "ArrowUp" ? -1 : 1);
  } else if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
    event.preventDefault();
    if ($("sidebar").classList.contains("open")) $("room-input").focus();
    else $("sidebar-open").click();
  }
});
if (session()) enter();
else showWelcome(enter, { again: perTab.get("sign-in") === "token" });
