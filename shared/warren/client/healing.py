"""Filling what a room misses, over REST: entries after a gap in `seq`, members after a gap in `rev`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from warren.client.backoff import Backoff
from warren.client.errors import RefusedError, UnreachableError
from warren.client.rest import PAGE, Rest
from warren.client.state import Frame, Room

GIVE_UP = 5_000
"""A larger hole is not fetched unasked: the client says `truncated`, and the user may page through it."""


@dataclass(slots=True)
class Healer:
    """Works on one room at a time once, however often it is asked to.

    `token` returns the present token; `found` is told of entries that are in order now.
    """

    rest: Rest
    token: Callable[[], str | None]
    found: Callable[[Room, list[Frame]], None]
    emit: Callable[[Frame], None]
    _busy: set[str] = field(default_factory=set)

    def may_begin(self, room: Room) -> bool:
        """Return whether there is something to heal that nobody works on yet."""
        return (room.stale or room.gap() is not None) and room.name not in self._busy

    async def heal(self, room: Room) -> None:
        """Fetch until nothing is missing; waits and goes on while REST is away."""
        if room.name in self._busy:
            return
        self._busy.add(room.name)
        backoff = Backoff()
        try:
            while room.stale or room.gap() is not None:
                try:
                    progress = await self._members(room) if room.stale else await self._entries(room)
                    wait = 0.0
                except UnreachableError as e:
                    progress, wait = False, e.retry_after
                except RefusedError as e:
                    self._skip(room, f"history refused: {e}")
                    return
                if not progress:
                    await asyncio.sleep(backoff.delay(wait))
        finally:
            self._busy.discard(room.name)

    async def _members(self, room: Room) -> bool:
        got = await self.rest.members(room.name, self.token())
        room.replace_members(None if got["truncated"] else got["members"], got["count"], got["rev"])
        self.emit({"type": "members", "room": room.name})
        return not room.stale

    async def _entries(self, room: Room) -> bool:
        gap = room.gap()
        if gap is None:
            return True
        after, before = gap
        if before - after - 1 > GIVE_UP:
            self._skip(room, "too much was missed to fetch it unasked")
            return True
        page = await self.rest.entries(room.name, self.token(), after=after, limit=min(PAGE, before - after - 1))
        self.found(room, room.add(page["entries"]))
        return room.seq != after

    def _skip(self, room: Room, reason: str) -> None:
        while (gap := room.gap()) is not None:
            entries = room.skip()
            self.emit({"type": "truncated", "room": room.name, "after": gap[0], "before": gap[1], "reason": reason})
            self.found(room, entries)
        room.stale = False
