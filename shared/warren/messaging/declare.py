"""Make a topology so on a broker, or see that it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import ChannelNotFoundEntity

from warren.errors import DependencyDownError
from warren.messaging.connection import Setup
from warren.messaging.stream import RPC_TIMEOUT
from warren.topology import (
    DEAD,
    DEAD_QUEUE_ARGUMENTS,
    PUBLIC_EXCHANGES,
    Queue,
    Topology,
    dead_queue,
    delay_queues,
    retry_exchange,
)


async def declare_public_exchanges(channel: AbstractChannel) -> None:
    """Declare the exchanges that all services share."""
    for exchange in PUBLIC_EXCHANGES:
        await channel.declare_exchange(exchange.name, exchange.kind, durable=True, timeout=RPC_TIMEOUT)


async def declare_dead_queue(channel: AbstractChannel, service: str) -> None:
    """Declare the dead queue of a service and its way there."""
    name = dead_queue(service)
    queue = await channel.declare_queue(name, durable=True, arguments=DEAD_QUEUE_ARGUMENTS, timeout=RPC_TIMEOUT)
    await queue.bind(DEAD, name, timeout=RPC_TIMEOUT)


async def declare_service(channel: AbstractChannel, service: str, queues: Sequence[Queue]) -> None:
    """Declare all that a consuming service owns: first where dead and retried events go, then the work queues."""
    await declare_dead_queue(channel, service)
    again = await channel.declare_exchange(retry_exchange(service), "topic", durable=True, timeout=RPC_TIMEOUT)
    for delay in delay_queues(queues):
        fanout = await channel.declare_exchange(delay.name, "fanout", durable=True, timeout=RPC_TIMEOUT)
        waiting = await channel.declare_queue(delay.name, durable=True, arguments=delay.arguments, timeout=RPC_TIMEOUT)
        await waiting.bind(fanout, timeout=RPC_TIMEOUT)
    for queue in queues:
        declared = await channel.declare_queue(queue.name, durable=True, arguments=queue.arguments, timeout=RPC_TIMEOUT)
        for binding in queue.bindings:
            await declared.bind(binding.exchange, binding.key, timeout=RPC_TIMEOUT)
            await declared.bind(again, binding.key, timeout=RPC_TIMEOUT)


async def expect_queues(connection: AbstractConnection, queues: Iterable[Queue]) -> None:
    """Raise `DependencyDownError` naming the first queue that does not exist (with its owner)."""
    channel = await connection.channel()
    try:
        for queue in queues:
            await channel.declare_queue(queue.name, passive=True, timeout=RPC_TIMEOUT)
    except ChannelNotFoundEntity:
        raise DependencyDownError(
            "broker",
            f"queue {queue.name} is missing: is {queue.service} running, with the same WARREN_PARTITIONS?",
        ) from None
    finally:
        if not channel.is_closed:
            await channel.close()


async def count(connection: AbstractConnection, names: Iterable[str]) -> dict[str, tuple[int, int] | None]:
    """Return the messages that wait in each queue and its consumers, as they are now; None for one that is missing."""
    found: dict[str, tuple[int, int] | None] = {}
    channel = await connection.channel()
    try:
        for name in names:
            try:
                queue = await channel.declare_queue(name, passive=True, timeout=RPC_TIMEOUT)
                result = queue.declaration_result
                found[name] = (result.message_count or 0, result.consumer_count or 0)
            except ChannelNotFoundEntity:
                found[name] = None
                channel = await connection.channel()
    finally:
        if not channel.is_closed:
            await channel.close()
    return found


def owner(topology: Topology, service: str) -> Setup:
    """Return a connection's set-up that declares what `service` owns."""

    async def setup(connection: AbstractConnection) -> None:
        async with connection.channel() as channel:
            await declare_public_exchanges(channel)
            if queues := topology.of(service):
                await declare_service(channel, service, queues)

    return setup


def gravedigger(topology: Topology, others: Iterable[str]) -> Setup:
    """Return a connection's set-up that declares every dead queue, so that it can be consumed before its service ran.

    `others` are dead queues outside of the topology: one that does not exist is declared like those within it.
    """

    async def setup(connection: AbstractConnection) -> None:
        async with connection.channel() as channel:
            await declare_public_exchanges(channel)
            for service in topology.services():
                await declare_dead_queue(channel, service)
        for name in others:
            await _declare_if_missing(connection, name)

    return setup


async def _declare_if_missing(connection: AbstractConnection, name: str) -> None:
    try:
        async with connection.channel() as channel:
            await channel.declare_queue(name, passive=True, timeout=RPC_TIMEOUT)
    except ChannelNotFoundEntity:
        async with connection.channel() as channel:
            await channel.declare_queue(name, durable=True, arguments=DEAD_QUEUE_ARGUMENTS, timeout=RPC_TIMEOUT)


def publisher(topology: Topology, service: str) -> Setup:
    """Return a connection's set-up that waits until everything `service` publishes has a queue to go to."""

    async def setup(connection: AbstractConnection) -> None:
        await expect_queues(connection, topology.destinations(service))

    return setup
