"""The books of the load generator: no loss, nothing twice, one order, and latencies from when a message was due."""

from __future__ import annotations

import pytest

from bench.ledger import Ledger, Message, Room, Seat


@pytest.fixture
def room() -> Room:
    """A room of two."""
    room = Room("r")
    room.seats += [Seat(0, room), Seat(1, room)]
    return room


def send(ledger: Ledger, room: Room, name: str, due: float = 0.0, sent: float = 0.0) -> Message:
    message = Message(name, room.seats[0], due, sent, len(room.seats))
    ledger.send(message)
    return message


def deliver(ledger: Ledger, room: Room, place: int, seq: int, name: str, now: float = 0.0) -> None:
    ledger.deliver(room.seats[place], seq, name, lambda: 103.0, now)


def test_a_message_is_complete_when_it_is_acked_and_everywhere(room: Room) -> None:
    ledger, done = Ledger(epoch=100.0), []
    ledger.on_everywhere = done.append
    message = send(ledger, room, "a", due=1.0, sent=2.0)
    deliver(ledger, room, 0, 1, "a", now=5.0)
    assert not done
    deliver(ledger, room, 1, 1, "a", now=6.0)
    assert done == [message]
    assert not ledger.settled
    ledger.ack("a", now=4.0)
    assert ledger.settled
    ledger.close([room])
    assert ledger.errors == []
    times = ledger.times
    assert (times.late, times.accept, times.ack, times.delivery) == ([1.0], [1.0], [3.0], [5.0])
    assert (ledger.sent, ledger.acked, ledger.everywhere, ledger.delivered) == (1, 1, 1, 2)


def test_an_ack_may_come_before_the_deliveries(room: Room) -> None:
    ledger, acked = Ledger(), []
    ledger.on_acked = acked.append
    message = send(ledger, room, "a")
    ledger.ack("a", now=1.0)
    assert acked == [message]
    for place in (0, 1):
        deliver(ledger, room, place, 1, "a")
    assert ledger.settled


def test_a_hole_is_wrong(room: Room) -> None:
    ledger = Ledger()
    send(ledger, room, "a")
    deliver(ledger, room, 0, 2, "a")
    assert "got seq 2 after 0" in ledger.errors[0]


def test_two_orders_are_wrong(room: Room) -> None:
    ledger = Ledger()
    for name in ("a", "b"):
        send(ledger, room, name)
    deliver(ledger, room, 0, 1, "a")
    deliver(ledger, room, 1, 1, "b")
    assert "different messages at seq 1" in ledger.errors[0]


@pytest.mark.parametrize("complete", [False, True])
def test_a_message_with_two_places_is_wrong(room: Room, complete: bool) -> None:
    ledger = Ledger()
    send(ledger, room, "a")
    ledger.ack("a", 0.0)
    for place in (0, 1) if complete else (0,):
        deliver(ledger, room, place, 1, "a")
    deliver(ledger, room, 0, 2, "a")
    assert "came twice" in ledger.errors[0]


def test_what_nobody_sent_is_wrong(room: Room) -> None:
    ledger = Ledger()
    deliver(ledger, room, 0, 1, "a")
    ledger.ack("b", 0.0)
    assert "never sent" in ledger.errors[0]
    assert "not under way" in ledger.errors[1]


def test_what_is_missing_in_the_end_is_wrong(room: Room) -> None:
    ledger = Ledger()
    send(ledger, room, "a")
    ledger.ack("a", 0.0)
    deliver(ledger, room, 0, 1, "a")
    send(ledger, room, "b")
    ledger.close([room])
    assert ledger.errors == [
        "1 messages were never acked",
        "1 acked messages did not reach everyone",
        "r: 1 members did not see the whole log",
    ]
