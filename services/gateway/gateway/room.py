"""One room on this gateway: the order of its entries, and who gets them. No I/O.

Every entry goes to every member once and in order, whatever arrives how: live facts, facts told twice, facts beyond a
gap, pages from chat's log. What lies beyond a gap waits until the gap is filled.

Trick: frames for the live members are gathered and joined once per room, not once per socket; `flush` gives them out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from gateway.people import People

MAX_WAITING = 5_000
"""Entries that may wait beyond a gap; the rest is fetched again with the gap."""


class Receiver(Protocol):
    """A session, as far as a room knows it."""

    def send(self, frames: bytes, count: int = 1) -> None:
        """Take `count` frames."""


@dataclass(slots=True)
class Joining:
    """A member whose snapshot is on its way, or reaches further (`upto`) than the room does here."""

    held: list[tuple[int, bytes]] = field(default_factory=list)
    upto: int | None = None


class Room:
    """`seq` is the last entry given to members; None until the first snapshot says where the room stands.

    `told` is when members were told last who is here, by the event loop's clock; `telling` will do it again.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.seq: int | None = None
        self.people = People()
        self.told = 0.0
        self.telling: asyncio.TimerHandle | None = None
        self.filling = False
        self.refreshing = False
        self._live: set[Receiver] = set()
        self._joining: dict[Receiver, Joining] = {}
        self._beyond: dict[int, bytes] = {}
        self._gathered: list[bytes] = []

    @property
    def empty(self) -> bool:
        """Whether nobody is here."""
        return not self._live and not self._joining

    @property
    def members(self) -> Iterable[Receiver]:
        """Everyone here, those still joining included."""
        return (*self._live, *self._joining)

    @property
    def head(self) -> int:
        """The last entry that any member has."""
        return max(self.seq or 0, *(joining.upto or 0 for joining in self._joining.values()), 0)

    @property
    def has_gap(self) -> bool:
        """Whether entries wait for others that are missing."""
        return bool(self._beyond) and self.seq is not None

    def enter(self, who: Receiver) -> None:
        """Hold entries back for `who` until its snapshot is there."""
        self.flush()
        self._live.discard(who)
        self._joining[who] = Joining()

    def leave(self, who: Receiver) -> None:
        """Give `who` nothing more."""
        self.flush()
        self._live.discard(who)
        self._joining.pop(who, None)

    def snapshot(self, who: Receiver, seq: int, joined: bytes) -> None:
        """Give `who` its snapshot, which reaches to `seq`, then what came after it, and make it a live member."""
        joining = self._joining.get(who)
        if joining is None:
            return  # it has left meanwhile
        if self.seq is None:
            self.start(seq)
        who.send(joined)
        for number, frame in joining.held:
            if number == 0 or number > seq:
                who.send(frame)
        joining.held.clear()
        joining.upto = seq
        self._promote()

    def start(self, seq: int) -> None:
        """Take up the room at `seq`, if that is not yet known."""
        if self.seq is None:
            self.seq = seq
            self._advance()

    def entry(self, seq: int, frame: bytes) -> bool:
        """Take an entry, live or fetched; returns False when entries before it are missing."""
        if self.seq is not None and seq <= self.seq:
            return True
        if self.seq is not None and seq == self.seq + 1:
            self._give(seq, frame)
            self._advance()
        elif len(self._beyond) < MAX_WAITING:
            self._beyond[seq] = frame
        return not self.has_gap

    def tell(self, frame: bytes, *, held: bool = True) -> None:
        """Give a frame without a place in the log to all; those joining get it later, or not at all."""
        self._gathered.append(frame)
        for who, joining in tuple(self._joining.items()):
            if joining.upto is not None:
                who.send(frame)
            elif held:
                joining.held.append((0, frame))

    def flush(self) -> None:
        """Give out what was gathered for the live members."""
        if gathered := self._gathered:
            self._gathered = []
            frames, count = b"".join(gathered), len(gathered)
            for who in self._live:
                who.send(frames, count)

    def _advance(self) -> None:
        assert self.seq is not None  # noqa: S101 - a room advances only from a known place
        while (frame := self._beyond.pop(self.seq + 1, None)) is not None:
            self._give(self.seq + 1, frame)
        if self._beyond and min(self._beyond) <= self.seq:
            self._beyond = {s: f for s, f in self._beyond.items() if s > self.seq}

    def _give(self, seq: int, frame: bytes) -> None:
        self.seq = seq
        self._gathered.append(frame)
        if self._joining:
            for who, joining in tuple(self._joining.items()):
                if joining.upto is None:
                    joining.held.append((seq, frame))
                elif seq > joining.upto:
                    who.send(frame)
            self._promote()

    def _promote(self) -> None:
        """Make live who has been told all up to where the room is."""
        for who, joining in tuple(self._joining.items()):
            if joining.upto is not None and self.seq is not None and self.seq >= joining.upto:
                self.flush()  # it has had these one by one
                del self._joining[who]
                self._live.add(who)
