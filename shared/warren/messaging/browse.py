"""Look through one queue by hand: its messages are taken one by one, and go back in their order unless they are acked.

They go back when the channel is closed: a `nack` of each would break their order. The broker counts that as a delivery
of each, so a foreign queue with a small delivery limit should not be looked through often.

Trick: a quorum queue hands out first what came back to it, and puts what comes back behind that. So whoever looks at a
part of it goes on, without looking, to the first message that had never been handed out: then all keep their places.
A look that is killed on its way there may change the order of what came back before.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import aio_pika
from aio_pika.abc import AbstractConnection, AbstractIncomingMessage, AbstractQueue
from aio_pika.exceptions import ChannelNotFoundEntity

from warren.envelope import Event
from warren.errors import DependencyDownError, UnroutableError, WarrenError
from warren.messaging.codec import single, to_content
from warren.messaging.connection import LOST, own_cancellation_only
from warren.messaging.datapath import Publishing, ReturnedError, publishing
from warren.messaging.stream import RPC_TIMEOUT, Connection

HEARTBEAT = 30
"""Seconds; whoever looks may think for a while."""


class QueueError(WarrenError):
    """The queue cannot be looked through: it is missing, or somebody consumes it."""


@dataclass(frozen=True, slots=True)
class Held:
    """A message in our hands."""

    event: Event
    nameless: bool
    """Whether it has neither an id nor a time: nothing but its body tells it from others."""
    _message: AbstractIncomingMessage

    async def ack(self) -> None:
        """Take it off the queue."""
        with _lost():
            await self._message.ack()


class Browsing:
    """One queue that is being looked through."""

    def __init__(self, connection: AbstractConnection, queue: AbstractQueue) -> None:
        self._connection = connection
        self._queue = queue
        self._had_been_out = False
        self._publishing: Publishing | None = None

    async def messages(self, limit: int) -> AsyncIterator[Held]:
        """Yield at most `limit` messages, the one at the head first."""
        for _ in range(limit):
            if (message := await self._take()) is None:
                return
            yield Held(single(message), not message.message_id and not message.timestamp, message)

    async def rest(self) -> None:
        """Take what must go back together with what was taken (see above)."""
        while self._had_been_out:
            await self._take()

    async def _take(self) -> AbstractIncomingMessage | None:
        with _lost():
            async with own_cancellation_only():
                message = await self._queue.get(fail=False, timeout=RPC_TIMEOUT)
        self._had_been_out = message is not None and bool(message.redelivered)
        return message

    async def publish(self, event: Event) -> None:
        """Publish and wait for the confirm; raises `UnroutableError` when no queue takes the event."""
        with _lost():
            try:
                async with own_cancellation_only():
                    self._publishing = self._publishing or await publishing(self._connection, confirms=True)
                    content = to_content((event,), event.app)
                    await self._publishing.publish(event.exchange, event.routing_key, content, mandatory=True)
            except ReturnedError:
                where = event.exchange or "the default exchange"
                raise UnroutableError("broker", f"no queue takes {event.routing_key} of {where}") from None


@contextlib.asynccontextmanager
async def browsing(url: str, queue: str) -> AsyncIterator[Browsing]:
    """Look through a queue of the broker at `url`; raises `QueueError`, and `DependencyDownError` for the broker."""
    with _lost():
        async with own_cancellation_only():
            connection = await aio_pika.connect(
                url,
                timeout=10,
                heartbeat=HEARTBEAT,
                connection_class=Connection,
                client_properties={"connection_name": f"browse {queue}", "product": "Warren"},
            )
    try:
        with _lost():
            channel = await connection.channel(publisher_confirms=False)
            try:
                found = await channel.declare_queue(queue, passive=True, timeout=RPC_TIMEOUT)
            except ChannelNotFoundEntity:
                raise QueueError(f"there is no queue {queue}") from None
        if count := found.declaration_result.consumer_count:
            who = "somebody consumes" if count == 1 else f"{count} consumers are at"
            raise QueueError(
                f"{who} {queue}: if it is dlq-monitor, what died is parked there, and is to be had without --direct"
            )
        looked = Browsing(connection, found)
        try:
            yield looked
        finally:
            await looked.rest()
            with _lost():
                await channel.close()  # what is not acked is back before anyone looks again
    finally:
        with contextlib.suppress(*LOST):
            await connection.close()


@contextlib.contextmanager
def _lost() -> Iterator[None]:
    try:
        yield
    except LOST as e:
        raise DependencyDownError("broker", f"{type(e).__name__}: {e}") from None
