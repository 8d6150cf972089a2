"""The page's modules in headless Chromium, without a gateway: what is pure in them is tested as such.

The room's state is fed with shuffled, doubled, lost and late frames of a seeded random room; however they come, it must
end with the room's log, dense and once.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import sync_playwright

import gateway
from warren.pages import SHARED

WEB = Path(gateway.__file__).parent / "web"
CHROMIUM = "/usr/bin/chromium"

Json = dict[str, Any]
Run = Callable[..., Any]

ME, ADA, BEN = ({"id": i, "name": n} for i, n in (("me", "Me"), ("ada", "Ada"), ("ben", "Ben")))


class _Files(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def translate_path(self, path: str) -> str:
        """Find what pages share where services serve it."""
        begin, _, shared = path.partition("/shared/")
        return str(SHARED / shared) if shared and not begin else super().translate_path(path)

    def end_headers(self) -> None:
        self.send_header("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'")
        super().end_headers()


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    """Run the body of a JavaScript function of `modules` (by path) and one argument; return what it returns."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Files, directory=str(WEB)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM)
            page = browser.new_page()
            page.goto(f"http://127.0.0.1:{server.server_port}/manifest.webmanifest")

            def evaluate(path: str, body: str, argument: object = None) -> Any:
                return page.evaluate(f"async (given) => {{ const m = await import('/{path}'); {body} }}", argument)

            yield evaluate
            browser.close()
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


REDUCE = """
  let room = m.newRoom("r", {me: "me", read: given.read ?? null});
  for (const action of given.actions) room = m.reduce(room, action);
  return {...room, seqs: room.entries.map((e) => e.seq), held: [...room.held.keys()], needs: m.needs(room),
          typing: m.typists(room, given.at ?? 0), members: room.members && [...room.members.values()],
          amended: Object.fromEntries(room.amended), complete: m.isComplete(room)};
"""


@pytest.fixture(scope="module")
def reduced(run: Run) -> Callable[..., Json]:
    """Return the state of a room after some actions."""

    def reduce(*actions: Json, **given: object) -> Json:
        state: Json = run("state/room.js", REDUCE, {"actions": list(actions), **given})
        return state

    return reduce


def message(seq: int, user: Json = ADA, id: str | None = None) -> Json:  # noqa: A002 - the frame's own word
    time = f"2026-11-23T05:{seq // 60 % 60:02}:{seq % 60:02}.000Z"
    entry = {"type": "message", "room": "r", "seq": seq, "id": id or f"m{seq}", "user": user, "body": f"text {seq}"}
    return {**entry, "time": time, "trace": f"{seq:032x}"}


def joined(entries: list[Json], seq: int | None = None, *, truncated: bool = False, **more: Any) -> Json:
    head = seq if seq is not None else max((e["seq"] for e in entries), default=0)
    snapshot: Json = {"type": "joined", "room": "r", "seq": head, "rev": 1, "members": [], "count": 0}
    return {**snapshot, "entries": entries, "truncated": truncated, **more}


def messages(first: int, last: int) -> list[Json]:
    return [message(seq) for seq in range(first, last + 1)]


def page(entries: list[Json], *, latest: bool = False) -> Json:
    return {"type": "page", "entries": entries, "latest": latest}


def presence(rev: int, **change: Any) -> Json:
    return {"type": "presence", "room": "r", "rev": rev, "count": change.pop("count", 1), **change}


def member(user: Json, status: str = "online") -> Json:
    return {**user, "status": status}


# -------------------------------------------------------------------- entries


def test_live_entries_follow_the_snapshot(reduced: Callable[..., Json]) -> None:
    room = reduced(joined(messages(5, 9)), message(10), message(11))
    assert room["seqs"] == [5, 6, 7, 8, 9, 10, 11]
    assert room["needs"] == {"entries": None, "members": False}


def test_a_hole_holds_back_what_lies_beyond_until_it_is_filled(reduced: Callable[..., Json]) -> None:
    actions = (joined(messages(1, 3)), message(6), message(7))
    room = reduced(*actions)
    assert room["seqs"] == [1, 2, 3]
    assert room["needs"]["entries"] == {"after": 3}
    assert reduced(*actions, page(messages(4, 5)))["seqs"] == [1, 2, 3, 4, 5, 6, 7]


