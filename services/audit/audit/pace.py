"""Lets events gather under load: a document of its own for each event would cost ten times as much.

A lone event in quiet times never waits. A batch that comes soon after the last one waits until the next document is
due, and more events come in behind it. Where waiting gathers nothing, it stops: what a crash brings back is delivered
one by one, and each would wait in vain.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

LARGE = 100
"""Events from which a batch is worth a document at once."""


class Pace:
    """At most one small batch per `interval` seconds; `now` is a monotonic clock in seconds."""

    def __init__(
        self,
        interval: float,
        now: Callable[[], float] | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._interval = interval
        self._now = now or (lambda: asyncio.get_running_loop().time())
        self._sleep = sleep
        self._due = float("-inf")
        self._waited = False
        self._helps = False

    async def wait(self, events: int) -> None:
        """Wait for the turn of a batch of so many events."""
        if events > 1:
            self._helps = True
        elif self._waited:
            self._helps = False
        left = self._due - self._now()
        self._waited = self._helps and events < LARGE and left > 0
        if self._waited:
            await self._sleep(left)
        self._due = self._now() + self._interval
