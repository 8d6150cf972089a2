/** The page: who is at the desk, which view is shown, and what is new in it. */

import { get } from "./api.js";
import { Poll } from "./poll.js";
import { hashOf, route } from "./router.js";
import { forget, mayChange, name, takeToken } from "./session.js";
import { $, h, icon, setText } from "./shared/dom.js";
import { morph } from "./shared/morph.js";
import { perTab } from "./shared/storage.js";
import { setUpTheme } from "./shared/theme.js";
import { alerts } from "./views/alerts.js";
import { group } from "./views/group.js";
import { groups } from "./views/groups.js";
import { letter } from "./views/letter.js";
import { letters } from "./views/letters.js";
import { queues } from "./views/queues.js";
import { replay, replays } from "./views/replays.js";
import { signIn } from "./views/welcome.js";
import { number } from "./words.js";

/** Views by the first part of the address: of all, and of one. */
const VIEWS = {
  groups: [groups, group],
  letters: [letters, letter],
  replays: [replays, replay],
  queues: [queues, queues],
  alerts: [alerts, alerts],
};
const TITLES = { groups: "Groups", letters: "Letters", replays: "Replays", queues: "Queues", alerts: "Alerts" };
const BADGES = { letters: "open", replays: "under way", alerts: "firing" };
const GONE = [404, 405, 422];

let shown = null; // the view, with its address
let summary = null;
let byLink = false; // else by the browser's own buttons
const places = new Map(); // how far views were scrolled when they were left

/** What views are given: they draw again, ask again, and know whether their user may change anything. */
const desk = {
  redraw: () => shown?.data && render(),
  refresh: () => poll.now(),
  go(path, query) {
    byLink = true;
    location.hash = hashOf(path, query);
  },
  mayChange,
  get summary() {
    return summary;
  },
};

const poll = new Poll({
  async ask() {
    const asked = shown;
    const [found, now] = await Promise.all([asked.view.load(asked.query).then(known, gone), get("summary")]);
    summary = now;
    if (asked !== shown) return;
    Object.assign(asked, found);
    render();
  },
  back() {
    $("connection").hidden = true;
    document.body.dataset.connection = "online";
    setText($("me-state"), "Live, every 2 s");
  },
  away(error, wait) {
    if (error.status === 401) leave(error.message);
    if (error.status === undefined) console.error(error); // ours
    $("connection").hidden = false;
    document.body.dataset.connection = "offline";
    setText($("me-state"), "Not live");
    const about = error.status ? error.message : "The service does not answer";
    setText($("connection-text"), `${about}. What you see may be old; next attempt in ${wait / 1000} s.`);
  },
});

const known = (data) => ({ data, gone: null });

/** What is asked for is not there: the view says so, and goes on asking. */
function gone(error) {
  if (!GONE.includes(error.status)) throw error;
  return { data: null, gone: error.message };
}

function follow() {
  const { path, query } = route();
  const key = path.join("/");
  if (!VIEWS[path[0]]) return location.replace(hashOf(["groups"]));
  if (shown?.key === key) {
    shown.query = query;
    desk.redraw();
  } else {
    const make = VIEWS[path[0]][path.length > 1 ? 1 : 0];
    if (shown) places.set(shown.key, $("scroller").scrollTop);
    shown = { key, path, query, view: make(desk, path.slice(1)), data: null, gone: null, arriving: shown !== null };
    morph($("view"), [h("p", { class: "quiet loading", data: { key: "loading" } }, "Loading…")]);
    $("view").dataset.view = path[0];
  }
  navigate();
  return poll.now();
}

function render() {
  const { view, data, query } = shown;
  const drawn = shown.gone
    ? [h("h1", { id: "title", tabindex: "-1" }, "Not here"), h("p", { class: "empty" }, `${capital(shown.gone)}.`)]
    : view.draw(data, query);
  morph($("view"), drawn.flat().filter(Boolean));
  if (shown.arriving) arrive();
  document.title = `${$("title")?.textContent ?? "Dead letters"} · Warren`;
  navigate();
}

/** A view is there for the first time: begin at its title, or, on the way back, where it was left. */
function arrive() {
  shown.arriving = false;
  $("title").focus({ preventScroll: true });
  $("scroller").scrollTop = byLink ? 0 : places.get(shown.key) ?? 0;
  byLink = false;
}

const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

function navigate() {
  const badges = { letters: summary?.open, replays: summary?.replays, alerts: summary?.alerts };
  const here = shown?.path[0];
  morph($("nav"), Object.entries(TITLES).map(([id, title]) =>
    h("a", { href: hashOf([id]), "aria-current": here === id ? "page" : null, data: { key: id, testid: `nav-${id}` } },
      icon(id), h("span", {}, title),
      badges[id] ? h("span", { class: id === "alerts" ? "badge bad" : "badge" }, compact(badges[id]), h("span", { class: "sr" }, ` ${BADGES[id]}`)) : null)));
}

const compact = (n) => (n > 9999 ? `${Math.floor(n / 1000)}k` : number(n));

function enter() {
  $("shell").hidden = false;
  setText($("me-name"), mayChange() ? name() : `${name() ?? "Reader"} (may read)`);
  addEventListener("hashchange", follow);
  follow();
  poll.start();
}

function leave(why = "") {
  poll.stop();
  forget();
  if (why) perTab.set("desk.why", why);
  location.reload();
}

takeToken();
setUpTheme();
$("sign-out").addEventListener("click", () => leave());
$("shell").addEventListener("click", (event) => (byLink = event.target.closest("a") !== null));
$("reconnect").addEventListener("click", () => poll.now());
$("skip").addEventListener("click", (event) => {
  event.preventDefault();
  $("title")?.focus();
});
signIn(enter);
