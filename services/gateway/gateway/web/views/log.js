/**
 * The messages of the active room: a window of rows over the room's entries, so that ten thousand messages cost
 * as little as a hundred. Rows are added and taken away at its ends; only what changed is drawn anew.
 */

import { looking } from "../attendance.js";
import { entryAt, firstSeq, firstUnread } from "../state/room.js";
import { dayKey } from "../text.js";
import { $ } from "../shared/dom.js";
import { setUpChoosing } from "./choosing.js";
import { drawNewest, drawTop } from "./ends.js";
import { entryRow } from "./message.js";
import { WaitingView } from "./waiting.js";

const FIRST_WINDOW = 60; // rows
const STEP = 50;
const MOST = 350;
const NEAR = 600; // pixels from an end at which the window grows
const AHEAD = 100; // rows above the window that are fetched before they are needed
const AT_END = 60; // pixels from the end that still count as the end

export class LogView {
  #actions;
  #scroller = $("scroller");
  #list = $("log");
  #waiting = new WaitingView();
  #room = null; // as drawn
  #me = null;
  #rows = new Map(); // seq → row
  #from = 0; // the window is [from, to)
  #to = 0;
  #unreadFrom = null; // the first entry that was unread when the room was opened
  #follow = true;
  #history = undefined;
  #editing = null; // the seq of the message that is being changed
  #day = "";

