"""How long letters are kept: what is dealt with goes by age and by count, what is open never goes unsaid."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from prometheus_client import Counter, Gauge

from dlq_monitor.desk import Desk
from dlq_monitor.model import OPEN, STATUSES, Status
from warren.contracts import now
from warren.errors import DependencyDownError

log = logging.getLogger(__name__)

REMOVED = Counter("warren_letters_removed", "Letters removed by retention", ["open"])
OVER = Gauge("warren_letters_over_limit", "Open letters beyond the number that is to be kept: none of them is removed")

INTERVAL = 60.0
"""Seconds between two rounds."""

RETRY = 1.0
"""Seconds before a round that could not be done is tried again."""

_DONE: tuple[Status, ...] = tuple(s for s in STATUSES if s not in OPEN)


class Retention:
    """Removes old letters; `days` and `count` are limits for those that are dealt with, 0 for none.

    `open_days` is a limit for open ones, and each round that removes some says so in the log and in a metric.
    """

    def __init__(self, desk: Desk, *, days: float, count: int, open_days: float) -> None:
        self._desk = desk
        self._days = days
        self._count = count
        self._open_days = open_days
        self._over = 0

    async def run(self) -> None:
        """Remove what is too old or too much, again and again."""
        while True:
            try:
                await self.round()
                pause = INTERVAL
            except DependencyDownError as e:
                log.debug("retention waits", extra={"fields": {"reason": str(e)}})
                pause = RETRY
            await asyncio.sleep(pause)

    async def drain(self) -> None:
        """Nothing to finish: a round that is cut short goes on at the next start."""

    async def round(self) -> int:
        """Remove what is too old or too much; returns how many letters went."""
        removed = await self._older(_DONE, self._days) if self._days else 0
        if self._open_days and (gone := await self._older(OPEN, self._open_days)):
            log.warning("open letters removed", extra={"fields": {"letters": gone, "older_than_days": self._open_days}})
            removed += gone
        removed += await self._too_many()
        if removed:
            await self._desk.begin()
            log.info("letters removed", extra={"fields": {"letters": removed}})
        return removed

    async def _older(self, statuses: Sequence[Status], days: float) -> int:
        gone = last = 0
        before = now() - timedelta(days=days)
        while some := self._desk.oldest(statuses, parked_before=before, after=last):
            gone += await self._remove(some, statuses, before)
            last = some[-1]
        return gone

    async def _too_many(self) -> int:
        gone = last = 0
        while (excess := self._excess()) and (some := self._desk.oldest(_DONE, after=last)):
            gone += await self._remove(some[:excess], _DONE, now())
            last = some[-1]
        if excess and not self._over:
            fields = {"letters": self._desk.counts().total(), "limit": self._count}
            log.warning("more letters are open than are to be kept; none is removed", extra={"fields": fields})
        self._over = excess
        OVER.set(excess)
        return gone

    def _excess(self) -> int:
        return max(0, self._desk.counts().total() - self._count) if self._count else 0

    async def _remove(self, some: Sequence[int], statuses: Sequence[Status], before: datetime) -> int:
        gone = await self._desk.remove(some, statuses, unchanged_since=before)
        REMOVED.labels(str(statuses is OPEN).lower()).inc(gone)
        return gone
