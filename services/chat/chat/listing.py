"""The list of rooms, from what the partitions of this process know and, for the others, from the store."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from chat.handlers import Partition
from chat.repository import Entries
from warren.topology import partition

MAX_LISTED = 1000


class Row(NamedTuple):
    """A room, its head, and when that was written."""

    room: str
    seq: int
    time: datetime


class RoomList:
    """Returns the rooms that were active last, the latest first; at most `MAX_LISTED`."""

    def __init__(self, entries: Entries, partitions: Sequence[Partition]) -> None:
        self._entries = entries
        self._partitions = partitions

    async def __call__(self) -> list[Row]:
        """Look."""
        marks = await self._entries.active(MAX_LISTED)
        terms = [p.term for p in self._partitions]
        rows = [Row(room, *newest) for room in marks if (newest := self._of(room).newest(room))]
        known = {row.room for row in rows}
        for entry in (await self._entries.newest({r: m for r, m in marks.items() if r not in known})).values():
            self._of(entry.room).learn(entry, terms[self._of(entry.room).number])
            rows.append(Row(entry.room, entry.seq, entry.time))
        return sorted(rows, key=lambda row: row.time, reverse=True)

    def _of(self, room: str) -> Partition:
        return self._partitions[partition(room, len(self._partitions))]
