"""Measures everything on a running stack: load, CPU and metrics of the same window."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from time import perf_counter
from typing import Any

import httpx

from bench import raw
from bench.load import Load
from bench.measure import CpuClock
from bench.profiling import Profiler
from bench.ramp import find_rate
from bench.scrape import Samples, Scraper, changes
from bench.shapes import RAW, SHAPES, Shape
from bench.stages import stages, way

PAYLOAD = 200
"""Bytes of a message's body."""
WARM_UP = 1.0
BACKGROUND = 2.0
PATIENCE = 60.0
"""Seconds that audit may take to record what was sent."""
SLACK = 20
"""Events that audit may be behind and count as done: beats and seals never end."""


class Bench:
    """Measures on one stack; `state` is what `warren status --json` says, `note` is told what is measured."""

    def __init__(
        self, state: Mapping[str, Any], seconds: float, profiler: Profiler, note: Callable[[str], None]
    ) -> None:
        self._state = state
        self._seconds = seconds
        self._profiler = profiler
        self._note = note
        self._pids = {p["name"]: p["pid"] for p in state["processes"]} | {"load generator": os.getpid()}
        profiler.find(self._pids)
        self._usual_lag = 0.0

    async def run(self, names: Sequence[str]) -> dict[str, Any]:
        """Measure the stack without load, the raw broker and these shapes."""
        self._note("the stack without load")
        background = await self._background()
        rows = {}
        for name, outstanding in RAW.items():
            self._note(f"raw broker, {outstanding} outstanding")
            rows[name] = await self._raw(outstanding)
        async with httpx.AsyncClient(timeout=30) as http:
            scraper = Scraper(http, self._state["gateways"], self._state["services"])
            self._usual_lag = _lag(await scraper.look())
            for name in names:
                self._note(f"{name}: {SHAPES[name].about}")
                rows[name] = await self._shape(SHAPES[name], scraper)
        return {"background": background, "shapes": rows}

    async def _background(self) -> dict[str, float]:
        """Return the share of a core that each process uses when nothing happens."""
        clock = CpuClock(self._pids)
        await asyncio.sleep(BACKGROUND)
        return {name: used / BACKGROUND for name, used in clock.read().items()}

    async def _raw(self, outstanding: int) -> dict[str, Any]:
        clock = CpuClock(self._pids)
        window = await raw.measure(self._state["amqp"], outstanding=outstanding, seconds=self._seconds, payload=PAYLOAD)
        return {
            "about": "the broker alone: publish, confirm, consume",
            "loop": f"{outstanding} outstanding",
            "fixed_rate": False,
            **asdict(window),
            **_shares(clock.read(), window.sent, window.delivered),
            "errors": [],
        }

    async def _shape(self, shape: Shape, scraper: Scraper) -> dict[str, Any]:
        """Measure a window; CPU is counted until audit is through too, so that each message is in it, and whole."""
        load = Load(shape, self._state["gateways"], PAYLOAD)
        async with load:
            await load.window(WARM_UP, shape.rate)
            rate = await find_rate(load) if shape.ramp else shape.rate
            await self._recorded(scraper)
            before = await scraper.look()
            with self._profiler.watch(shape.name):
                clock = CpuClock(self._pids)
                window = await load.window(self._seconds, rate)
                recording = await self._recorded(scraper)
                used = clock.read()
            told = changes(await scraper.look(), before)
        return {
            "about": shape.about,
            "loop": shape.loop,
            "rate": rate,
            "fixed_rate": bool(shape.rate) and not shape.ramp,
            **asdict(window),
            "audit_s": recording,
            **_shares(used, window.sent, window.delivered),
            "stages": [asdict(s) for s in stages(told)],
            "way": way(window.mean, told["chat"]),
            "errors": load.errors,
        }

    async def _recorded(self, scraper: Scraper) -> float:
        """Wait until audit has recorded what was published; return how long that took."""
        began = perf_counter()
        told = await scraper.look()
        while _lag(told) > self._usual_lag + SLACK and perf_counter() < began + PATIENCE:
            await asyncio.sleep(0.2)
            told = {**told, **await scraper.look("audit")}
        return perf_counter() - began


def _lag(told: Mapping[str, Samples]) -> float:
    """Return how many events are published that audit has not worked, but for a constant."""
    exchanges = ("warren.commands", "warren.events")
    published = sum(s.total("warren_published_events_total", exchange=x) for s in told.values() for x in exchanges)
    return published - told["audit"].total("warren_consumed_events_total")


def _shares(used: Mapping[str, float], messages: int, deliveries: int) -> dict[str, dict[str, float]]:
    """Return CPU seconds by process, and in µs per message and per delivery."""
    return {
        "cpu_s": dict(used),
        "us_per_message": {name: s * 1e6 / max(1, messages) for name, s in used.items()},
        "us_per_delivery": {name: s * 1e6 / max(1, deliveries) for name, s in used.items()},
    }
