"""Small measuring tools: percentiles, CPU of processes."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import psutil


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds."""

    p50: float
    p95: float
    p99: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Latency:
        """Summarise at least one measurement, given in seconds."""
        ordered = sorted(seconds)

        def at(share: float) -> float:
            return round(ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)] * 1000, 2)

        return cls(at(0.50), at(0.95), at(0.99))

    def __str__(self) -> str:
        return " / ".join(f"{v:.1f}" for v in asdict(self).values())


class CpuClock:
    """CPU seconds used by processes since the clock was made; processes by name."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._processes = {name: psutil.Process(pid) for name, pid in pids.items()}
        self._began = {name: self._used(p) for name, p in self._processes.items()}
        self._wall = time.perf_counter()

    def read(self) -> dict[str, float]:
        """Return CPU seconds by name."""
        return {name: round(self._used(p) - self._began[name], 3) for name, p in self._processes.items()}

    @property
    def elapsed(self) -> float:
        """Wall seconds since the clock was made."""
        return time.perf_counter() - self._wall

    @staticmethod
    def _used(process: psutil.Process) -> float:
        times = process.cpu_times()
        return float(times.user + times.system)
