"""Look through one queue by hand: its messages go back in their order unless they are acked.

Tricks, all for the order. One consumer takes them: when its channel is closed, a quorum queue puts what it had back in
order; it does not for many single gets, nor for many nacks. And a quorum queue hands out first what came back to it,
and puts what comes back behind that: so every look takes all there is (up to `TAKEN`), whatever it looks at.

The broker counts a look as a delivery of each message, so a queue with a small delivery limit should not be looked
through often.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import cast

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import ChannelNotFoundEntity

from warren.envelope import Event
from warren.errors import DependencyDownError, UnroutableError, WarrenError
from warren.messaging.codec import single, to_content
from warren.messaging.connection import LOST, own_cancellation_only
from warren.messaging.datapath import Consuming, Delivery, Publishing, ReturnedError, consuming, publishing
from warren.messaging.failures import DEATH
from warren.messaging.stream import RPC_TIMEOUT, Connection

HEARTBEAT = 30
"""Seconds."""

TAKEN = 65_535
"""Messages that are taken at once, at the most: AMQP's largest prefetch."""

AHEAD = 50
"""Messages that wait here for being looked at; those beyond wait at the broker."""

QUIET, PATIENCE = 0.3, 5.0
"""Seconds without a message after which there are no more; the second while fewer came than the broker had counted."""


LEAVING = 2.0
"""Seconds in which a consumer that is counted may turn out to be gone: the broker learns of an end a little late."""


class QueueError(WarrenError):
    """The queue cannot be looked through: it is missing, or somebody consumes it."""


@dataclass(frozen=True, slots=True)
class Held:
    """A message in our hands; it is nameless if it has no id, time or death to tell it from others."""

    event: Event
    nameless: bool
    tag: int


class Browsing:
    """One queue that is being looked through, once."""

    def __init__(
        self, url: str, connection: AbstractConnection, channel: AbstractChannel, queue: str, count: int
    ) -> None:
        self._url = url
        self._stream = cast("Connection", connection).stream
        self._connection = connection
        self._channel = channel
        self._queue = queue
        self._count = count
        self._limit = 0
        self._arrived: asyncio.Queue[Delivery] = asyncio.Queue()
        self._consuming: Consuming | None = None
        self._publishing: Publishing | None = None
        self._open = contextlib.AsyncExitStack()

    async def messages(self, limit: int) -> AsyncIterator[Held]:
        """Yield at most `limit` messages, the one at the head first."""
        self._limit = limit
        with _lost():
            await self._channel.set_qos(prefetch_count=TAKEN, timeout=RPC_TIMEOUT)
            self._consuming = await consuming(self._connection, self._channel, self._take)
            await self._consuming.subscribe(self._queue, f"browse {self._queue}")
        for number in range(limit):
            try:
                one = await asyncio.wait_for(self._arrived.get(), QUIET if number >= self._count else PATIENCE)
            except TimeoutError:
                if self._channel.is_closed:
                    raise DependencyDownError("broker", "the connection was lost") from None
                return
            if self._arrived.qsize() < AHEAD:
                self._stream.resume()
            named = one.message_id or one.timestamp or DEATH in one.headers
            yield Held(single(one), not named, one.delivery_tag)

    def _take(self, one: Delivery) -> None:
        if self._limit > 0:  # what lies beyond is only taken for the order
            self._limit -= 1
            self._arrived.put_nowait(one)
            if self._arrived.qsize() >= AHEAD and self._limit:
                self._stream.pause()

    async def ack(self, held: Held) -> None:
        """Take a message off the queue."""
        with _lost():
            await (await self._channel.get_underlay_channel()).basic_ack(held.tag)

    async def publish(self, event: Event) -> None:
        """Publish and wait for the confirm; raises `UnroutableError` when no queue takes the event."""
        with _lost():
            try:
                async with own_cancellation_only():
                    content = to_content((event,), event.app)
                    channel = await self._confirming()
                    await channel.publish(event.exchange, event.routing_key, content, mandatory=True)
            except ReturnedError:
                where = event.exchange or "the default exchange"
                raise UnroutableError("broker", f"no queue takes {event.routing_key} of {where}") from None

    async def _confirming(self) -> Publishing:
        """Open a connection for publishing: reading from the other may be paused, and confirms with it."""
        if self._publishing is None:
            connection = await self._open.enter_async_context(_connected(self._url, f"browse {self._queue}: replay"))
            self._publishing = await publishing(connection, confirms=True)
        return self._publishing

    async def give_back(self) -> None:
        """Give back what was not acked."""
        self._limit = 0
        self._stream.resume()
        with _lost():
            await self._open.aclose()
            await self._channel.close()  # it is back before anyone looks again


@contextlib.asynccontextmanager
async def browsing(url: str, queue: str) -> AsyncIterator[Browsing]:
    """Look through a queue of the broker at `url`; raises `QueueError`, and `DependencyDownError` for the broker."""
    async with _connected(url, f"browse {queue}") as connection:
        with _lost():
            channel = await connection.channel(publisher_confirms=False)
            patience = asyncio.get_running_loop().time() + LEAVING
            while True:
                try:
                    found = (await channel.declare_queue(queue, passive=True, timeout=RPC_TIMEOUT)).declaration_result
                except ChannelNotFoundEntity:
                    raise QueueError(f"there is no queue {queue}") from None
                if not found.consumer_count or asyncio.get_running_loop().time() > patience:
                    break
                await asyncio.sleep(0.1)
        if count := found.consumer_count:
            who = "somebody consumes" if count == 1 else f"{count} consumers are at"
            raise QueueError(
                f"{who} {queue}: if it is dlq-monitor, what died is parked there, and is to be had without --direct"
            )
        looked = Browsing(url, connection, channel, queue, found.message_count or 0)
        try:
            yield looked
        finally:
            await looked.give_back()


@contextlib.asynccontextmanager
async def _connected(url: str, name: str) -> AsyncIterator[AbstractConnection]:
    with _lost():
        async with own_cancellation_only():
            connection = await aio_pika.connect(
                url,
                timeout=10,
                heartbeat=HEARTBEAT,
                connection_class=Connection,
                client_properties={"connection_name": name, "product": "Warren"},
            )
    try:
        yield connection
    finally:
        with contextlib.suppress(*LOST):
            await connection.close()


@contextlib.contextmanager
def _lost() -> Iterator[None]:
    try:
        yield
    except LOST as e:
        raise DependencyDownError("broker", f"{type(e).__name__}: {e}") from None
