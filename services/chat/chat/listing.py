"""The list of rooms, from what the partitions of this process know and, for the others, from the store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from chat.handlers import Partition
from chat.repository import ACTIVE_EVERY, Entries, Mark
from warren.contracts import now
from warren.topology import partition

MAX_LISTED = 1000

CLOCKS_APART = timedelta(minutes=1)
"""How far the clocks of two chat processes may differ."""


class Row(NamedTuple):
    """A room, its head, and when that was written."""

    room: str
    seq: int
    time: datetime


class RoomList:
    """Returns the rooms that were active last, the latest first; at most `MAX_LISTED`.

    The store is asked about a room if no partition here writes to it, and only until it has been quiet for a while:
    then whoever writes to it moves its mark.
    """

    def __init__(self, entries: Entries, partitions: Sequence[Partition], clock: Callable[[], datetime] = now) -> None:
        self._entries = entries
        self._partitions = partitions
        self._clock = clock
        self._quiet: dict[str, tuple[int, Row]] = {}
        """Rooms that were quiet when they were looked at: where their marks stood."""

    async def __call__(self) -> list[Row]:
        """Look."""
        marks = await self._entries.active(MAX_LISTED)
        self._quiet = {r: known for r, known in self._quiet.items() if r in marks and marks[r].seq == known[0]}
        rows = [row for room in marks if (row := self._known(room))]
        known = {row.room for row in rows}
        rows += await self._looked_up({room: mark for room, mark in marks.items() if room not in known})
        return sorted(rows, key=lambda row: row.time, reverse=True)

    def _known(self, room: str) -> Row | None:
        if newest := self._of(room).newest(room):
            return Row(room, *newest)
        return self._quiet[room][1] if room in self._quiet else None

    async def _looked_up(self, marks: dict[str, Mark]) -> list[Row]:
        terms, at = [p.term for p in self._partitions], self._clock()
        rows = []
        for room, entry in (await self._entries.newest(marks)).items():
            self._of(room).learn(entry, terms[self._of(room).number])
            rows.append(row := Row(room, entry.seq, entry.time))
            if at - marks[room].active > ACTIVE_EVERY + CLOCKS_APART:
                self._quiet[room] = (marks[room].seq, row)
        return rows

    def _of(self, room: str) -> Partition:
        return self._partitions[partition(room, len(self._partitions))]
