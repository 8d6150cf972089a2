"""Consumes a work queue in batches: the one runtime of all services.

    connect → prefetch 1 → first fresh delivery → full prefetch → take what has come → handle → one ack for all
            → when it is to go: work all that was delivered → ack → close the channel

What the handler raises decides: `DependencyDownError` pauses the queue, `DeposedError` gives it up, any other error
splits the batch so that each event gets its own verdict (`policy.decide`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage
from aio_pika.exceptions import ChannelNotFoundEntity
from tenacity import AsyncRetrying, retry_if_exception_type, wait_random_exponential

from warren.envelope import Event
from warren.errors import ContractError, DependencyDownError, DeposedError
from warren.messaging import codec, failures
from warren.messaging.connection import LOST, Link, back_off, own_cancellation_only
from warren.messaging.policy import DeadLetter, Retry, decide
from warren.messaging.publisher import Publisher
from warren.observability import metrics
from warren.topology import Queue, retry_exchange

log = logging.getLogger(__name__)

Handler = Callable[[Sequence[Event]], Awaitable[None]]
Probe = Callable[[], Awaitable[None]]
"""Returns when the dependency answers, raises when it does not."""

SPLIT_AT = 4
"""Earlier deliveries after which a bundle is taken apart: then a poison event dies alone.

