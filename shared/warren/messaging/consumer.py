"""Consumes a work queue in batches: the one runtime of all services.

    connect → prefetch 1 → first fresh delivery → full prefetch → take what has come → handle → one ack for all
            → when it is to go: work all that was delivered → ack → close the channel

What the handler raises decides: `DependencyDownError` pauses the queue, `DeposedError` gives it up, any other error is
the event's own (`worker`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Mapping

from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import ChannelNotFoundEntity
from tenacity import AsyncRetrying, retry_if_exception_type, wait_random_exponential

from warren.errors import DependencyDownError, DeposedError
from warren.messaging import codec
from warren.messaging.connection import LOST, Link, back_off, own_cancellation_only
from warren.messaging.datapath import Consuming, Delivery, consuming
from warren.messaging.publisher import Publisher
from warren.messaging.stream import RPC_TIMEOUT
from warren.messaging.worker import Handler, Worker
from warren.observability import metrics
from warren.topology import FailurePolicy, Queue

log = logging.getLogger(__name__)

Probe = Callable[[], Awaitable[None]]
"""Returns when the dependency answers, raises when it does not."""

LEAVE_WITHIN = 3.0
"""Seconds for working what was delivered before a channel is left; what is left over goes back to the broker."""

_FIRST, _WIDE = "first", "wide"
"""Ends of consumer tags: with a prefetch of 1, until a delivery proves safe, and with the full one."""


class _ChannelClosedError(ConnectionError):
    """The channel is gone: what was not acked comes again."""


class Consumer:
    """Works one queue. `accepts` says which contracts the handler takes; None hands events over undecoded.

    `probes` are the dependencies by name: a pause ends when the probe of the one that was down succeeds.
    `on_open` is called before the first delivery of each new channel: forget what you knew of the queue.
    `on_close` is called when a channel's last delivery is worked or given up: another process may go on.
    `whole` hands bundles over as one event each.
    """

    def __init__(
        self,
        link: Link,
        queue: str | Queue,
        handler: Handler,
        *,
        service: str,
        instance: str,
        failed: Publisher,
        accepts: codec.Accepted | None,
        probes: Mapping[str, Probe] | None = None,
        on_open: Callable[[], None] | None = None,
        on_close: Callable[[], None] | None = None,
        batch_size: int = 200,
        prefetch: int = 400,
        whole: bool = False,
    ) -> None:
        self.queue = queue if isinstance(queue, str) else queue.name
        self.opened = 0
        """How often it has begun to subscribe; `subscription` tells whether that came to an end."""
        self.paused_for: str | None = None
        self.delivered = 0
        """Messages delivered on the present channel; `worked` are those of them that are worked and acked."""
        self.worked = 0
        self._single_active = isinstance(queue, Queue) and queue.single_active
        self._link = link
        self._instance = instance
        self._worker = Worker(
            self.queue,
            handler,
            service=service,
            instance=instance,
            failed=failed,
            accepts=accepts,
            whole=whole,
            policy=queue.on_failure if isinstance(queue, Queue) else FailurePolicy(),
        )
        self._probes = probes or {}
        self._on_open = on_open or _nothing
        self._on_close = on_close or _nothing
        self._batch_size = batch_size
        self._prefetch = prefetch
        self._arrived = asyncio.Queue[Delivery | None]()
        self._channel: AbstractChannel | None = None
        self._receiving: Consuming | None = None
        self._ended = asyncio.Event()
        self._tags: list[str] = []
        self._draining = False
        self._giving_way = False
        self._leave_by = 0.0
        self._consuming = False
        self._busy = False
        self._progress = False
        self._stopped = asyncio.Event()
        self._stopped.set()

    @property
    def consuming(self) -> bool:
        """Whether the broker knows this consumer and it is not paused."""
        return self._consuming

    @property
    def subscription(self) -> int:
        """Number of the present subscription of this process, from 1; 0 while it has none."""
        return self.opened if self._consuming else 0

    @property
    def idle(self) -> bool:
        """Whether nothing that was delivered waits or is in work."""
        return self._arrived.empty() and not self._busy

    async def backlog(self) -> int:
        """Return how many messages wait at the broker, those delivered not counted.

        Raises `DependencyDownError` when the broker does not say. What was delivered before the answer is in
        `delivered`: both come on one connection.
        """
        if not self._link.connected:
            raise DependencyDownError("broker", self._link.reason)
        try:
            async with asyncio.timeout(2), own_cancellation_only():
                connection = await self._link.connection()
                async with connection.channel(publisher_confirms=False) as channel:  # a new one: its count is fresh
                    found = await channel.declare_queue(self.queue, passive=True)
        except LOST as e:
            raise DependencyDownError("broker", f"{type(e).__name__}: {e}") from None
        return found.declaration_result.message_count or 0

    async def run(self) -> None:
        """Consume until cancelled or drained, through every loss of connection and every failure.

        What fails unforeseen counts as a lost channel: the broker delivers again, one message at a time, and parks
        the one that fails each time.
        """
        self._stopped.clear()
        tries = 0
        try:
            while not self._draining:
                connection = await self._link.connection()
                self._progress = False
                try:
                    async with own_cancellation_only():
                        await self._consume(connection)
                except DependencyDownError as e:
                    await self._pause(e)
                except DeposedError as e:
                    log.warning("gave the queue up", extra={"fields": {"queue": self.queue, "reason": str(e)}})
                except ChannelNotFoundEntity:
                    self._link.renew(f"queue {self.queue} is gone", connection)
                except LOST as e:
                    log.warning(
                        "channel lost",
                        extra={"fields": {"queue": self.queue, "reason": f"{type(e).__name__}: {e}"}},
                    )
                except Exception:  # the last line of defence: other queues of this process must go on
                    log.exception("consuming failed", extra={"fields": {"queue": self.queue}})
                if not self._leaving:
                    tries = 0 if self._progress else tries + 1
                    await asyncio.sleep(back_off(tries))
        finally:
            self._stopped.set()

    async def drain(self) -> None:
        """Work what has come, take no more, then stop; without a channel there is nothing to work."""
        self._draining = True
        self._leave()
        if self._channel is not None:
            await self._stopped.wait()

    def give_way(self) -> None:
        """Work what has come, then subscribe again: behind all other consumers of the queue."""
        if self._consuming and not self._giving_way:
            self._giving_way = True
            self._leave()

    def _leave(self) -> None:
        self._leave_by = time.monotonic() + LEAVE_WITHIN
        self._arrived.put_nowait(None)

    @property
    def _leaving(self) -> bool:
        return self._draining or self._giving_way

    async def _consume(self, connection: AbstractConnection) -> None:
        """Open a channel, subscribe, and work until the channel is lost or to be left."""
        self._giving_way = False
        if self._draining:
            return
        self._arrived = arrived = asyncio.Queue[Delivery | None]()
        self._ended = ended = asyncio.Event()
        self._tags = []
        self.opened += 1
        self.delivered = self.worked = 0
        channel = self._channel = await connection.channel(publisher_confirms=False)

        def end(*_: object) -> None:
            ended.set()
            arrived.put_nowait(None)

        try:
            channel.close_callbacks.add(end)
            underlay = await channel.get_underlay_channel()
            underlay.on_consumer_cancel_callbacks.add(end)
            self._on_open()
            self._receiving = await consuming(connection, channel, self._on_delivery)
            await self._subscribe(channel, _FIRST, 1)
            if self._single_active:
                await self._subscribe(channel, _WIDE, self._prefetch)
            self._consuming = True
            await self._work_until_end(channel)
        finally:
            self._busy = False
            self._consuming = False
            self._channel = None
            self._on_close()
            if not channel.is_closed:
                with contextlib.suppress(*LOST):  # it goes away in any case
                    async with asyncio.timeout(3), own_cancellation_only():
                        await channel.close()

    async def _work_until_end(self, channel: AbstractChannel) -> None:
        window, wide = 1, False
        worked: Delivery | None = None
        while messages := await self._take():
            fresh = codec.deliveries_before(messages[0]) == 0
            self._busy = True
            await self._worker.work(messages)
            worked = messages[-1]
            if self._leaving:
                continue  # an ack now would bring more
            if fresh and not wide:
                await self._widen(channel, worked)
                window, wide = self._prefetch, True
            else:
                self._ack(worked)
            self._busy = False
        if self._ended.is_set():
            raise _ChannelClosedError("closed by the broker")
        if worked is not None and self.worked < self.delivered:
            await self._ack_last(channel, worked, window)

    async def _widen(self, channel: AbstractChannel, message: Delivery) -> None:
        """Open the way wide: it is safe. Cancelling with this one delivery unacked lets no other slip in.

        Of a queue with a single active consumer this process has subscribed twice, so that it is itself the next in
        line: to subscribe only now would put it behind all other processes, with every first message.
        """
        await self._cancel(channel, self._tags.pop(0))
        self._ack(message)
        if self._single_active:
            self._on_open()  # another process may have subscribed, and worked, between the two
        else:
            await self._subscribe(channel, _WIDE, self._prefetch)

    async def _ack_last(self, channel: AbstractChannel, message: Delivery, window: int) -> None:
        """Ack before the channel is closed, so that the broker delivers nothing in between.

        What it delivered would come again counted as redelivered, and so be worked one by one. While the window is
        full no delivery is under way, and cancelling is safe; while it is not, nothing waits at the broker. With a
        delivery that is not worked it would not be: the next consumer would get what comes after it.
        """
        if self._arrived.empty() and self.delivered - self.worked >= window:
            for tag in reversed(self._tags):  # or the next would become active
                await self._cancel(channel, tag)
        self._ack(message)

    async def _subscribe(self, channel: AbstractChannel, kind: str, prefetch: int) -> None:
        await channel.set_qos(prefetch_count=prefetch, timeout=RPC_TIMEOUT)
        assert self._receiving is not None  # noqa: S101 - made with the channel
        tag = f"{self._instance}:{self.queue}:{kind}"
        await self._receiving.subscribe(self.queue, tag)
        self._tags.append(tag)

    async def _cancel(self, channel: AbstractChannel, tag: str) -> None:
        underlay = await channel.get_underlay_channel()
        await underlay.basic_cancel(tag, timeout=RPC_TIMEOUT)

    def _on_delivery(self, message: Delivery) -> None:
        self.delivered += 1
        self._arrived.put_nowait(message)

    async def _take(self) -> list[Delivery]:
        """Wait for a message, then take what else has come: a lone one does not wait for a batch.

        Returns nothing when the channel has ended, or is to be left and all that came is taken, or time is over.
        """
        if self._leaving and time.monotonic() > self._leave_by:
            return []
        messages: list[Delivery] = []
        events = 0
        while events < self._batch_size and not self._ended.is_set():
            if self._arrived.empty() and (messages or self._leaving):
                break
            message = await self._arrived.get()
            if message is not None:  # None is a call to look again
                messages.append(message)
                events += _events_in(message)
        return [] if self._ended.is_set() else messages

    def _ack(self, last: Delivery) -> None:
        """Ack everything up to and with a message."""
        assert self._receiving is not None  # noqa: S101 - it has delivered this one
        self._receiving.ack(last)
        self.worked = last.delivery_tag
        self._progress = True

    async def _pause(self, error: DependencyDownError) -> None:
        """Wait until the dependency itself answers: the broker must not be asked to redeliver as a probe."""
        self.paused_for = error.dependency
        metrics.PAUSES.labels(self.queue, error.dependency).inc()
        log.warning("paused", extra={"fields": {"queue": self.queue, "reason": str(error)}})
        probe = self._probes.get(error.dependency)
        try:
            if probe is not None:
                async for attempt in AsyncRetrying(
                    wait=wait_random_exponential(multiplier=0.05, max=2),
                    retry=retry_if_exception_type((DependencyDownError, *LOST)),
                ):
                    with attempt:
                        await probe()
        finally:
            self.paused_for = None


def _nothing() -> None:
    pass


def _events_in(message: Delivery) -> int:
    count = message.headers.get("x-warren-events", 1)
    return count if isinstance(count, int) and count > 0 else 1
