"""The list of rooms as of a moment ago: one look at the store for everybody who asks meanwhile."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from chat.model import Entry

Row = tuple[str, int, Entry]
"""A room, its head and its newest entry."""

FRESH_SECONDS = 0.5
SHARE = 0.1
"""Of the time, looking takes that much at the most, however many ask, unless a look takes seconds."""

STALE_SECONDS = 30
"""The oldest that a list may be, also after a look that took long because the store did."""


class RoomList:
    """Rooms, the most recently active first; `look` is asked no more often than `FRESH_SECONDS` and `SHARE` allow."""

    def __init__(self, look: Callable[[], Awaitable[list[Row]]], clock: Callable[[], float] = time.monotonic) -> None:
        self._look = look
        self._clock = clock
        self._looking: asyncio.Task[list[Row]] | None = None
        self._good_until = 0.0

    async def newest(self, limit: int) -> list[Row]:
        """Return so many of them; an error of the look is that of all who waited for it."""
        if self._looking is None or (self._looking.done() and self._clock() >= self._good_until):
            self._looking = asyncio.ensure_future(self._refreshed())
        return (await asyncio.shield(self._looking))[:limit]

    async def _refreshed(self) -> list[Row]:
        began = self._clock()
        self._good_until = began  # if it fails, the next who asks tries again
        rows = await self._look()
        now = self._clock()
        self._good_until = now + min(max(FRESH_SECONDS, (now - began) / SHARE), STALE_SECONDS)
        return rows