Not sooner, as its events go to the end of the queue and lose their senders' order; and what a consumer had ahead when
it died, or left, counts as delivered, too.
"""

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
        self._handler = handler
        self._service = service
        self._instance = instance
        self._failed = failed
        self._accepts = accepts
        self._probes = probes or {}
        self._on_open = on_open or _nothing
        self._on_close = on_close or _nothing
        self._batch_size = batch_size
        self._prefetch = prefetch
        self._split = _as_one if whole else codec.split
        self._arrived = asyncio.Queue[AbstractIncomingMessage | None]()
        self._channel: AbstractChannel | None = None
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
        self._arrived = arrived = asyncio.Queue[AbstractIncomingMessage | None]()
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
        worked: AbstractIncomingMessage | None = None
        while messages := await self._take():
            fresh = codec.deliveries_before(messages[0]) == 0
            self._busy = True
            await self._work(messages)
            worked = messages[-1]
            if self._leaving:
                continue  # an ack now would bring more
            if fresh and not wide:
                await self._widen(channel, worked)
                window, wide = self._prefetch, True
            else:
                await self._ack(worked)
            self._busy = False
        if self._ended.is_set():
            raise _ChannelClosedError("closed by the broker")
        if worked is not None and self.worked < self.delivered:
            await self._ack_last(channel, worked, window)

    async def _widen(self, channel: AbstractChannel, message: AbstractIncomingMessage) -> None:
        """Open the way wide: it is safe. Cancelling with this one delivery unacked lets no other slip in.

        Of a queue with a single active consumer this process has subscribed twice, so that it is itself the next in
        line: to subscribe only now would put it behind all other processes, with every first message.
        """
        await self._cancel(channel, self._tags.pop(0))
        await self._ack(message)
        if self._single_active:
            self._on_open()  # another process may have subscribed, and worked, between the two
        else:
            await self._subscribe(channel, _WIDE, self._prefetch)

    async def _ack_last(self, channel: AbstractChannel, message: AbstractIncomingMessage, window: int) -> None:
        """Ack before the channel is closed, so that the broker delivers nothing in between.

        What it delivered would come again counted as redelivered, and so be worked one by one. While the window is
        full no delivery is under way, and cancelling is safe; while it is not, nothing waits at the broker. With a
        delivery that is not worked it would not be: the next consumer would get what comes after it.
        """
        if self._arrived.empty() and self.delivered - self.worked >= window:
            for tag in reversed(self._tags):  # or the next would become active
                await self._cancel(channel, tag)
        await self._ack(message)

    async def _subscribe(self, channel: AbstractChannel, kind: str, prefetch: int) -> None:
        await channel.set_qos(prefetch_count=prefetch, timeout=10)
        queue = await channel.get_queue(self.queue, ensure=False)
        tag = f"{self._instance}:{self.queue}:{kind}"
        await queue.consume(self._on_message, consumer_tag=tag, timeout=10)
        self._tags.append(tag)

    async def _cancel(self, channel: AbstractChannel, tag: str) -> None:
        underlay = await channel.get_underlay_channel()
        await underlay.basic_cancel(tag, timeout=10)

    async def _on_message(self, message: AbstractIncomingMessage) -> None:
        self.delivered += 1
        self._arrived.put_nowait(message)

    async def _take(self) -> list[AbstractIncomingMessage]:
        """Wait for a message, then take what else has come: a lone one does not wait for a batch.

        Returns nothing when the channel has ended, or is to be left and all that came is taken, or time is over.
        """
        if self._leaving and time.monotonic() > self._leave_by:
            return []
        messages: list[AbstractIncomingMessage] = []
        events = 0
        while events < self._batch_size and not self._ended.is_set():
            if self._arrived.empty() and (messages or self._leaving):
                break
            message = await self._arrived.get()
            if message is not None:  # None is a call to look again
                messages.append(message)
                events += _events_in(message)
        return [] if self._ended.is_set() else messages

    async def _ack(self, last: AbstractIncomingMessage) -> None:
        """Ack everything up to and with a message."""
        await last.ack(multiple=True)
        self.worked = last.delivery_tag or self.worked
        self._progress = True

    async def _work(self, messages: list[AbstractIncomingMessage]) -> None:
        """Bring every event of the messages to an end: handled, sent for a retry, or dead."""
        began = time.perf_counter()
        batch: list[Event] = []
        for message in messages:
            before = codec.deliveries_before(message)
            try:
                events = self._split(message)
            except ContractError as e:
                if self._accepts is not None:
                    await self._settle(codec.single(message), e)
                    continue
                events = [codec.single(message)]  # whoever takes everything takes a broken bundle too, as it is
            if before >= SPLIT_AT and len(events) > 1:
                await self._handle(batch)
                batch = []
                await self._republish(events)
            elif before > 0:  # it was in work when a process died: one by one, in order
                await self._handle(batch)
                batch = []
                for event in events:
                    await self._handle(await self._decode([event]))
            else:
                batch += await self._decode(events)
        await self._handle(batch)
        metrics.HANDLING.labels(self.queue).observe(time.perf_counter() - began)

    async def _decode(self, events: list[Event]) -> list[Event]:
        if self._accepts is None:
            return events
        good: list[Event] = []
        for event in events:
            if codec.passes_over(event, self._accepts):
                continue
            try:
                good.append(codec.decode(event, self._accepts))
            except ContractError as e:
                await self._settle(event, e)
        return good

    async def _handle(self, events: list[Event]) -> None:
        if not events:
            return
        try:
            await self._handler(events)
        except (DependencyDownError, DeposedError):
            raise
        except Exception as e:  # noqa: BLE001 - the policy judges every error, bugs of ours included
            if len(events) == 1:
                await self._settle(events[0], e)
                return
            for event in events:
                await self._handle([event])
            return
        metrics.BATCH_SIZE.labels(self.queue).observe(len(events))
        metrics.CONSUMED.labels(self.queue).inc(len(events))

    async def _settle(self, event: Event, error: BaseException) -> None:
        verdict = decide(event.attempt, error)
        fields = {
            "queue": self.queue,
            "type": event.type[:100],
            "event": event.id[:100],
            "trace": event.trace_id or None,
            "cause": type(error).__name__,
            "reason": str(error)[:200],
            "attempt": event.attempt,
        }
        match verdict:
            case Retry(delay):
                log.warning("event failed, tried again later", extra={"fields": {**fields, "delay": delay}})
                metrics.RETRIED.labels(self.queue).inc()
                await self._failed.publish(failures.retry_copy(event, self._service, delay))
            case DeadLetter(cause):
                log.error(
                    "event is dead",
                    extra={"fields": fields},
                    exc_info=error if cause != "ContractError" else None,
                )
                metrics.DEAD_LETTERED.labels(self.queue, cause).inc()
                await self._failed.publish(failures.dead_copy(event, self._service, self._instance, self.queue, error))

    async def _republish(self, events: list[Event]) -> None:
        log.warning("a bundle keeps failing, it is taken apart", extra={"fields": {"queue": self.queue}})
        await self._failed.publish_all([failures.again_copy(e, retry_exchange(self._service)) for e in events])

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


def _as_one(message: AbstractIncomingMessage) -> list[Event]:
    return [codec.single(message)]


def _events_in(message: AbstractIncomingMessage) -> int:
    count = message.headers.get("x-warren-events", 1)
    return count if isinstance(count, int) and count > 0 else 1
