"""An answer as of a moment ago: one question for everybody who asks meanwhile."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")

FRESH_SECONDS = 0.5
SHARE = 0.1
"""Of the time, asking takes that much at the most, however many want to know, unless an answer takes seconds."""

STALE_SECONDS = 30
"""The oldest that an answer may be, also after one that took long."""


class Recent(Generic[T]):
    """Calls `ask` no more often than `FRESH_SECONDS` and `SHARE` allow; an answer is at most `stale` seconds old."""

    def __init__(
        self,
        ask: Callable[[], Awaitable[T]],
        clock: Callable[[], float] = time.monotonic,
        *,
        stale: float = STALE_SECONDS,
    ) -> None:
        self._ask = ask
        self._stale = stale
        self._clock = clock
        self._asking: asyncio.Task[T] | None = None
        self._good_until = 0.0

    async def __call__(self) -> T:
        """Return the answer; an error of `ask` is that of all who waited for it."""
        if self._asking is None or (self._asking.done() and self._clock() >= self._good_until):
            self._asking = asyncio.ensure_future(self._asked())
        return await asyncio.shield(self._asking)

    async def _asked(self) -> T:
        began = self._clock()
        self._good_until = began  # if it fails, the next who wants to know tries again
        answer = await self._ask()
        now = self._clock()
        self._good_until = now + min(max(FRESH_SECONDS, (now - began) / SHARE), self._stale)
        return answer
