"""Who works which partition: even shares, few changes, who is there, who stands behind whom."""

from __future__ import annotations

from collections import Counter
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.sharing import LEASE, NOBODY, SETTLED, Line, Roll, share_out

NAMES = st.sampled_from("abcdefg")
OWNERS = st.lists(st.one_of(st.just(NOBODY), NAMES), min_size=1, max_size=40)
MEMBERS = st.sets(NAMES, min_size=1)


@given(OWNERS, MEMBERS)
def test_shares_are_even_and_leave_nothing_out(owners: list[str], members: set[str]) -> None:
    shared = share_out(owners, members)
    assert len(shared) == len(owners)
    assert set(shared) <= members
    counts = Counter(shared)
    assert max(counts.values()) - min(counts[m] for m in members) <= 1


@given(OWNERS, MEMBERS)
def test_even_shares_stay_as_they_are(owners: list[str], members: set[str]) -> None:
    shared = share_out(owners, members)
    assert share_out(shared, members) == shared
    assert share_out(shared, sorted(members, reverse=True)) == shared


@given(OWNERS, st.sets(st.sampled_from("abcd"), min_size=1))
def test_no_fewer_changes_would_do(owners: list[str], members: set[str]) -> None:
    kept = sum(a == b for a, b in zip(owners, share_out(owners, members), strict=True))
    least, odd = divmod(len(owners), len(members))
    held = Counter(owners)
    most = max(
        sum(min(held[m], least + (place < odd)) for place, m in enumerate(order)) for order in permutations(members)
    )
    assert kept == most


def test_a_newcomer_takes_its_share_and_a_leaver_gives_its_own() -> None:
    alone = share_out([NOBODY] * 16, {"a"})
    two = share_out(alone, {"a", "b"})
    assert Counter(two) == {"a": 8, "b": 8}
    three = share_out(two, {"a", "b", "c"})
    assert sorted(Counter(three).values()) == [5, 5, 6]
    assert sum(x != y for x, y in zip(two, three, strict=True)) == 5
    left = share_out(three, {"a", "c"})
    assert all(x == y for x, y in zip(three, left, strict=True) if x != "b")


def test_more_members_than_partitions() -> None:
    assert sorted(share_out(["a", "a"], {"a", "b", "c"})) == ["a", "b"]


def test_nobody_is_no_answer() -> None:
    with pytest.raises(ValueError, match="nobody"):
        share_out([NOBODY], set())


def called(roll: Roll, now: float, **beats: int) -> frozenset[str]:
    roll.call(beats, now)
    return roll.present


def test_present_is_whose_beat_rises() -> None:
    roll = Roll(1)
    assert called(roll, 100, a=7) == frozenset()
    assert called(roll, 101, a=8, b=3) == {"a"}, "of b it is not known yet whether it lives"
    assert not roll.settled(101)
    assert called(roll, 102, a=9, b=4) == {"a", "b"}
    assert not roll.settled(102 + SETTLED - 0.1)
    assert roll.settled(102 + SETTLED)
    assert called(roll, 103, a=10) == {"a"}, "b has left"
    assert not roll.settled(103)


def test_who_is_silent_for_a_lease_is_gone() -> None:
    roll = Roll(1)
    for now in range(10):
        called(roll, now, a=now, b=min(now, 3))
        assert roll.present == ({"a", "b"} if 1 <= now < 3 + LEASE else {"a"} if now else frozenset())
    assert roll.settled(3 + LEASE + SETTLED)
    assert roll.gone(9) == []
    for now in range(10, 60):
        called(roll, now, a=now, b=3)
    assert roll.gone(59) == ["b"]


def test_a_trace_of_a_former_life_delays_but_does_not_count() -> None:
    roll = Roll(1)
    for now in range(100, 100 + LEASE):
        called(roll, now, me=now, dead=5)
        assert "dead" not in roll.present
        assert not roll.settled(now + 0.9)
    called(roll, 100 + LEASE, me=200, dead=5)
    called(roll, 101 + LEASE, me=201, dead=5)
    assert roll.settled(100 + LEASE - 1 + SETTLED)


def test_nobody_is_blamed_for_the_time_in_which_the_store_was_away() -> None:
    roll = Roll(1)
    for now in range(3):
        called(roll, now, a=now, b=now)
    assert called(roll, 100, a=3, b=2) == {"a", "b"}
    assert called(roll, 100 + LEASE, a=4, b=2) == {"a", "b"}, "a long pause again"


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=12))
def test_giving_way_comes_to_an_end(changes: list[tuple[int, int]]) -> None:
    """Whatever the owner does: when it keeps its subscription, one new subscription of ours is enough."""
    line, opened = Line(1), 1
    for theirs, ours in changes:
        opened += ours
        line.look([opened], {"owner": [theirs]})
    for _ in range(3):
        line.look([opened], {"owner": [9]})
        if line.must_give_way(0, "owner"):
            opened += 1
    line.look([opened], {"owner": [9]})
    assert not line.must_give_way(0, "owner")


def test_who_was_there_before_the_owner_gives_way_once() -> None:
    line = Line(2)
    line.look([1, 1], {})
    assert not line.must_give_way(0, "owner"), "it is not subscribed"
    line.look([1, 1], {"owner": [1, 0]})
    assert [line.must_give_way(p, "owner") for p in (0, 1)] == [True, False]
    line.look([2, 1], {"owner": [1, 0]})
    assert not line.must_give_way(0, "owner")
    line.look([2, 1], {"owner": [2, 0]})
    assert line.must_give_way(0, "owner"), "it has subscribed again, and is perhaps behind us"


def test_who_subscribed_before_it_heard_of_the_owner_cannot_know() -> None:
    line = Line(1)
    line.look([1], {"owner": [1]})
    assert line.must_give_way(0, "owner")
