"""Looks for the highest rate that an open loop keeps up with."""

from __future__ import annotations

from bench.load import Load
from bench.measure import Window

GROWTH = 1.4
LOWEST, HIGHEST = 10.0, 20_000.0
SECONDS = 1.5
"""Length of a step."""


def kept_up(window: Window) -> bool:
    """Whether deliveries kept up with the rate: they came soon, and the last soon after the end."""
    return window.delivery.p95 < 500 and window.tail < 0.5


async def find_rate(load: Load) -> float:
    """Raise the rate step by step until it is too much; return the last one that was not."""
    rate = load.shape.rate
    while rate > LOWEST and not await _keeps_up(load, rate):
        rate /= GROWTH
    while rate < HIGHEST and await _keeps_up(load, rate * GROWTH):
        rate *= GROWTH
    return rate


async def _keeps_up(load: Load, rate: float) -> bool:
    """Try twice: the machine may have been busy with something else."""
    for _ in range(2):
        window = await load.window(SECONDS, rate)
        if load.errors:
            return False
        if kept_up(window):
            return True
    return False
