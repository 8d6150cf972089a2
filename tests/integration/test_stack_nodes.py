"""Broker and store as real nodes: they come back with their data, and each user may do its work and not more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aio_pika
import pytest
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage
from aiormq.exceptions import ChannelAccessRefused
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import WriteConcern

from tests.support.nodes import free_port, has_native_broker, remembers
from tests.support.waiting import eventually
from warren.messaging.declare import declare_dead_queue, expect_queues, owner, publisher
from warren.stack.broker import Broker
from warren.stack.store import Store
from warren.topology import COMMANDS, DEAD, EVENTS, Topology, dead_queue, retry_exchange

TOPOLOGY = Topology(2)

pytestmark = pytest.mark.skipif(not has_native_broker(), reason="RabbitMQ is not installed: `warren doctor`")


@asynccontextmanager
async def nodes(data: Path) -> AsyncIterator[tuple[Broker, Store]]:
    ports = [free_port() for _ in range(4)]
    broker = Broker(
        data,
        users=(*TOPOLOGY.services(), "gateway", "dlq-monitor"),
        topology=TOPOLOGY,
        port=ports[0],
        management_port=ports[1],
        distribution_port=ports[2],
        metrics_port=ports[3],
    )
    store = Store(data, port=free_port())
    try:
        await asyncio.gather(broker.start(), store.start())
        await asyncio.gather(broker.ready(), store.ready())
        yield broker, store
    finally:
        broker.kill()  # an orderly stop takes it six seconds
        await asyncio.gather(broker.stop(), store.stop())


async def test_nodes_come_back_and_users_have_their_rights_only(tmp_path: Path) -> None:
    async with nodes(tmp_path / "with space") as (broker, store):
        await _work_of_all_services(broker)
        await _nothing_more(broker)
        await _keep_data_through_kills(broker, store)
    assert broker.pid is None
    assert store.pid is None


async def _ignore(_: AbstractIncomingMessage) -> None:
    """Leave it unacked: it goes back when the channel closes."""


async def _work_of_all_services(broker: Broker) -> None:
    for service in TOPOLOGY.services():
        async with await aio_pika.connect(broker.url_for(service)) as connection:
            await owner(TOPOLOGY, service)(connection)
    for service in ("gateway", *TOPOLOGY.services()):
        async with await aio_pika.connect(broker.url_for(service)) as connection:
            await publisher(TOPOLOGY, service)(connection)
    async with await aio_pika.connect(broker.url_for("dlq-monitor")) as connection:
        await owner(TOPOLOGY, "dlq-monitor")(connection)
        await expect_queues(connection, TOPOLOGY.queues)
        channel = await connection.channel()
        for service in TOPOLOGY.services():
            await declare_dead_queue(channel, service)
            queue = await channel.get_queue(dead_queue(service), ensure=False)
            await queue.consume(_ignore, consumer_tag=service)
            await queue.cancel(service)
            await _publish(channel, retry_exchange(service), "chat.none")
        await channel.default_exchange.publish(aio_pika.Message(b"{}"), dead_queue("chat"))
    async with await aio_pika.connect(broker.url_for("gateway")) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue("gateway.test", exclusive=True)
        await queue.bind(EVENTS, "room.1")
        await _publish(channel, COMMANDS, "chat.0")
        await _publish(channel, EVENTS, "signal.0")


async def _nothing_more(broker: Broker) -> None:
    async def consume_foreign(channel: AbstractChannel) -> None:
        queue = await channel.get_queue("chat.commands.0-of-2", ensure=False)
        await queue.consume(_ignore)

    async def declare_foreign(channel: AbstractChannel) -> None:
        await channel.declare_queue("chat.more", durable=True)

    async def bind_foreign(channel: AbstractChannel) -> None:
        queue = await channel.get_queue("audit.events", ensure=False)
        await queue.bind(EVENTS, "#")

    async def listen_in(channel: AbstractChannel) -> None:
        queue = await channel.declare_queue("gateway.spy", exclusive=True)
        await queue.bind(COMMANDS, "#")

    await _refused(broker, "presence", consume_foreign)
    await _refused(broker, "dlq-monitor", consume_foreign)
    await _refused(broker, "audit", declare_foreign)
    await _refused(broker, "chat", bind_foreign)
    await _refused(broker, "gateway", listen_in)
    await _refused(broker, "presence", lambda c: _publish(c, COMMANDS, "chat.0"))
    await _refused(broker, "gateway", lambda c: _publish(c, DEAD, dead_queue("chat")))
    await _refused(broker, "audit", lambda c: _publish(c, "", "chat.commands.0-of-2"))


async def _refused(broker: Broker, user: str, act: Callable[[AbstractChannel], Awaitable[object]]) -> None:
    async with await aio_pika.connect(broker.url_for(user)) as connection:
        with pytest.raises(ChannelAccessRefused):
            await act(await connection.channel())


async def _publish(channel: AbstractChannel, exchange: str, key: str) -> None:
    target = await channel.get_exchange(exchange, ensure=False) if exchange else channel.default_exchange
    await target.publish(aio_pika.Message(b"{}"), key, timeout=5)


async def _keep_data_through_kills(broker: Broker, store: Store) -> None:
    letters = await _dead_letters(broker)
    assert letters == 1
    client: AsyncIOMotorClient[dict[str, object]] = AsyncIOMotorClient(store.url)
    journalled = client.test.get_collection("kept").with_options(write_concern=WriteConcern(j=True))
    await journalled.insert_one({"_id": 1})
    client.close()

    await eventually(lambda: remembers(broker, dead_queue("chat")), what="the queue is on the disk")
    before = (broker.numbers, store.numbers, broker.pid, store.pid)
    broker.kill()
    store.kill()
    assert await broker.ended(within=10)
    assert await store.ended(within=10)
    assert broker.ending == store.ending == "was killed by SIGKILL"
    await asyncio.gather(broker.start(), store.start())
    await asyncio.gather(broker.ready(), store.ready())
    assert (broker.numbers, store.numbers) == before[:2]
    assert broker.pid not in before
    assert store.pid not in before

    async def kept() -> bool:  # just started, a quorum queue counts nothing until it has a leader
        return await _dead_letters(broker) == letters

    await eventually(kept, 15, what="the dead letter is still there")
    client = AsyncIOMotorClient(store.url)
    assert await client.test.kept.count_documents({}) == 1
    client.close()


async def _dead_letters(broker: Broker) -> int:
    async with await aio_pika.connect(broker.url) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue(dead_queue("chat"), passive=True)
        return queue.declaration_result.message_count or 0
