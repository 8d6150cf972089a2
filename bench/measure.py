"""Small measuring tools: percentiles, CPU of processes."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import psutil


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds; all 0 where nothing was measured."""

    p50: float
    p95: float
    p99: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Latency:
        """Summarise measurements in seconds."""
        ordered = sorted(seconds)
        return cls(*(round(percentile(ordered, share) * 1000, 2) for share in (0.50, 0.95, 0.99)))


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the smallest value that `share` of all do not exceed (nearest rank); 0 of none."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else 0.0


def mean(values: Sequence[float]) -> float:
    """Return the mean, 0 of none."""
    return sum(values) / len(values) if values else 0.0


@dataclass(frozen=True, slots=True)
class Window:
    """One window: `seconds` of sending, then `tail` seconds until the last message was everywhere.

    Latencies count from when a message was due; the means (seconds) split the way from there.
    """

    seconds: float
    tail: float
    sent: int
    accepted_rate: float
    delivered: int
    everywhere_rate: float
    delivered_rate: float
    ack: Latency
    delivery: Latency
    mean: dict[str, float]


class CpuClock:
    """CPU seconds that processes, the stack's with their children, have used since the clock was made.

    Processes are given by name; `gateway-1` and `gateway-2` are counted together.
    """

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._pids = pids
        self._began = self._used()

    def read(self) -> dict[str, float]:
        """Return CPU seconds by name."""
        return {name: round(used - self._began[name], 3) for name, used in self._used().items()}

    def _used(self) -> dict[str, float]:
        used: dict[str, float] = {}
        for name, pid in self._pids.items():
            group = "gateways" if name.startswith("gateway-") else name
            process = psutil.Process(pid)
            # A child of ours is no part of what we cost: the profiler.
            children = process.children(recursive=True) if pid != os.getpid() else []
            for one in (process, *children):
                with suppress(psutil.NoSuchProcess):
                    times = one.cpu_times()
                    used[group] = used.get(group, 0.0) + times.user + times.system
        return used
