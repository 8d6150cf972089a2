"""Confirmed publishes, bundled under load, in order per routing key.

Trick: a lane per (exchange, routing key) has one publish outstanding; what arrives meanwhile goes out as one bundle.
A lone event leaves at once; under load a bundle costs one confirm. And what is published again after a lost
connection can't overtake what was published before it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from aio_pika.abc import AbstractConnection
from pamqp.commands import Basic

from warren.envelope import Event
from warren.errors import DependencyDownError, PublishError, UnroutableError
from warren.messaging.codec import to_content
from warren.messaging.connection import LOST, Link, own_cancellation_only
from warren.messaging.datapath import Content, Publishing, ReturnedError, publishing
from warren.observability.metrics import BUNDLE_SIZE, PUBLISH_FAILURES, PUBLISHED
from warren.topology import EPHEMERAL

log = logging.getLogger(__name__)

MAX_BUNDLE_EVENTS = 256
MAX_BUNDLE_BYTES = 256 * 1024
NOT_PERSISTENT = 1
_PROBE = Content(Basic.Properties(message_type="warren.probe"), b"")
CONFIRM_TIMEOUT = 5.0
"""Seconds; below three heartbeats, after which the library would end the wait in its own way."""


@dataclass(slots=True)
class _Waiting:
    event: Event
    deadline: float
    confirmed: asyncio.Future[None]


class Publisher:
    """Publishes on a link of its own; an unroutable event is an error, never a loss."""

    def __init__(self, link: Link, app: str, *, timeout: float) -> None:
        self._link = link
        self._app = app
        self._timeout = timeout
        self._lanes: dict[tuple[str, str], _Lane] = {}
        self._confirmed: Publishing | None = None
        self._transient: Publishing | None = None
        self._of: AbstractConnection | None = None
        self._opening = asyncio.Lock()

    @property
    def connected(self) -> bool:
        """Whether a publish would go out now."""
        return self._link.connected

    async def publish(self, event: Event) -> None:
        """Publish and wait for the broker's confirm.

        Raises `PublishError` when it did not come in time (the event may arrive all the same) and
        `UnroutableError` when no queue takes the event.
        """
        await self.submit(event)

    async def publish_all(self, events: Sequence[Event]) -> None:
        """Publish many, in order per routing key, and wait for all confirms; raises the first error."""
        if not events:
            return
        results = await asyncio.gather(*[self.submit(e) for e in events], return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def publish_each(self, events: Sequence[Event]) -> list[BaseException | None]:
        """Publish many at once, in order, each as a message of its own, and wait for all confirms.

        It does not wait its turn in a lane: for bulk that nothing else publishes beside. Returns, for each event, what
        `publish` would have raised, or None. What a lost connection leaves unconfirmed is published again in order.
        """
        results: list[BaseException | None] = [None] * len(events)
        left = list(range(len(events)))
        deadline = asyncio.get_running_loop().time() + self._timeout
        while left:
            patience = deadline - asyncio.get_running_loop().time()
            if patience <= 0:
                reason = self._link.reason if not self._link.connected else "no confirm in time"
                for place in left:
                    results[place] = PublishError("broker", reason)
                break
            outcomes = await self._publish_once([events[p] for p in left], min(patience, CONFIRM_TIMEOUT))
            again = []
            for place, outcome in zip(left, outcomes, strict=True):
                if isinstance(outcome, LOST):
                    again.append(place)
                elif isinstance(outcome, ReturnedError):
                    results[place] = self._unroutable(events[place])
                else:
                    results[place] = outcome
                    PUBLISHED.labels(events[place].exchange).inc(outcome is None)
            if left := again:
                PUBLISH_FAILURES.labels(events[left[0]].exchange).inc(len(left))
                await asyncio.sleep(0.05)  # the pace of tries against a channel that fails at once
        return results

    async def _publish_once(self, events: Sequence[Event], patience: float) -> list[BaseException | None]:
        """Return what became of each; one that is confirmed is so, whatever happens to the others."""
        confirms: list[asyncio.Future[None]] = []
        lost: BaseException | None = None
        try:
            async with asyncio.timeout(patience), own_cancellation_only():
                channel = await self._open()
                confirms += [self._written(channel, one) for one in events]
                await asyncio.wait(confirms)
        except LOST as e:
            lost = e
        finally:
            unknown = [c for c in confirms if not c.done()]
            for confirm in unknown:
                confirm.cancel()
        return [c.exception() if not c.cancelled() else lost for c in confirms] or [lost] * len(events)

    def _written(self, channel: Publishing, one: Event) -> asyncio.Future[None]:
        """Write one event; what cannot be written fails by itself."""
        try:
            return channel.publish(one.exchange, one.routing_key, to_content((one,), self._app), mandatory=True)
        except LOST:
            raise
        except Exception as e:  # noqa: BLE001 - headers of strangers: whatever is wrong with them, the others go on
            failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            failed.set_exception(e)
            return failed

    async def publish_transient(self, event: Event) -> None:
        """Publish without confirm and without persistence; dropped, and no error, while the broker is away."""
        if not self._link.connected:
            return
        try:
            async with own_cancellation_only():
                if self._transient is None or self._transient.closed:
                    self._transient = await publishing(await self._link.connection(), confirms=False)
                content = to_content((event,), self._app, mode=NOT_PERSISTENT)
                self._transient.publish(event.exchange, event.routing_key, content, mandatory=False)
        except LOST as e:
            log.debug("a transient event is dropped", extra={"fields": {"type": event.type, "reason": str(e)}})

    async def probe(self) -> None:
        """Return when the broker confirms a publish now; raise `DependencyDownError` when it does not.

        The probe goes to no queue; under a memory or disk alarm the broker does not confirm even that. It takes an
        exchange that every service may write to: a right on the default exchange would be one on all queues.
        """
        if not self._link.connected:
            raise DependencyDownError("broker", self._link.reason)
        try:
            async with asyncio.timeout(2), own_cancellation_only():
                channel = await self._open()
                await channel.publish(EPHEMERAL, "warren.probe", _PROBE, mandatory=False)
        except LOST as e:
            raise DependencyDownError("broker", f"{type(e).__name__}: {e}") from None

    def submit(self, event: Event) -> asyncio.Future[None]:
        """Queue an event in its lane; the future ends as `publish` does. Events submitted in order stay in order."""
        loop = asyncio.get_running_loop()
        key = (event.exchange, event.routing_key)
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = _Lane(self, key)
        waiting = _Waiting(event, loop.time() + self._timeout, loop.create_future())
        lane.add(waiting)
        return waiting.confirmed

    def _forget(self, key: tuple[str, str]) -> None:
        self._lanes.pop(key, None)

    async def send(self, events: Sequence[Event], deadline: float) -> None:
        """Publish events of one lane as one message and wait for its confirm, reconnecting within `deadline`.

        After an unroutable one the link is set up anew: that declares, or waits for, what is missing.
        """
        first = events[0]
        content = to_content(events, self._app)
        loop = asyncio.get_running_loop()
        while True:
            left = deadline - loop.time()
            if left <= 0:
                raise PublishError("broker", self._link.reason if not self._link.connected else "no confirm in time")
            try:
                async with asyncio.timeout(min(left, CONFIRM_TIMEOUT)), own_cancellation_only():
                    channel = await self._open()
                    await channel.publish(first.exchange, first.routing_key, content, mandatory=True)
            except ReturnedError:
                raise self._unroutable(first) from None
            except LOST as e:
                PUBLISH_FAILURES.labels(first.exchange).inc()
                log.warning(
                    "publish failed, trying again",
                    extra={"fields": {"link": self._link.name, "reason": f"{type(e).__name__}: {e}"}},
                )
                await asyncio.sleep(0.05)  # the pace of tries against a channel that fails at once
            else:
                PUBLISHED.labels(first.exchange).inc(len(events))
                BUNDLE_SIZE.observe(len(events))
                return

    def _unroutable(self, event: Event) -> UnroutableError:
        reason = f"no queue takes {event.routing_key} of {event.exchange or 'the default exchange'}"
        self._link.renew(reason, self._of)
        return UnroutableError("broker", reason)

    async def _open(self) -> Publishing:
        connection = await self._link.connection()
        async with self._opening:
            # One that is open is kept, whatever failed on it: opening more of them each time would use them all up.
            if self._confirmed is None or self._confirmed.closed or self._of is not connection:
                self._confirmed, self._of = await publishing(connection, confirms=True), connection
            return self._confirmed


class _Lane:
    """Events of one routing key, waiting their turn; its task lives while there are any."""

    def __init__(self, publisher: Publisher, key: tuple[str, str]) -> None:
        self._publisher = publisher
        self._key = key
        self._waiting: deque[_Waiting] = deque()
        self._task: asyncio.Task[None] | None = None

    def add(self, waiting: _Waiting) -> None:
        self._waiting.append(waiting)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        while self._waiting:
            batch = self._take()
            if not batch:
                continue
            try:
                await self._publisher.send([w.event for w in batch], batch[0].deadline)
            except asyncio.CancelledError:
                for waiting in (*batch, *self._waiting):
                    waiting.confirmed.cancel()
                raise
            except (PublishError, UnroutableError) as e:
                self._fail(batch, e)
            except Exception as e:  # noqa: BLE001 - whoever waits for the confirm must learn of any error
                self._fail(batch, e)
            else:
                for waiting in batch:
                    if not waiting.confirmed.done():
                        waiting.confirmed.set_result(None)
        self._publisher._forget(self._key)  # noqa: SLF001 - the two are one

    def _take(self) -> list[_Waiting]:
        batch: list[_Waiting] = []
        size = 0
        while self._waiting and len(batch) < MAX_BUNDLE_EVENTS:
            event = self._waiting[0].event
            size += len(event.body)
            if batch and (size > MAX_BUNDLE_BYTES or event.alone):
                break
            waiting = self._waiting.popleft()
            if not waiting.confirmed.done():  # who waited has given up: do not send it late
                batch.append(waiting)
                if event.alone:
                    break
        return batch

    @staticmethod
    def _fail(batch: list[_Waiting], error: Exception) -> None:
        for waiting in batch:
            if not waiting.confirmed.done():
                waiting.confirmed.set_exception(error)
