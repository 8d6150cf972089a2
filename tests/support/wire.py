"""Raw AMQP: what a stranger, a test's eye or a test's hand does on a virtual host, past Warren's own runtime."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage
from aio_pika.exceptions import ChannelNotFoundEntity

from tests.support.waiting import eventually
from warren.messaging.declare import declare_public_exchanges, declare_service
from warren.topology import Queue, Topology


class Wire:
    """A plain connection with a confirming channel."""

    def __init__(self, connection: AbstractConnection, channel: AbstractChannel) -> None:
        self._connection = connection
        self.channel = channel

    @classmethod
    async def open(cls, url: str) -> Self:
        """Connect."""
        connection = await aio_pika.connect(url, client_properties={"connection_name": "test"})
        return cls(connection, await connection.channel(on_return_raises=True))

    async def close(self) -> None:
        """Disconnect."""
        await self._connection.close()

    async def declare(self, topology: Topology, *services: str) -> None:
        """Declare what these services own (of all, if none is named), so that others find it."""
        await declare_public_exchanges(self.channel)
        for service in services or topology.services():
            await declare_service(self.channel, service, topology.of(service))

    async def declare_queues(self, service: str, queues: Sequence[Queue]) -> None:
        """Declare queues that are in no topology, with their service's retry and dead queues."""
        await declare_public_exchanges(self.channel)
        await declare_service(self.channel, service, queues)

    async def publish(self, exchange: str, key: str, body: bytes, *, mandatory: bool = True, **properties: Any) -> None:
        """Publish and wait for the confirm; `properties` are those of `aio_pika.Message`."""
        properties.setdefault("delivery_mode", aio_pika.DeliveryMode.PERSISTENT)
        message = aio_pika.Message(body, **properties)
        to = await self.channel.get_exchange(exchange, ensure=False) if exchange else self.channel.default_exchange
        await to.publish(message, key, mandatory=mandatory)

    async def get(self, queue: str) -> AbstractIncomingMessage | None:
        """Take one message off a queue (acked), if there is one; a queue that is missing has none.

        It looks first: to get from a quorum queue that is just being declared closes the connection (RabbitMQ 3.10).
        """
        try:
            async with self._connection.channel() as channel:
                found = await channel.declare_queue(queue, passive=True)
                has_some = bool(found.declaration_result.message_count)
                return await found.get(no_ack=True, fail=False) if has_some else None
        except ChannelNotFoundEntity:
            return None

    async def reject(self, queue: str) -> None:
        """Wait for one message and refuse it, so that the broker itself dead-letters it."""
        waiting = await self.channel.get_queue(queue, ensure=False)
        message = await eventually(lambda: waiting.get(fail=False), what=f"a message in {queue}")
        await message.reject(requeue=False)

    async def take(self, queue: str, within: float = 10) -> AbstractIncomingMessage:
        """Wait for one message and take it off the queue."""
        return await eventually(lambda: self.get(queue), within, what=f"a message in {queue}")

    async def depth(self, queue: str) -> int:
        """Messages that wait in a queue, those in the hands of consumers not counted."""
        return (await self._look(queue))[0]

    async def consumers(self, queue: str) -> int:
        """Consumers of a queue."""
        return (await self._look(queue))[1]

    async def collect(self, exchange: str, key: str = "#") -> str:
        """Bind a queue of the test's own; returns its name."""
        queue = await self.channel.declare_queue(exclusive=True)
        await queue.bind(exchange, key)
        return queue.name

    async def _look(self, queue: str) -> tuple[int, int]:
        async with self._connection.channel() as channel:  # a missing queue closes it
            found = (await channel.declare_queue(queue, passive=True)).declaration_result
            return found.message_count or 0, found.consumer_count or 0
