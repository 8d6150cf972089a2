"""A room gives every member each entry once and in order, whatever arrives how."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.room import Room


class Member:
    """Frames are words here, each with a space behind it."""

    def __init__(self) -> None:
        self.got: list[str] = []

    def send(self, frames: bytes, count: int = 1) -> None:
        words = frames.decode().split()
        assert len(words) == count
        self.got += words

    @property
    def entries(self) -> list[int]:
        """Numbers of the entries received after the snapshot."""
        return [int(f) for f in self.got if f.isdigit()]


def word(text: str) -> bytes:
    return f"{text} ".encode()


def joined(room: Room, seq: int) -> Member:
    member = Member()
    room.enter(member)
    room.snapshot(member, seq, word(f"joined@{seq}"))
    return member


def test_live_entries_reach_members_in_order() -> None:
    room = Room("r")
    member = joined(room, 0)
    for seq in (1, 2, 3):
        assert room.entry(seq, word(str(seq)))
    room.flush()
    assert member.got == ["joined@0", "1", "2", "3"]


def test_an_entry_told_twice_is_given_once() -> None:
    room = Room("r")
    member = joined(room, 0)
    for seq in (1, 1, 2, 1, 2):
        room.entry(seq, word(str(seq)))
    room.flush()
    assert member.entries == [1, 2]


def test_nothing_beyond_a_gap_is_given_before_the_gap_is_filled() -> None:
    room = Room("r")
    member = joined(room, 1)
    assert not room.entry(4, word("4"))
    assert not room.entry(3, word("3"))
    assert member.entries == []
    assert room.entry(2, word("2"))
    room.flush()
    assert member.entries == [2, 3, 4]


def test_what_comes_while_the_snapshot_is_on_its_way_follows_it_once() -> None:
    room = Room("r")
    old = joined(room, 5)
    new = Member()
    room.enter(new)
    room.entry(6, word("6"))
    room.tell(word("presence"))
    room.entry(7, word("7"))
    room.snapshot(new, 6, word("joined@6"))  # chat had stored 6 when it was asked
    room.entry(8, word("8"))
    room.flush()
    assert old.entries == [6, 7, 8]
    assert new.got == ["joined@6", "presence", "7", "8"]


def test_a_snapshot_ahead_of_the_room_is_not_told_again() -> None:
    room = Room("r")
    joined(room, 5)
    ahead = Member()
    room.enter(ahead)
    room.snapshot(ahead, 7, word("joined@7"))
    for seq in (6, 7, 8):
        room.entry(seq, word(str(seq)))
    room.flush()
    assert ahead.entries == [8]


def test_who_left_gets_nothing_even_if_its_snapshot_arrives() -> None:
    room = Room("r")
    gone = Member()
    room.enter(gone)
    room.leave(gone)
    room.snapshot(gone, 1, word("joined@1"))
    room.entry(2, word("2"))
    room.flush()
    assert gone.got == []
    assert room.empty


def test_joining_again_replaces_the_membership() -> None:
    room = Room("r")
    member = joined(room, 1)
    room.enter(member)
    room.entry(2, word("2"))
    room.snapshot(member, 2, word("joined@2"))
    room.entry(3, word("3"))
    room.flush()
    assert member.got == ["joined@1", "joined@2", "3"]


@given(
    head=st.integers(0, 5),
    arrivals=st.permutations([*range(1, 13), *range(1, 13)]),
    join_at=st.integers(0, 24),
    answer_after=st.integers(0, 24),
    ahead=st.integers(0, 3),
    turn=st.integers(1, 5),
)
def test_every_member_sees_one_dense_order(
    head: int, arrivals: list[int], join_at: int, answer_after: int, ahead: int, turn: int
) -> None:
    """Facts in any order and twice, given out in turns; a second member joins at any moment, its snapshot ahead."""
    room = Room("r")
    first = joined(room, head)
    second, asked_at = Member(), 0
    for step, seq in enumerate([*arrivals, *range(1, 13)]):  # the last ones: the gap is filled from chat
        if step == join_at:
            room.enter(second)
        if step == max(join_at, answer_after):
            assert room.seq is not None
            asked_at = min(12, room.seq + ahead)
            room.snapshot(second, asked_at, word("joined"))
        room.entry(seq, word(str(seq)))
        if step % turn == 0:
            room.flush()
    room.flush()
    assert first.entries == list(range(head + 1, 13))
    assert second.entries == list(range(asked_at + 1, 13))