def test_what_comes_before_the_snapshot_is_not_lost(reduced: Callable[..., Json]) -> None:
    assert reduced(message(5), message(4), joined(messages(1, 3)))["seqs"] == [1, 2, 3, 4, 5]
    assert reduced(message(1), joined([]))["seqs"] == [1]


def test_a_snapshot_after_a_lost_connection_goes_on_where_it_stopped(reduced: Callable[..., Json]) -> None:
    room = reduced(joined(messages(1, 3)), {"type": "disconnected"}, joined(messages(4, 6)))
    assert room["seqs"] == [1, 2, 3, 4, 5, 6]
    assert room["epoch"] == 0


def test_a_truncated_snapshot_takes_the_place_of_what_was_shown(reduced: Callable[..., Json]) -> None:
    lost = (joined(messages(1, 3)), {"type": "disconnected"}, joined(messages(500, 520), truncated=True))
    room = reduced(*lost)
    assert (room["seqs"][0], room["seqs"][-1], room["epoch"]) == (500, 520, 1)
    assert not room["complete"]
    assert reduced(*lost, page(messages(450, 499)))["seqs"] == list(range(450, 521))


def test_a_truncated_snapshot_that_connects_only_extends(reduced: Callable[..., Json]) -> None:
    room = reduced(joined(messages(1, 3)), joined(messages(2, 6), truncated=True))
    assert (room["seqs"], room["epoch"]) == ([1, 2, 3, 4, 5, 6], 0)


def test_a_store_that_was_reset_starts_the_room_over(reduced: Callable[..., Json]) -> None:
    room = reduced(joined(messages(1, 30)), {"type": "disconnected"}, joined([], 2))
    assert room["seqs"] == []
    assert room["needs"]["entries"] == {"latest": True}
    again = (joined(messages(1, 30)), {"type": "disconnected"}, joined([], 2), page(messages(1, 2), latest=True))
    assert reduced(*again, message(3))["seqs"] == [1, 2, 3]


def test_a_late_snapshot_takes_nothing_away(reduced: Callable[..., Json]) -> None:
    assert reduced(joined(messages(1, 3)), message(4), message(5), joined(messages(1, 3)))["seqs"] == [1, 2, 3, 4, 5]


def test_a_hole_too_large_to_fill_asks_for_the_newest_page(reduced: Callable[..., Json]) -> None:
    actions = (joined(messages(1, 3)), message(5_000))
    assert reduced(*actions)["needs"]["entries"] == {"latest": True}
    room = reduced(*actions, page(messages(4_951, 5_000), latest=True))
    assert (room["seqs"][0], room["seqs"][-1], room["needs"]["entries"]) == (4_951, 5_000, None)


def test_pages_that_do_not_connect_are_dropped(reduced: Callable[..., Json]) -> None:
    room = reduced(joined(messages(50, 60)), page(messages(10, 20)))
    assert (room["seqs"][0], room["held"]) == (50, [])


def test_trimming_keeps_the_newest(reduced: Callable[..., Json]) -> None:
    room = reduced(joined(messages(1, 40)), {"type": "trim", "keep": 10}, message(41), page(messages(21, 30)))
    assert room["seqs"] == list(range(21, 42))


def test_edits_and_deletions_take_a_place_and_the_latest_counts(reduced: Callable[..., Json]) -> None:
    edits = [{**message(n), "type": "edited", "target": 1, "body": f"edit {n}"} for n in (2, 3)]
    gone = {**message(4), "type": "deleted", "target": 2, "body": ""}
    room = reduced(joined([message(1)]), edits[1], gone, page([edits[0]]))
    assert room["seqs"] == [1, 2, 3, 4]
    assert room["amended"] == {"1": {"seq": 3, "body": "edit 3"}, "2": {"seq": 4, "body": None}}
    earlier = reduced(joined([edits[1]]), page([message(1), edits[0]]))  # scrolled up: the older edit comes later
    assert earlier["amended"] == {"1": {"seq": 3, "body": "edit 3"}}


