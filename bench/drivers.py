"""Motor beside PyMongo's own async client: the same calls on the same store, in turns (ADR 3).

    .venv/bin/python -m bench.drivers

starts an embedded store of its own and prints wall time and this process' CPU time per call, in µs.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median
from typing import Any

from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import AsyncMongoClient
from rich.console import Console
from rich.table import Table

from warren.stack.store import Store
from warren.storage.mongo import DURABLE

ROUNDS = 5
CALLS = 200
OPTIONS: dict[str, Any] = {"retryWrites": False, "maxPoolSize": 20}


def entry(number: int) -> dict[str, Any]:
    """Return a document of the size of an entry."""
    return {"_id": f"general\n{number:016d}", "room": "general", "seq": number, "body": "x" * 64, "user": {"id": "u"}}


async def insert_one(collection: Any, number: int) -> None:
    """One durable document."""
    await collection.insert_one(entry(number))


async def insert_many(collection: Any, number: int) -> None:
    """Twenty in one durable write."""
    await collection.insert_many([entry(number * 20 + n + 10**9) for n in range(20)], ordered=True)


async def page(collection: Any, _: int) -> None:
    """Read fifty by an index."""
    found = await collection.find({"room": "general", "seq": {"$gte": 1, "$lte": 50}}).to_list(None)
    assert len(found) == 50, "or the figure would be of something else"


async def cost(work: Callable[[], Awaitable[None]], calls: int) -> tuple[float, float]:
    """Return wall and CPU µs per call."""
    wall, cpu = time.perf_counter(), time.process_time()
    await work()
    return (time.perf_counter() - wall) / calls * 1e6, (time.process_time() - cpu) / calls * 1e6


async def measure(store: Store) -> dict[tuple[str, str], list[tuple[float, float]]]:
    """Measure each call with each driver, in turns."""
    clients = {"Motor": AsyncIOMotorClient(store.url, **OPTIONS), "PyMongo": AsyncMongoClient(store.url, **OPTIONS)}
    seen: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for turn in range(ROUNDS + 1):
        for driver, client in clients.items():
            collection = client["bench"].get_collection(driver, write_concern=DURABLE)
            await collection.create_index([("room", 1), ("seq", 1)])
            for call in (insert_one, insert_many, page):
                calls = CALLS // 4 if call is insert_many else CALLS
                first = turn * CALLS

                async def work(
                    call: Any = call, first: int = first, collection: Any = collection, n: int = calls
                ) -> None:
                    for number in range(first, first + n):
                        await call(collection, number + 1)

                figures = await cost(work, calls)
                if turn:  # the first one warms up
                    seen.setdefault((call.__doc__ or "", driver), []).append(figures)
    clients["Motor"].close()
    await clients["PyMongo"].close()
    return seen


async def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="warren-bench-") as data:
        store = Store(Path(data))
        await store.start()
        await store.ready()
        try:
            seen = await measure(store)
        finally:
            await store.stop()
    table = Table("call", "driver", "wall µs", "CPU µs")
    for (call, driver), figures in seen.items():
        table.add_row(call, driver, *[f"{median(f[i] for f in figures):,.0f}" for i in (0, 1)])
    Console().print(table)


if __name__ == "__main__":
    asyncio.run(main())
