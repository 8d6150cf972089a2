"""The broker alone: what aio-pika and a quorum queue allow, persistent and confirmed, with no Warren around it."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

import aio_pika

from bench.measure import Latency
from warren.ids import uuid7


@dataclass(frozen=True, slots=True)
class Raw:
    """`accepted` confirmed publishes per second with `outstanding` at once; latency from publish to consume."""

    outstanding: int
    accepted: float
    latency: Latency


async def measure(url: str, *, outstanding: int, seconds: float, payload: int) -> Raw:
    """Publish to a fresh quorum queue and consume from it over a second connection."""
    name = f"bench.{uuid7()}"
    publishing, consuming = await aio_pika.connect(url), await aio_pika.connect(url)
    async with publishing, consuming:
        out = await publishing.channel()
        await out.declare_queue(name, durable=True, arguments={"x-queue-type": "quorum"})
        into = await consuming.channel()
        await into.set_qos(1000)
        queue = await into.get_queue(name, ensure=False)
        latencies: list[float] = []
        arrived = asyncio.Event()

        async def on_message(message: aio_pika.abc.AbstractIncomingMessage) -> None:
            latencies.append(time.perf_counter() - float(message.body[:24]))
            if len(latencies) % 100 == 0 or outstanding == 1:
                await message.ack(multiple=True)
            arrived.set()

        await queue.consume(on_message)
        padding = b"x" * max(0, payload - 24)
        sent = 0
        end = time.perf_counter() + seconds
        began = time.perf_counter()

        async def publisher() -> None:
            nonlocal sent
            while time.perf_counter() < end:
                body = f"{time.perf_counter():024.9f}".encode() + padding
                message = aio_pika.Message(body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
                await out.default_exchange.publish(message, name)
                sent += 1

        await asyncio.gather(*[publisher() for _ in range(outstanding)])
        took = time.perf_counter() - began
        async with asyncio.timeout(20):
            while len(latencies) < sent:
                arrived.clear()
                await arrived.wait()
        await out.queue_delete(name)
    return Raw(outstanding, round(sent / took, 1), Latency.of(latencies))
