"""One channel's own queue: what it does not take is tried again with growing delays, and no other channel waits."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

from prometheus_client import Counter, Gauge
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_delay, wait_random_exponential

from dlq_monitor.alerting.channels.base import Channel, DeliveryError
from dlq_monitor.alerting.model import Notice
from warren.errors import DependencyDownError

log = logging.getLogger(__name__)

NOTICES = Counter("warren_alert_notices", "Notices by what became of them", ["channel", "outcome"])
"""Outcomes: `delivered`, `failed` (one try), `dropped` (given up, or no room in the queue)."""

WAITING = Gauge("warren_alert_notices_waiting", "Notices that wait for a channel", ["channel"])

MAX_WAITING = 1000
DRAIN = 2.0
"""Seconds that a channel may take at a drain."""

MAX_DELAY = 60.0
"""Seconds between two tries, at the most."""

Delivered = Callable[[str, Notice], Awaitable[None]]


class Courier:
    """Brings notices to one channel, in order; `retry` is how many seconds it tries for one of them."""

    def __init__(self, channel: Channel, delivered: Delivered, *, retry: float) -> None:
        self.channel = channel
        self.reason = ""
        """Why the last try failed; empty if it did not."""
        self._delivered = delivered
        self._retry = retry
        self._waiting: asyncio.Queue[Notice] = asyncio.Queue(MAX_WAITING)
        self._busy = False

    @property
    def waiting(self) -> int:
        """Notices that wait, the one being delivered included."""
        return self._waiting.qsize() + self._busy

    def hand(self, notice: Notice) -> None:
        """Take a notice, if it is one for this channel; never waits."""
        if notice.kind not in self.channel.kinds:
            return
        if notice.kind in {"reminder", "refresh"} and self.waiting:
            return  # it says nothing that is not said by what waits already
        try:
            self._waiting.put_nowait(notice)
        except asyncio.QueueFull:
            self._drop(notice, f"{MAX_WAITING} notices wait already")
        self._count()

    async def probe(self) -> None:
        """Raise while the channel fails."""
        if self.reason:
            raise DeliveryError(f"{self.reason}; {self.waiting} notices wait")

    async def test(self, notice: Notice) -> None:
        """Deliver a notice now, past the queue and without a second try; raises why it failed."""
        await self._once(notice)

    async def run(self) -> None:
        """Deliver until cancelled."""
        while True:
            notice = await self._waiting.get()
            self._busy = True
            try:
                await self._bring(notice)
            finally:
                self._busy = False
                self._waiting.task_done()
                self._count()

    async def drain(self) -> None:
        """Wait for what is under way, unless the channel fails: it is still owed, and told after the next start."""
        if not self.reason:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._waiting.join(), DRAIN)

    async def _bring(self, notice: Notice) -> None:
        try:
            async for attempt in AsyncRetrying(
                wait=wait_random_exponential(multiplier=1, max=MAX_DELAY),
                stop=stop_after_delay(self._retry),
                retry=retry_if_exception(lambda e: isinstance(e, Exception)),
                before_sleep=self._say,
                reraise=True,
            ):
                with attempt:
                    await self._once(notice)
        except Exception as e:  # noqa: BLE001 - one notice that cannot be delivered must not end the courier
            self._drop(notice, str(e) or type(e).__name__)
        else:
            await self._delivered(self.channel.name, notice)

    async def _once(self, notice: Notice) -> None:
        name = self.channel.name
        try:
            await self.channel.send(notice)
        except Exception as e:
            self.reason = str(e) or type(e).__name__
            NOTICES.labels(name, "failed").inc()
            if isinstance(e, DeliveryError | DependencyDownError):
                raise
            log.exception("a channel broke", extra={"fields": {"channel": name}})
            raise DeliveryError(f"{type(e).__name__}: {e}") from e
        self.reason = ""
        NOTICES.labels(name, "delivered").inc()

    def _say(self, state: RetryCallState) -> None:
        fields = {"channel": self.channel.name, "reason": self.reason, "attempt": state.attempt_number}
        log.warning("an alert could not be told, trying again", extra={"fields": fields})

    def _drop(self, notice: Notice, reason: str) -> None:
        NOTICES.labels(self.channel.name, "dropped").inc()
        fields = {"channel": self.channel.name, "kind": notice.kind, "alerts": len(notice.alerts), "reason": reason}
        log.error("an alert was not told", extra={"fields": fields})

    def _count(self) -> None:
        WAITING.labels(self.channel.name).set(self.waiting)