  /** `actions`: `loadEarlier()`, `retry`, `discard`, `edit`, `remove` (room first, see `entryRow`), `seen(room, how)`. */
  constructor(actions) {
    this.#actions = actions;
    this.#scroller.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    $("newest").addEventListener("click", () => this.toEnd());
    $("earlier").addEventListener("click", () => actions.loadEarlier());
    setUpChoosing(this.#list);
    const pin = new ResizeObserver(() => this.#follow && this.#pin());
    for (const element of [this.#scroller, this.#list, this.#waiting.element]) pin.observe(element);
    document.addEventListener("visibilitychange", () => this.#report());
    addEventListener("focus", () => this.#report());
  }

  /** Draw a room (null: none) as it is now; `history` is undefined, "loading" or "failed". */
  render(room, me, history) {
    const before = this.#room;
    const today = dayKey(new Date());
    const opened = room?.name !== before?.name || (before?.next === null && room.next !== null);
    const anew = opened || room?.epoch !== before?.epoch || me?.id !== this.#me?.id || today !== this.#day;
    [this.#room, this.#me, this.#history, this.#day] = [room, me, history, today];
    const draw = () => {
      if (anew) this.#rebuild(opened);
      else if (room) this.#update(before);
      drawTop(room, history);
      if (anew || room?.pending !== before?.pending || room?.entries !== before?.entries) this.#drawWaiting();
    };
    if (anew || this.#follow) draw();
    else this.#steadily(draw);
    if (this.#follow) this.#pin();
    if (opened) this.#showFirstUnread();
    this.#growUp();
    drawNewest(this.#room, this.#follow);
    this.#report();
  }

  /** Go to the newest message and follow what comes. */
  toEnd() {
    if (this.#room && this.#to !== this.#room.next) this.#rebuild();
    this.#follow = true;
    this.#pin();
    drawNewest(this.#room, this.#follow);
    this.#report();
  }

  /** Change the user's last message, if it is at hand. */
  editLast() {
    const room = this.#room;
    const own = room?.entries.findLast((e) => e.type === "message" && e.user.id === this.#me?.id);
    const body = own && (room.amended.has(own.seq) ? room.amended.get(own.seq).body : own.body);
    if (body) this.#actions.edit(own.seq, body);
  }

  /** Show which message is being changed (null: none). */
  editing(seq) {
    this.#rows.get(this.#editing)?.classList.remove("editing");
    this.#editing = seq;
    const row = this.#rows.get(seq);
    row?.classList.add("editing");
    row?.scrollIntoView({ block: "nearest" });
    this.#scrolled(); // now, for the box grows, and whoever follows the end would be taken there
  }

  /** The page's scrolling keys, from wherever the focus is. */
  scrollBy(pages) {
    this.#scroller.scrollBy({ top: pages * this.#scroller.clientHeight * 0.9 });
  }

  // ----------------------------------------------------------------- window

  #rebuild(opened = false) {
    const room = this.#room;
    if (opened) this.#unreadFrom = room?.unread ? firstUnread(room) : null;
    this.#rows.clear();
    this.#follow = true;
    this.#to = this.#from = room?.next ?? 0;
    if (room?.entries.length) {
      const wanted = Math.min(room.next - FIRST_WINDOW, (this.#unreadFrom ?? Infinity) - STEP);
      this.#from = Math.max(firstSeq(room), room.next - MOST, wanted);
    }
    this.#list.replaceChildren(...this.#make(this.#from, this.#to));
    this.#showWaiting();
  }

  /** Where more is unread than fits the screen, begin to read at its beginning. */
  #showFirstUnread() {
    const row = this.#rows.get(this.#unreadFrom);
    const above = row && row.getBoundingClientRect().top - this.#scroller.getBoundingClientRect().top;
    if (!row || above >= 0) return;
    this.#follow = false;
    this.#scroller.scrollTop += above - 24;
  }

  #update(before) {
    const room = this.#room;
    if (room.entries !== before.entries) {
      while (this.#from < firstSeq(room)) this.#drop(this.#from++); // trimmed
      if (this.#to === before.next) this.#appendFrom(before);
    }
    if (room.notices !== before.notices) {
      for (const n of room.notices) if (!before.notices.includes(n)) this.#redraw(n.after);
    }
    if (room.amended !== before.amended) {
      for (const [seq, a] of room.amended) if (before.amended.get(seq) !== a) this.#redraw(seq);
    }
    if (room.pending !== before.pending) {
      for (const { target } of [...before.pending, ...room.pending]) if (target) this.#redraw(target);
    }
  }

  #appendFrom(before) {
    const room = this.#room;
    if (before.unread === 0 && room.unread > 0 && !(this.#follow && looking())) {
      const old = this.#unreadFrom;
      this.#unreadFrom = firstUnread(room);
      if (old !== null) this.#redraw(old);
    }
    if (this.#follow && room.next - this.#to > FIRST_WINDOW) {
      this.#rebuild(); // a burst: only its end will be seen
      return;
    }
    const to = this.#follow ? room.next : Math.min(room.next, this.#from + MOST);
    this.#list.append(...this.#make(this.#to, to));
    this.#to = to;
    if (this.#follow && to - this.#from > MOST) this.#shrinkTop(to - FIRST_WINDOW);
    this.#showWaiting();
  }

  /** New rows for the entries [from, to). */
  #make(from, to) {
    const rows = [];
    for (let seq = from; seq < to; seq += 1) {
      const row = this.#row(seq);
      this.#rows.set(seq, row);
      rows.push(row);
    }
    return rows;
  }

  #row(seq) {
    const room = this.#room;
    const entry = entryAt(room, seq);
    return entryRow(entry, {
      editing: seq === this.#editing,
      previous: entryAt(room, seq - 1),
      notices: room.notices.filter((n) => n.after === seq),
      noticesBefore: room.notices.some((n) => n.after === seq - 1),
      amended: room.amended.get(seq),
      own: entry.user.id === this.#me?.id,
      change: room.pending.findLast((p) => p.target === seq),
      actions: this.#actionsIn(room.name),
      isFirstUnread: seq === this.#unreadFrom,
    });
  }

  #actionsIn(name) {
    return {
      retry: (id) => this.#actions.retry(name, id),
      discard: (id) => this.#actions.discard(name, id),
      edit: (seq, body) => this.#actions.edit(seq, body),
      remove: (seq) => this.#actions.remove(name, seq),
    };
  }

  #redraw(seq) {
    const old = this.#rows.get(seq);
    if (!old) return;
    const row = this.#row(seq);
    this.#rows.set(seq, row);
    const focused = old.contains(document.activeElement) && document.activeElement.dataset.testid;
    old.replaceWith(row);
    if (focused) (row.querySelector(`[data-testid="${focused}"]`) ?? this.#scroller).focus({ preventScroll: true });
  }

  #drop(seq) {
    this.#rows.get(seq)?.remove();
    this.#rows.delete(seq);
  }

  #shrinkTop(from) {
    while (this.#from < from) this.#drop(this.#from++);
  }

  /** Change rows without moving the first one in sight: its lower edge stays, for a heading may go from its top. */
  #steadily(change) {
    const top = this.#scroller.getBoundingClientRect().top;
    let seq = this.#from;
    while (seq < this.#to && this.#rows.get(seq).getBoundingClientRect().bottom <= top) seq += 1;
    const before = this.#rows.get(seq)?.getBoundingClientRect().bottom;
    change();
    const after = this.#rows.get(seq)?.getBoundingClientRect().bottom;
    if (before !== undefined && after !== undefined) this.#scroller.scrollTop += after - before;
  }

  #growUp() {
    const room = this.#room;
    if (!room?.entries.length) return;
    const first = firstSeq(room);
    const short = this.#scroller.scrollHeight <= this.#scroller.clientHeight;
    const wanted = short ? this.#from === first : !this.#follow && this.#from - first < AHEAD;
    if (wanted && this.#history === undefined) this.#actions.loadEarlier();
    if (this.#from === first || this.#scroller.scrollTop > NEAR) return;
    this.#steadily(() => {
      const [old, from] = [this.#from, Math.max(first, this.#from - STEP)];
      this.#list.prepend(...this.#make(from, old));
      this.#from = from;
      this.#redraw(old); // it may go on an author's group now
      if (this.#to - from > MOST) while (this.#to > from + MOST - STEP) this.#drop(--this.#to);
      this.#showWaiting();
    });
  }

  #growDown() {
    const room = this.#room;
    const left = this.#scroller.scrollHeight - this.#scroller.scrollTop - this.#scroller.clientHeight;
    if (!room || this.#to >= room.next || left > NEAR) return;
    this.#steadily(() => {
      const to = Math.min(room.next, this.#to + STEP);
      this.#list.append(...this.#make(this.#to, to));
      this.#to = to;
      if (to - this.#from > MOST) this.#shrinkTop(to - MOST + STEP);
      this.#showWaiting();
    });
  }

  // --------------------------------------------------------------- scrolling

  #pin() {
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
  }

  #scrolled() {
    const { scrollHeight, scrollTop, clientHeight } = this.#scroller;
    const followed = this.#follow;
    this.#follow = scrollHeight - scrollTop - clientHeight < AT_END && this.#to === (this.#room?.next ?? this.#to);
    this.#growUp();
    this.#growDown();
    if (followed !== this.#follow) {
      drawNewest(this.#room, this.#follow);
      this.#report();
    }
  }

  #drawWaiting() {
    this.#waiting.render(this.#room, this.#me, this.#room && this.#actionsIn(this.#room.name));
    this.#showWaiting();
  }

  #showWaiting() {
    this.#waiting.show(this.#to === (this.#room?.next ?? this.#to));
  }

  #report() {
    if (this.#room) this.#actions.seen(this.#room.name, { following: this.#follow, looking: looking() });
  }
}
