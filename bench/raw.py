"""The broker alone: what aio-pika and a quorum queue allow, persistent and confirmed, with no Warren around it."""

from __future__ import annotations

import asyncio
from time import perf_counter

import aio_pika

from bench.measure import Latency, Window, mean
from warren.ids import uuid7


async def measure(url: str, *, outstanding: int, seconds: float, payload: int) -> Window:
    """Publish to a fresh quorum queue with so many `outstanding`, consume over a second connection.

    In what is returned, an ack is the broker's confirm and a delivery is from publish to consume.
    """
    name = f"bench.{uuid7()}"
    publishing, consuming = await aio_pika.connect(url), await aio_pika.connect(url)
    async with publishing, consuming:
        out = await publishing.channel()
        await out.declare_queue(name, durable=True, arguments={"x-queue-type": "quorum"})
        into = await consuming.channel()
        await into.set_qos(1000)
        queue = await into.get_queue(name, ensure=False)
        deliveries: list[float] = []
        confirms: list[float] = []
        arrived = asyncio.Event()

        async def on_message(message: aio_pika.abc.AbstractIncomingMessage) -> None:
            deliveries.append(perf_counter() - float(message.body[:24]))
            if len(deliveries) % 100 == 0 or outstanding == 1:
                await message.ack(multiple=True)
            arrived.set()

        tag = await queue.consume(on_message)
        padding = b"x" * max(0, payload - 24)
        began = perf_counter()
        end = began + seconds

        async def publisher() -> None:
            while (sent := perf_counter()) < end:
                body = f"{sent:024.9f}".encode() + padding
                message = aio_pika.Message(body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
                await out.default_exchange.publish(message, name)
                confirms.append(perf_counter() - sent)

        await asyncio.gather(*[publisher() for _ in range(outstanding)])
        took = perf_counter() - began
        async with asyncio.timeout(20):
            while len(deliveries) < len(confirms):
                arrived.clear()
                await arrived.wait()
        whole = perf_counter() - began
        await queue.cancel(tag)
        await out.queue_delete(name)
    return Window(
        seconds=took,
        tail=whole - took,
        sent=len(confirms),
        accepted_rate=len(confirms) / took,
        delivered=len(deliveries),
        everywhere_rate=len(deliveries) / whole,
        delivered_rate=len(deliveries) / whole,
        ack=Latency.of(confirms),
        delivery=Latency.of(deliveries),
        mean={"ack": mean(confirms), "delivery": mean(deliveries)},
    )
