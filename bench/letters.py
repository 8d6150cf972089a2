"""`python -m bench.letters`: how long lists, groups and parking take with many dead letters.

It starts a broker and a store, puts dead messages of twelve causes into the dead queues of a running dlq-monitor, and
asks it over HTTP. The exit code is 1 if a letter is missing, if there are not twelve groups, or if an
answer took 200 ms or more (the median of twenty; a page has 50 letters).
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
from aio_pika.abc import AbstractConnection
from rich.console import Console

from bench.show import number, table
from warren.envelope import Event
from warren.messaging import Link, Publisher, failures
from warren.messaging.declare import declare_public_exchanges, declare_service
from warren.stack.broker import Broker
from warren.stack.ports import is_free
from warren.stack.process import LOOPBACK
from warren.stack.store import Store
from warren.topology import DEAD, Topology, dead_queue

CAUSES = 12
TOKEN = "bench-letters"  # noqa: S105 - of a service that lives for this run
LIMIT_MS = 200
TIMES = 20


async def measure(letters: int, console: Console) -> bool:
    """Park, ask, print; says whether all is as it must be."""
    shown = table("", "seconds", "letters/s", "memory, MiB")
    async with nodes("warren-letters-") as (broker, store, port):
        async with service(broker, store, port) as (http, process):
            began = time.perf_counter()
            await asyncio.gather(_publish(broker.url, letters), parked(http, letters))
            took = time.perf_counter() - began
            shown.add_row("publish and park", number(took), number(letters / took), number(_memory(process)))
        began = time.perf_counter()
        async with service(broker, store, port) as (http, process):
            await parked(http, letters)
            took = time.perf_counter() - began
            shown.add_row("start, counting all", number(took), number(letters / took), number(_memory(process)))
            console.print(shown)
            return await _ask(http, process, letters, console)


@asynccontextmanager
async def nodes(prefix: str) -> AsyncIterator[tuple[Broker, Store, int]]:
    """Give a broker, a store, and a free port."""
    with tempfile.TemporaryDirectory(prefix=prefix) as directory:
        ports = [p for p in range(23_000, 24_000) if is_free(LOOPBACK, p)]
        broker = Broker(
            Path(directory),
            users=(),
            port=ports[0],
            management_port=ports[1],
            distribution_port=ports[2],
            metrics_port=ports[3],
        )
        store = Store(Path(directory), port=ports[4])
        await asyncio.gather(broker.start(), store.start())
        try:
            await asyncio.gather(broker.ready(), store.ready())
            yield broker, store, ports[5]
        finally:
            broker.kill()
            store.kill()
            await asyncio.gather(broker.stop(), store.stop())


@asynccontextmanager
async def service(
    broker: Broker, store: Store, port: int, **settings: str
) -> AsyncIterator[tuple[httpx.AsyncClient, asyncio.subprocess.Process]]:
    """Give a dlq-monitor that runs, though it may not answer yet."""
    env = {
        "WARREN_AMQP_URL": broker.url,
        "WARREN_MONGO_URL": store.url,
        "WARREN_PORT": str(port),
        "WARREN_SERVICE_TOKEN": TOKEN,
        "WARREN_DLQ_KEEP": "0",
        "WARREN_LOG_LEVEL": "warning",
        **settings,
    }
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "dlq_monitor", env={**os.environ, **env})
    headers = {"Authorization": f"Bearer {TOKEN}"}
    try:
        async with httpx.AsyncClient(base_url=f"http://{LOOPBACK}:{port}", headers=headers, timeout=60) as http:
            yield http, process
    finally:
        process.terminate()
        await process.wait()


def _memory(process: asyncio.subprocess.Process) -> float:
    return float(psutil.Process(process.pid).memory_info().rss / 2**20)


async def _ask(http: httpx.AsyncClient, process: asyncio.subprocess.Process, letters: int, console: Console) -> bool:
    groups = (await http.get("/groups")).json()["items"]
    some = (await http.get("/letters", params={"limit": 1000})).json()["items"]
    paths = {
        "newest 50": "/letters",
        "newest 1000": "/letters?limit=1000",
        "open, of one cause": "/letters?status=open&cause=Error3",
        "queues by wildcard": "/letters?queue=chat.*",
        "of one group": f"/letters?group={groups[0]['id']}",
        "since a time": f"/letters?since={some[-1]['time'].replace('+', '%2B')}",
        "deep page": f"/letters?before={letters // 2}",
        "no such type": "/letters?type=nothing",
        "groups": "/groups",
        "one group": f"/groups/{groups[0]['id']}",
        "letter by 8 digits": f"/letters/{some[0]['id'][:8]}",
        "letter by its id": f"/letters/{some[0]['id']}",
    }
    shown = table("", "median ms", "worst ms", "answer")
    slow = []
    for name, path in paths.items():
        took, answer = await _times(http, path)
        shown.add_row(name, number(statistics.median(took)), number(max(took)), f"{answer.get('total', 1)}")
        if statistics.median(took) >= LIMIT_MS and "1000" not in path:  # a page has 50; this is for scripts
            slow.append(name)
    took = []
    for row in some[:TIMES]:
        began = time.perf_counter()
        await http.post(f"/letters/{row['id']}/discard", json={"actor": "bench", "reason": "bench"})
        took.append((time.perf_counter() - began) * 1000)
    shown.add_row("discard one", number(statistics.median(took)), number(max(took)), "")
    console.print(shown)
    console.print(f"{letters} letters, memory of dlq-monitor {_memory(process):.0f} MiB")
    right = len(groups) == CAUSES and sum(g["count"] for g in groups) == letters
    for wrong in ([] if right else [f"{len(groups)} groups"]) + [f"slow: {name}" for name in slow]:
        console.print(f"[red]{wrong}[/]")
    return right and not slow


async def _times(http: httpx.AsyncClient, path: str) -> tuple[list[float], dict[str, Any]]:
    took, answer = [], {}
    for _ in range(TIMES):
        began = time.perf_counter()
        answer = (await http.get(path)).raise_for_status().json()
        took.append((time.perf_counter() - began) * 1000)
    return took, answer


async def _publish(url: str, letters: int) -> None:
    """Let messages die in all services' queues, of twelve causes, each told in words of its own."""
    topology = Topology()
    queues = [topology.of(service)[0] for service in topology.services()]
    link = Link(url, "bench letters", heartbeat=30, setup=declare)
    running = asyncio.create_task(link.run())
    publisher = Publisher(link, "bench", timeout=60)
    causes = [type(f"Error{n}", (Exception,), {}) for n in range(CAUSES)]
    for first in range(0, letters, 1000):
        copies = []
        for n in range(first, min(first + 1000, letters)):
            queue = queues[n % CAUSES % len(queues)]
            died = Event("message.post.v1", b'{"room":"r","body":"%s"}' % (b"x" * 300), "chat.0", "warren.commands")
            error = causes[n % CAUSES](f"no answer in {n} s from 'user-{n}'")
            copies.append(failures.dead_copy(died, queue.service, "bench@1", queue.name, error))
        assert all(c.exchange == DEAD and c.routing_key.endswith(dead_queue("")) for c in copies)
        await publisher.publish_all(copies)
    running.cancel()


async def declare(connection: AbstractConnection) -> None:
    """Declare what all services own: they are not here."""
    async with connection.channel() as channel:
        await declare_public_exchanges(channel)
        for name in Topology().services():
            await declare_service(channel, name, Topology().of(name))


async def parked(http: httpx.AsyncClient, letters: int) -> None:
    """Return when so many letters are parked."""
    total = -1
    while total < letters:
        try:
            total = (await http.get("/letters", params={"limit": 1})).json().get("total", -1)
        except httpx.TransportError:
            total = -1
        await asyncio.sleep(0.1)


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(prog="python -m bench.letters", description=__doc__)
    parser.add_argument("--letters", type=int, default=100_000)
    return 0 if asyncio.run(measure(parser.parse_args().letters, Console())) else 1


if __name__ == "__main__":
    sys.exit(main())