@pytest.mark.parametrize("seed", range(40))
def test_any_interleaving_ends_with_the_log_dense_and_once(run: Run, seed: int) -> None:
    """Live frames lost, doubled and out of order, snapshots stale and repeated, pages in between, connections lost."""
    dice = random.Random(seed)
    length = dice.randint(5, 120)
    log = messages(1, length)
    actions: list[Json] = []
    seen = dice.randint(0, length // 2)
    actions += [] if dice.random() < 0.3 else [joined(log[max(0, seen - 20) : seen], seen)]
    frames = [f for f in log[seen:] if dice.random() > 0.2]
    frames += dice.sample(frames, len(frames) // 4)
    frames.sort(key=lambda f: f["seq"] + dice.gauss(0, dice.choice([0, 2, 30])))
    for frame in frames:
        actions.append(frame)
        if dice.random() < 0.1:
            at = dice.randint(0, length)
            actions.append(page(log[max(0, at - 15) : at]))
        if dice.random() < 0.05:
            actions.append({"type": "disconnected"})
            upto = dice.randint(max(seen, frame["seq"]), length)
            actions.append(joined(log[max(0, upto - 200) : upto], upto))
    actions.append(joined(log[max(0, length - 10) :], length))
    result = run(
        "state/room.js",
        """
        let room = m.newRoom("r", {me: "me"});
        const dense = () => room.entries.every((e, i, all) => !i || e.seq === all[i - 1].seq + 1);
        const ordered = [];
        for (const action of given.actions) {
          const before = room;
          Object.freeze(before); Object.freeze(before.entries);
          room = m.reduce(room, action);
          ordered.push(dense());
        }
        let rounds = 0;
        for (let n = m.needs(room); n.entries && rounds < 100; n = m.needs(room), rounds += 1) {
          const {after} = n.entries;
          const entries = after === undefined ? given.log.slice(-7) : given.log.slice(after, after + 7);
          room = m.reduce(room, {type: "page", entries, latest: n.entries.latest});
        }
        while (!m.isComplete(room) && rounds++ < 200) {
          const first = m.firstSeq(room);
          room = m.reduce(room, {type: "page", entries: given.log.slice(Math.max(0, first - 8), first - 1)});
        }
        return {seqs: room.entries.map((e) => e.seq), bodies: room.entries.map((e) => e.body), held: room.held.size,
                dense: ordered.every(Boolean)};
        """,
        {"actions": actions, "log": log},
    )
    assert result["seqs"] == list(range(1, length + 1))
    assert result["bodies"] == [e["body"] for e in log]
    assert result["dense"]
    assert result["held"] == 0


def test_an_entry_costs_little_more_with_ten_thousand_before_it(run: Run) -> None:
    """As much as copying a list of them, and no more: by comparison, as the machine may be busy."""
    growth = run(
        "state/room.js",
        """
        let room = m.reduce(m.newRoom("r", {me: "me"}), given);
        const spent = [];
        for (let seq = 1; seq <= 10000; seq += 1) {
          if (seq % 1000 === 1) spent.push(performance.now());
          room = m.reduce(room, {type: "message", seq, id: "m" + seq, user: {id: "a", name: "A"}, body: "x"});
        }
        spent.push(performance.now());
        return room.entries.length === 10000 ? (spent[10] - spent[9]) / (spent[2] - spent[1]) : Infinity;
        """,
        joined([]),
    )
    assert growth < 100  # 5 to 15; some thousand if each entry looked at all others


# --------------------------------------------------------------- own messages


def post(id: str) -> Json:  # noqa: A002 - as above
    return {"type": "post", "id": id, "body": "hello", "at": 0}


def statuses(room: Json) -> dict[str, str]:
    return {p["id"]: p["status"] for p in room["pending"]}


def test_a_message_is_pending_then_accepted_then_in_the_log(reduced: Callable[..., Json]) -> None:
    actions = [joined([]), post("x")]
    assert statuses(reduced(*actions)) == {"x": "pending"}
    actions.append({"type": "ack", "id": "x", "room": "r"})
    assert statuses(reduced(*actions)) == {"x": "accepted"}
    assert reduced(*actions, message(1, ME, "x"))["pending"] == []
    assert statuses(reduced(*actions, message(1, ADA, "x"))) == {"x": "accepted"}  # the id of someone else


def test_the_entry_may_come_before_the_ack(reduced: Callable[..., Json]) -> None:
    room = reduced(joined([]), post("x"), message(1, ME, "x"), {"type": "ack", "id": "x", "room": "r"})
    assert (room["pending"], room["seqs"]) == ([], [1])


def test_a_refused_message_fails_for_good_until_it_is_retried(reduced: Callable[..., Json]) -> None:
    ack = {"type": "ack", "id": "x", "room": "r"}
    actions = [joined([]), post("x"), {"type": "rejected", "id": "x", "room": "r", "code": "c", "message": "no"}]
    room = reduced(*actions, ack)
    assert (statuses(room), room["pending"][0]["reason"]) == ({"x": "failed"}, "no")
    assert statuses(reduced(*actions, {"type": "retry", "id": "x"}, ack)) == {"x": "accepted"}
    assert reduced(*actions, {"type": "discard", "id": "x"})["pending"] == []


def test_a_late_ack_mends_a_message_that_had_no_answer(reduced: Callable[..., Json]) -> None:
    timed_out = {"type": "failed", "id": "x", "reason": "no answer"}
    assert statuses(reduced(joined([]), post("x"), timed_out, {"type": "ack", "id": "x"})) == {"x": "accepted"}


def test_own_messages_in_the_part_that_is_skipped_do_not_linger(reduced: Callable[..., Json]) -> None:
    room = reduced(
        joined(messages(1, 3)),
        post("accepted"),
        {"type": "ack", "id": "accepted"},
        post("open"),
        {"type": "disconnected"},
        joined(messages(900, 950), truncated=True),
    )
    assert statuses(room) == {"open": "pending"}
    assert reduced(*[joined(messages(1, 3)), post("open"), joined(messages(900, 950), truncated=True)],
                   {"type": "ack", "id": "open"})["pending"] == []  # fmt: skip


def test_with_a_new_identity_nothing_is_sent_again_by_itself(reduced: Callable[..., Json]) -> None:
    assert statuses(reduced(joined([]), post("x"), {"type": "identity", "me": "other"})) == {"x": "failed"}


# --------------------------------------------------------------------- unread


def test_what_others_say_is_unread_until_it_is_read(reduced: Callable[..., Json]) -> None:
    actions = (joined(messages(1, 3)), message(4), message(5, ME), message(6, BEN))
    assert reduced(joined(messages(1, 3)))["unread"] == 0  # the first visit
    assert reduced(*actions)["unread"] == 2
    assert reduced(*actions, {"type": "read"})["unread"] == 0
    assert reduced(*actions, {"type": "read"}, page(messages(1, 6)))["unread"] == 0


def test_what_was_read_on_another_device_is_read_and_never_unread_again(reduced: Callable[..., Json]) -> None:
    snapshot = joined(messages(51, 60))
    assert reduced(snapshot | {"read": 55})["unread"] == 5
    assert reduced(snapshot | {"read": 55}, {"type": "read", "seq": 58})["unread"] == 2
    assert reduced(snapshot | {"read": 55}, {"type": "read", "seq": 52})["unread"] == 5
    assert reduced(snapshot | {"read": 55}, {"type": "read", "seq": 60})["unread"] == 0
    assert reduced(snapshot | {"read": 55}, {"type": "read"}, snapshot | {"read": 55})["read"] == 60
    ahead = (snapshot | {"read": 0}, {"type": "read", "seq": 61}, message(61, BEN), message(62, BEN))
    assert reduced(*ahead)["unread"] == 1


def test_unread_since_the_last_visit_counts_what_is_not_at_hand(reduced: Callable[..., Json]) -> None:
    assert reduced(joined(messages(51, 60)), read=40)["unread"] == 20
    assert reduced(joined(messages(51, 60)), read=55)["unread"] == 5


# ------------------------------------------------------------------- presence


def names(room: Json) -> list[str]:
    return sorted(m["name"] for m in room["members"])


def test_presence_changes_are_applied_once_and_in_order(reduced: Callable[..., Json]) -> None:
    start = joined([], members=[member(ADA)], count=1, rev=7)
    room = reduced(
        start,
        presence(7, left=[member(ADA)], count=0),  # the snapshot has it
        presence(8, joined=[member(BEN)], count=2),
        presence(8, left=[member(BEN)], count=1),  # told twice
        presence(9, changed=[member(ADA, "away")], count=2),
    )
    assert (names(room), room["count"], room["rev"]) == (["Ada", "Ben"], 2, 9)
    assert {m["status"] for m in room["members"] if m["id"] == "ada"} == {"away"}


def test_a_gap_in_presence_asks_for_the_members(reduced: Callable[..., Json]) -> None:
    actions = (joined([], members=[], rev=1), presence(3, joined=[member(BEN)], count=2))
    assert reduced(*actions)["needs"]["members"]
    assert names(reduced(*actions)) == []
    room = reduced(*actions, {"type": "members", "members": [member(ADA)], "count": 1, "rev": 2})
    assert (names(room), room["needs"]["members"]) == (["Ada", "Ben"], False)
    late = {"type": "members", "members": [], "count": 0, "rev": 4}
    assert names(reduced(joined([], members=[member(ADA)], rev=5), late)) == ["Ada"]


def test_who_went_offline_is_known_until_they_are_back(reduced: Callable[..., Json]) -> None:
    gone = member(BEN, "offline") | {"seen": "2026-11-23T05:00:00.000Z"}
    left = (joined([], members=[member(BEN)], count=1, rev=1), presence(2, left=[gone], count=0))
    assert (names(reduced(*left)), reduced(*left)["gone"]) == ([], [gone])
    assert reduced(*left, presence(3, joined=[member(BEN)], count=1))["gone"] == []
    elsewhere = (joined([], members=[member(BEN)], count=1, rev=1), presence(2, left=[member(BEN)], count=0))
    assert reduced(*elsewhere)["gone"] == []


def test_presence_before_the_snapshot_waits_for_it(reduced: Callable[..., Json]) -> None:
    room = reduced(presence(2, joined=[member(BEN)], count=2), joined([], members=[member(ADA)], count=1, rev=1))
    assert names(room) == ["Ada", "Ben"]


def test_after_a_lost_connection_a_lower_revision_counts(reduced: Callable[..., Json]) -> None:
    again = joined([], members=[member(BEN)], count=1, rev=2)
    assert names(reduced(joined([], members=[member(ADA)], rev=90), {"type": "disconnected"}, again)) == ["Ben"]


def test_a_large_room_has_a_count_only(reduced: Callable[..., Json]) -> None:
    snapshot = {k: v for k, v in joined([], count=5000, rev=3).items() if k != "members"}
    room = reduced(snapshot, presence(4, joined=[member(ADA)], count=5001))
    assert (room["members"], room["count"]) == (None, 5001)


def test_a_frame_may_tell_of_several_changes_of_everyone_or_of_the_number_only(reduced: Callable[..., Json]) -> None:
    start = joined([], members=[member(ADA)], count=1, rev=1)
    several = reduced(start, presence(4, since=0, joined=[member(BEN)], count=2))
    assert (names(several), several["rev"], several["needs"]["members"]) == (["Ada", "Ben"], 4, False)
    assert reduced(start, presence(4, since=2, joined=[member(BEN)], count=2))["needs"]["members"]
    counted = presence(9, count=500)
    large = reduced(start, counted, presence(11, since=10, joined=[member(BEN)], count=501))
    assert (large["members"], large["count"], large["needs"]["members"]) == (None, 501, False)
    assert names(reduced(start, counted, presence(9, members=[member(BEN)], count=1))) == ["Ben"]
    fetched = {"type": "members", "members": [member(ADA)], "count": 500, "rev": 5, "truncated": True}
    assert reduced(start, fetched)["members"] is None


def test_a_rename_changes_the_list_and_is_noted_once(reduced: Callable[..., Json]) -> None:
    renamed = {"type": "renamed", "user": {"id": "ada", "name": "Countess"}, "was": "Ada", "at": 5}
    room = reduced(joined(messages(1, 2), members=[member(ADA)]), renamed, renamed)
    assert names(room) == ["Countess"]
    assert [(n["after"], n["was"]) for n in room["notices"]] == [(2, "Ada")]
    assert room["entries"][0]["user"]["name"] == "Ada"
    assert reduced(joined([], members=[]), renamed)["notices"] == []  # nobody here
    assert len(reduced(joined(messages(1, 2), members=[]), renamed)["notices"]) == 1  # gone, but what was said is there


def test_typing_ends_by_time_or_by_the_message(reduced: Callable[..., Json]) -> None:
    actions = (joined([]), {"type": "typing", "user": ADA, "at": 1000}, {"type": "typing", "user": ME, "at": 1000})
    assert reduced(*actions, at=5_999)["typing"] == [ADA]
    assert reduced(*actions, at=6_000)["typing"] == []
    assert reduced(*actions, message(1), at=1_500)["typing"] == []


# ------------------------------------------------------------- text, protocol


@pytest.mark.parametrize(
    ("text", "links"),
    [
        ("see https://example.org/a.", ["https://example.org/a"]),
        ("(https://example.org/a_(b)) and HTTP://X.org!", ["https://example.org/a_(b)", "http://x.org/"]),
        ("javascript:alert(1) data:text/html,x ftp://example.org", []),
        ("https://bank.example@evil.example/ https://", []),
        ('<a href="https://example.org/">x</a>', ["https://example.org/"]),
        ("مرحبا https://example.org/ar؟", ["https://example.org/ar"]),
    ],
)
def test_links(run: Run, text: str, links: list[str]) -> None:
    parts = run("text.js", "return m.linkify(given)", text)
    assert "".join(p["text"] for p in parts) == text
    assert [p["href"] for p in parts if "href" in p] == links


def test_words(run: Run) -> None:
    body = "return [m.listing(given.slice(0, 1)), m.listing(given.slice(0, 2)), m.listing(given)]"
    spoken = run("text.js", body, ["A", "B", "C", "D"])
    assert spoken == ["A", "A and B", "A, B and 2 others"]
    assert run("text.js", "return given.map(m.initials)", ["Quiet Otter 42", "ada", "42"]) == ["QO", "A", "4"]
    assert run("text.js", "return given.map(m.onlyEmoji)", ["🎉👍🏽", "🇩🇪", "42", "ok 🎉", " "]) == [
        True, True, False, False, False,
    ]  # fmt: skip


def test_back_off_has_full_jitter_and_a_floor(run: Run) -> None:
    waits = run("protocol/backoff.js", "return [0, 1, 4, 9, 99].map((n) => m.backoff(n, 2, () => 0.999999))")
    assert [round(w) for w in waits] == [2, 3, 10, 32, 32]
    assert run("protocol/backoff.js", "return m.backoff(9, 2, () => 0)") == 2


def test_close_codes_agree_with_the_servers_table(run: Run) -> None:
    from warren.contracts.closing import CLOSE_CODES

    rules = run("protocol/closing.js", "return given.map((code) => m.closing(code))", [c.code for c in CLOSE_CODES])
    for code, rule in zip(CLOSE_CODES, rules, strict=True):
        fresh = code.name in {"token", "expired"}  # a guest whose token is refused asks for another
        assert rule["reconnect"] == (code.reconnect or fresh), code
        assert rule["after"] >= code.after, code
        assert (rule["token"] == "fresh") == fresh, code


def test_ids_are_uuid7_and_ascend(run: Run) -> None:
    ids = run("ids.js", "return [1, 2, 2 ** 40, Date.now()].map((now) => m.uuid7(now))")
    assert ids == sorted(ids)
    assert all(len(i) == 36 and i[14] == "7" and i[19] in "89ab" for i in ids)


@pytest.mark.parametrize("name", ["general", "a/b c", "Ünï №4 #?&%", "日本"])
def test_a_rooms_address_leads_back_to_it(run: Run, name: str) -> None:
    assert run("router.js", "return m.roomInAddress(m.hashOf(given))", name) == name


# -------------------------------------------------------------------- session


@pytest.mark.parametrize(
    ("life", "left", "renewed"), [(3600, 61, False), (3600, 59, True), (60, 31, False), (60, 29, True)]
)
def test_a_token_is_renewed_a_minute_before_its_end_or_at_half_of_a_short_life(
    run: Run, life: int, left: int, renewed: bool
) -> None:
    """Whoever asks the server here is told that there is none."""
    asked = run(
        "session.js",
        """
        const end = Date.now() + given.left * 1000;
        m.keep({token: "t", user: null, expires: new Date(end).toISOString(), since: end - given.life * 1000});
        return m.token().then((token) => token !== "t", () => true).finally(m.forget);
        """,
        {"life": life, "left": left},
    )
    assert asked is renewed


def test_what_others_said_is_heard_once(run: Run) -> None:
    bodies = run(
        "state/room.js",
        """
        const opened = m.reduce(m.newRoom("r", {me: "me"}), given.joined);
        const now = given.more.reduce(m.reduce, opened);
        const elsewhere = m.reduce(now, {...given.joined, entries: given.far, seq: 900, truncated: true});
        const heard = (now, before) => m.heard(now, before).map(({body}) => body);
        return [heard(now, opened), heard(now, now), heard(now, undefined), heard(elsewhere, now),
                heard(opened, m.newRoom("r", {me: "me"}))];
        """,
        {
            "joined": joined(messages(1, 3)),
            "more": [message(4), message(5, ME), {**message(6), "type": "edited", "target": 1}, message(7, BEN)],
            "far": messages(880, 900),
        },
    )
    assert bodies == [["text 4", "text 7"], [], [], [], []]
