"""The watch-dog sees a blocked event loop and says by what."""

from __future__ import annotations

import asyncio
import gc
import json
import time

from prometheus_client import REGISTRY

from tests.support.waiting import eventually
from warren.observability.watchdog import BLOCKED, Watchdog


def hold_up(seconds: float) -> None:
    time.sleep(seconds)


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


async def watched() -> asyncio.Task[None]:
    turns = value("warren_loop_late_seconds_count")
    task = asyncio.create_task(Watchdog().run())
    await eventually(lambda: value("warren_loop_late_seconds_count") > turns, what="it beats")
    return task


async def test_a_block_is_seen_with_its_place() -> None:
    task = await watched()
    before = value("warren_loop_late_seconds_sum")

    def seen() -> bool:
        hold_up(0.1)
        return value("warren_loop_blocked_samples_total", where="test_watchdog.py:hold_up") > 0

    await eventually(seen, what="the place is counted")
    await eventually(lambda: value("warren_loop_late_seconds_sum") > before + BLOCKED, what="the lag is measured")
    task.cancel()


async def test_a_library_is_named_with_its_caller() -> None:
    task = await watched()
    text = json.dumps([{"number": n, "half": n / 2} for n in range(2000)], indent=1)

    def seen() -> bool:
        for _ in range(50):
            json.dumps(json.loads(text), indent=1)  # with an indent it is Python code
        places = [s.labels["where"] for m in REGISTRY.collect() for s in m.samples if "where" in s.labels]
        return any(p.startswith("encoder.py:") and p.endswith(" < test_watchdog.py:seen") for p in places)

    await eventually(seen, what="library and caller are counted")
    task.cancel()


async def test_garbage_collections_are_timed() -> None:
    task = await watched()
    before = value("warren_gc_seconds_count", generation="2")
    gc.collect()
    assert value("warren_gc_seconds_count", generation="2") == before + 1
    task.cancel()
