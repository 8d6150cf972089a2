"""The books of a load: what was sent, acked and delivered, and every receipt that is wrong. Pure.

Each room has one log, written by whoever sees an entry first; every other member must see the same. So loss,
duplicates and order are checked at each delivery, at the cost of two comparisons.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

MAX_ERRORS = 10


@dataclass(slots=True, eq=False)
class Message:
    """One message under way; `due` and `sent` are on the clock of the deliveries, `left` members miss it."""

    id: str
    sender: Seat
    due: float
    sent: float
    left: int
    acked: bool = False
    placed: bool = False


@dataclass(slots=True, eq=False)
class Room:
    """A room's log: `log[seq - 1]` is the message of that `seq`."""

    name: str
    seats: list[Seat] = field(default_factory=list)
    log: list[Message] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Seat:
    """A member of a room, who has seen its log up to `seq`."""

    number: int
    room: Room
    seq: int = 0


@dataclass(slots=True)
class Times:
    """Seconds, one each: `late` from due to sent, `accept` from sent to the gateway's stamp, the others from due."""

    late: list[float] = field(default_factory=list)
    accept: list[float] = field(default_factory=list)
    ack: list[float] = field(default_factory=list)
    delivery: list[float] = field(default_factory=list)


class Ledger:
    """Takes in every event of a load; `on_acked` and `on_everywhere` are told of each message that got there."""

    def __init__(self, epoch: float = 0.0) -> None:
        self.times = Times()
        self.errors: list[str] = []
        self.sent = self.acked = self.everywhere = self.delivered = 0
        self.on_acked: Callable[[Message], None] | None = None
        self.on_everywhere: Callable[[Message], None] | None = None
        self._epoch = epoch
        self._under_way: dict[str, Message] = {}

    @property
    def settled(self) -> bool:
        """Whether all that was sent is acked and everywhere."""
        return not self._under_way

    def new_window(self) -> None:
        """Begin to count anew; nothing may be under way."""
        self.times = Times()
        self.sent = self.acked = self.everywhere = self.delivered = 0

    def send(self, message: Message) -> None:
        """Note a message that goes out now."""
        self.sent += 1
        self._under_way[message.id] = message
        self.times.late.append(message.sent - message.due)

    def ack(self, message_id: str, now: float) -> None:
        """Note an ack."""
        message = self._under_way.get(message_id)
        if message is None or message.acked:
            self.wrong(f"{message_id} was acked, but is not under way")
            return
        message.acked = True
        self.acked += 1
        self.times.ack.append(now - message.due)
        if not message.left:
            del self._under_way[message_id]
        if self.on_acked is not None:
            self.on_acked(message)

    def deliver(self, seat: Seat, seq: int, message_id: str, stamp: Callable[[], float], now: float) -> None:
        """Note that a member got an entry; `stamp` tells when the gateway accepted it (Unix time)."""
        room = seat.room
        if seq != seat.seq + 1:
            self.wrong(f"{room.name}: member {seat.number} got seq {seq} after {seat.seq}")
        seat.seq = seq
        if seq <= len(room.log):
            message = room.log[seq - 1]
            if message.id != message_id:
                self.wrong(f"{room.name}: two members saw different messages at seq {seq}")
        else:
            found = self._under_way.get(message_id)
            if found is None or found.placed:
                self.wrong(f"{room.name}: {message_id} at seq {seq} came twice or was never sent")
                return
            message = found
            message.placed = True
            room.log.append(message)
            self.times.accept.append(stamp() - self._epoch - message.sent)
        message.left -= 1
        self.delivered += 1
        if seat is not message.sender:
            self.times.delivery.append(now - message.due)
        if not message.left:
            self.everywhere += 1
            if message.acked:
                del self._under_way[message_id]
            if self.on_everywhere is not None:
                self.on_everywhere(message)

    def wrong(self, what: str) -> None:
        """Note an error; the first few tell the story."""
        if len(self.errors) < MAX_ERRORS:
            self.errors.append(what)

    def close(self, rooms: Iterable[Room]) -> None:
        """Note what is missing at the end."""
        unacked = sum(not m.acked for m in self._under_way.values())
        if unacked:
            self.wrong(f"{unacked} messages were never acked")
        lost = sum(m.acked for m in self._under_way.values())
        if lost:
            self.wrong(f"{lost} acked messages did not reach everyone")
        for room in rooms:
            behind = sum(s.seq != len(room.log) for s in room.seats)
            if behind:
                self.wrong(f"{room.name}: {behind} members did not see the whole log")
