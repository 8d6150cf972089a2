"""`python -m bench.replays`: how fast a group of letters is sent again, beside what the broker alone takes.

It starts a broker and a store, lets messages die of one cause, and replays them: at full speed, each time after a
measurement of aio-pika with as many publishes outstanding, on the same node and with the same body; then at a fixed
rate. The exit code is 1 if full speed is less than half of the raw rate, if the fixed rate is off by more than 5 %, or
if a letter is missing or came twice.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aio_pika
import httpx
import psutil
from rich.console import Console

from bench.letters import declare, nodes, parked, service
from bench.show import number, table
from dlq_monitor.replaying.sending import MOST
from warren.envelope import Event
from warren.messaging import failures
from warren.stack.broker import Broker

QUEUE = "bench.work"
"""Of a service outside of the topology: no facts, quiet resolves."""

BODY = b'{"room":"r","body":"%s"}' % (b"x" * 300)
RATE = 100.0
HALF, WITHIN = 0.5, 0.05
ASKING = {"actor": "bench", "reason": "bench", "canary": False}


async def measure(letters: int, seconds: float, console: Console) -> bool:
    """Park, replay, print; says whether all is as it must be."""
    shown = table("", "letters/s", "beside raw", "")
    right = True
    async with (
        nodes("warren-replays-") as (broker, store, port),
        _queue(broker) as channel,
        service(broker, store, port, WARREN_DLQ_SETTLE="1", WARREN_WATCH_IGNORE="*") as (http, process),
    ):
        await parked(http, 0)
        for round_ in range(2):
            await _die(channel, letters, f"full-{round_}")
            await parked(http, letters * (round_ + 1))
            raw = await _raw(channel, letters)
            shown.add_row("raw, confirmed", number(raw), "1", "")
            took, replay = await _sent(http, letters, rate=None)
            rate = letters / took
            right &= rate >= HALF * raw
            memory = f"{psutil.Process(process.pid).memory_info().rss / 2**20:.0f} MiB"
            shown.add_row("replay, full speed", number(rate), f"{rate / raw:.2f}", memory)
            right &= await _arrived(channel, letters, console)
            began = time.perf_counter()
            await _until(http, replay, state="done", resolved=letters)
            took = time.perf_counter() - began
            shown.add_row("… until all is resolved", "", "", f"{took:.1f} s")
        few = int(RATE * seconds)
        await _die(channel, few, "paced")
        await parked(http, letters * 2 + few)
        took, _ = await _sent(http, few, rate=RATE)
        rate = few / took
        right &= abs(rate / RATE - 1) <= WITHIN and await _arrived(channel, few, console)
        shown.add_row(f"replay, --rate {RATE:g}", number(rate), "", f"{rate / RATE - 1:+.1%}")
    console.print(shown)
    return right


@asynccontextmanager
async def _queue(broker: Broker) -> AsyncIterator[aio_pika.abc.AbstractChannel]:
    async with await aio_pika.connect(broker.url) as connection:
        await declare(connection)
        channel = await connection.channel()
        await channel.declare_queue(QUEUE, durable=True, arguments={"x-queue-type": "quorum"})
        yield channel


async def _raw(channel: aio_pika.abc.AbstractChannel, count: int) -> float:
    """Return how many messages a second aio-pika publishes to the queue, confirmed; none of them stays."""
    left = iter(range(count))

    async def publisher() -> None:
        for _ in left:
            message = aio_pika.Message(BODY, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
            await channel.default_exchange.publish(message, QUEUE)

    began = time.perf_counter()
    await asyncio.gather(*[publisher() for _ in range(MOST)])
    took = time.perf_counter() - began
    await (await channel.get_queue(QUEUE)).purge()
    return count / took


async def _die(channel: aio_pika.abc.AbstractChannel, count: int, name: str) -> None:
    exchange = await channel.get_exchange("warren.dead", ensure=False)

    async def one(n: int) -> None:
        died = Event("message.post.v1", BODY, "chat.0", "warren.commands", id=f"{name}-{n}")
        copy = failures.dead_copy(died, "chat", "bench@1", QUEUE, ValueError("no good"))
        message = aio_pika.Message(
            BODY,
            type=died.type,
            message_id=died.id,
            headers={**copy.headers},
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        )
        await exchange.publish(message, "chat.dead")

    for first in range(0, count, MOST):
        await asyncio.gather(*[one(n) for n in range(first, min(first + MOST, count))])


async def _sent(http: httpx.AsyncClient, count: int, *, rate: float | None) -> tuple[float, dict[str, Any]]:
    """Replay all that is open; return the seconds until all was sent, and the replay."""
    began = time.perf_counter()
    answer = await http.post("/replays", json={**ASKING, "letters": {"all": True}, "rate": rate})
    replay: dict[str, Any] = answer.raise_for_status().json()["replay"]
    await _until(http, replay, sent=count)
    return time.perf_counter() - began, replay


async def _until(http: httpx.AsyncClient, replay: dict[str, Any], **wanted: Any) -> None:
    while not wanted.items() <= (await http.get(f"/replays/{replay['id']}")).json().items():
        await asyncio.sleep(0.05)


async def _arrived(channel: aio_pika.abc.AbstractChannel, count: int, console: Console) -> bool:
    """Take all off the queue; says whether it was each message once, in order."""
    queue = await channel.get_queue(QUEUE)
    ids: list[int] = []
    over = asyncio.Event()

    async def note(message: aio_pika.abc.AbstractIncomingMessage) -> None:
        ids.append(int(str(message.message_id).rsplit("-", 1)[1]))
        if len(ids) == count:
            over.set()

    tag = await queue.consume(note, no_ack=True)
    async with asyncio.timeout(60):
        await over.wait()
    await queue.cancel(tag)
    if right := ids == list(range(count)):
        return right
    console.print(f"[red]{len(set(ids))} of {count} letters arrived, or not in order[/]")
    return False


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(prog="python -m bench.replays", description=__doc__)
    parser.add_argument("--letters", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=20, help="how long the replay at a fixed rate takes")
    given = parser.parse_args()
    return 0 if asyncio.run(measure(given.letters, given.seconds, Console())) else 1


if __name__ == "__main__":
    sys.exit(main())
