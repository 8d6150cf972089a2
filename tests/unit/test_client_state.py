"""A client's view of a room: whatever arrives in whatever order, entries come out dense, each once."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from warren.client.state import Frame, Room


def entry(seq: int) -> Frame:
    return {"type": "message", "room": "r", "seq": seq, "id": f"m{seq}", "body": str(seq)}


def joined(head: int, entries: list[Frame], **fields: Any) -> Frame:
    frame = {"type": "joined", "room": "r", "seq": head, "rev": 0, "members": [], "count": 0, "entries": entries}
    return frame | fields


def member(name: str) -> Frame:
    return {"id": f"id-{name}", "name": name, "status": "online"}


def change(rev: int, count: int, **fields: Any) -> Frame:
    return {"type": "presence", "room": "r", "rev": rev, "count": count, **fields}


def fill(room: Room, head: int, page: int) -> list[Frame]:
    """Heal like a client does: page by page what is missing."""
    found = []
    while (gap := room.gap()) is not None:
        after, before = gap
        found += room.add(entry(seq) for seq in range(after + 1, min(before, after + 1 + page)))
    assert room.seq is None or room.seq == head
    return found


def test_what_is_read_never_goes_back_and_the_rest_is_unread() -> None:
    room = Room("r")
    snapshot = {"seq": 5, "rev": 0, "count": 0, "entries": []}
    room.snapshot({**snapshot, "read": 3})
    assert (room.read, room.unread) == (3, 2)
    room.read_to(4)
    room.read_to(2)
    room.snapshot(snapshot)  # of a server that knows no positions
    assert (room.read, room.unread) == (4, 1)


HEAD = 40
ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("live"), st.integers(1, HEAD)),
        st.tuples(st.just("since"), st.integers(1, HEAD)),
        st.tuples(st.just("newest"), st.integers(1, HEAD)),
        st.tuples(st.just("page"), st.integers(1, HEAD)),
        st.tuples(st.just("fill"), st.integers(1, 7)),
    ),
    max_size=60,
)


@given(ACTIONS, st.integers(0, HEAD))
def test_any_interleaving_ends_dense_and_the_same(actions: list[tuple[str, int]], since: int) -> None:
    room = Room("r", since=since)
    out: list[int] = []
    for action, n in actions:
        if action == "live":
            new = room.add([entry(n)])
        elif action == "since":  # a snapshot with all that came after where the room is
            start = room.seq or 0
            new = room.snapshot(joined(max(n, start), [entry(s) for s in range(start + 1, n + 1)]))
        elif action == "newest":  # a truncated snapshot: the newest few, with a hole before them
            head = max(n, room.seq or 0)
            new = room.snapshot(joined(head, [entry(s) for s in range(max(1, head - 3), head + 1)], truncated=True))
        elif action == "page":
            new = room.add([entry(s) for s in range(n, min(n + 10, HEAD + 1))])
        else:
            new = fill(room, room.head, n)
        out += [e["seq"] for e in new]
    out += [e["seq"] for e in room.add([entry(HEAD)])]
    out += [e["seq"] for e in fill(room, HEAD, 7)]
    assert out == list(range(since + 1, HEAD + 1))
    assert [e["seq"] for e in room.entries] == out
    assert room.gap() is None


@given(st.permutations(list(range(1, 13))), st.integers(0, 12), st.integers(0, 12))
def test_live_entries_may_come_before_the_snapshot(order: list[int], snapshot_at: int, head: int) -> None:
    room = Room("r")
    first = max(1, head - 4)
    for position, seq in enumerate(order):
        if position == snapshot_at:
            room.snapshot(joined(head, [entry(s) for s in range(first, head + 1)]))
        room.add([entry(seq)])
    if snapshot_at == len(order):
        room.snapshot(joined(head, [entry(s) for s in range(first, head + 1)]))
    fill(room, 12, 5)
    start = first if head else 1
    assert [e["seq"] for e in room.entries] == list(range(start, 13))


def test_nothing_comes_out_beyond_a_hole() -> None:
    room = Room("r")
    room.snapshot(joined(3, [entry(2), entry(3)]))
    assert room.add([entry(5)]) == []
    assert room.gap() == (3, 5)
    assert [e["seq"] for e in room.add([entry(4)])] == [4, 5]


def test_a_head_without_its_entries_is_a_hole_too() -> None:
    room = Room("r", since=3)
    room.snapshot(joined(9, [entry(8), entry(9)], truncated=True))
    assert room.gap() == (3, 8)


def test_skipping_gives_up_the_hole_and_what_was_before() -> None:
    room = Room("r", since=0)
    room.add([entry(1), entry(5), entry(6)])
    assert [e["seq"] for e in room.skip()] == [5, 6]
    assert [e["seq"] for e in room.entries] == [5, 6]
    assert room.gap() is None


def test_rejoining_asks_for_what_came_after_the_last_entry() -> None:
    room = Room("r")
    assert "since" not in room.join_frame()
    room.snapshot(joined(4, [entry(4)]))
    assert room.join_frame()["since"] == 4


def test_a_store_that_was_reset_starts_the_room_anew() -> None:
    room = Room("r")
    room.snapshot(joined(9, [entry(9)]))
    room.lost()
    room.snapshot(joined(2, [entry(1), entry(2)]))
    assert [e["seq"] for e in room.entries] == [1, 2]


def test_a_slow_snapshot_on_a_live_connection_is_no_reset() -> None:
    room = Room("r")
    room.snapshot(joined(2, [entry(1), entry(2)]))
    room.add([entry(3)])
    room.snapshot(joined(2, [entry(1), entry(2)]))
    assert [e["seq"] for e in room.entries] == [1, 2, 3]


def test_only_the_latest_entries_are_kept() -> None:
    room = Room("r", since=0, keep=3)
    room.add([entry(s) for s in range(1, 8)])
    assert [e["seq"] for e in room.entries] == [5, 6, 7]


def test_presence_below_the_snapshot_is_dropped_and_a_gap_wants_the_members_anew() -> None:
    room = Room("r")
    room.snapshot(joined(0, [], rev=5, members=[member("ada")], count=1))
    assert not room.presence(change(5, 9, joined=[member("old")]))
    assert room.presence(change(6, 2, joined=[member("bob")]))
    assert not room.presence(change(8, 2, left=[member("ada")]))
    assert room.stale
    room.replace_members([member("ada"), member("bob"), member("cyd")], 3, 7)
    assert not room.stale
    assert room.members is not None
    assert (sorted(room.members), room.rev) == (["id-bob", "id-cyd"], 8)


@given(st.permutations(list(range(1, 9))), st.integers(0, 8))
def test_members_end_the_same_however_changes_and_lists_arrive(order: list[int], fetched_at: int) -> None:
    """Change n adds member n; the list as of `fetched_at` arrives last."""
    room = Room("r")
    room.snapshot(joined(0, [], rev=0, members=[], count=0))
    for rev in order:
        room.presence(change(rev, rev, joined=[member(str(rev))]))
    room.replace_members([member(str(n)) for n in range(1, fetched_at + 1)], fetched_at, fetched_at)
    assert (room.rev, room.count, room.stale) == (8, 8, False)
    assert room.members is not None
    assert sorted(room.members) == [f"id-{n}" for n in range(1, 9)]


def test_a_large_room_is_counted_only() -> None:
    room = Room("r")
    room.snapshot(joined(0, [], rev=3, members=None, count=900))
    assert room.presence(change(7, 901))
    assert (room.count, room.members, room.stale) == (901, None, False)


def test_a_rename_shows_in_the_members() -> None:
    room = Room("r")
    room.snapshot(joined(0, [], members=[member("ada")], count=1))
    room.renamed({"id": "id-ada", "name": "Ada L"})
    assert room.members is not None
    assert room.members["id-ada"]["name"] == "Ada L"
