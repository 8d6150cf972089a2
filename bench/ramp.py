"""Looks for the highest rate that an open loop keeps up with."""

from __future__ import annotations

from bench.load import Load
from bench.measure import Window

GROWTH = 1.4
LOWEST, HIGHEST = 10.0, 20_000.0
SECONDS = 3.0
"""Length of a step."""
TAIL = 0.4
"""Seconds after the end of a step at which the last message must be everywhere: more is a backlog that grew."""
HEADROOM = 0.8
"""Share of the highest rate found that is used: a step is too short to see a backlog that grows slowly."""


def kept_up(window: Window) -> bool:
    """Whether deliveries kept up with the rate."""
    return window.tail < TAIL


async def find_rate(load: Load) -> float:
    """Raise the rate step by step until it is too much; return one that is not."""
    rate = load.shape.rate
    while rate > LOWEST and not await _keeps_up(load, rate):
        rate /= GROWTH
    while rate < HIGHEST and await _keeps_up(load, rate * GROWTH):
        rate *= GROWTH
    return rate * HEADROOM


async def _keeps_up(load: Load, rate: float) -> bool:
    """Try twice: the machine may have been busy with something else."""
    for _ in range(2):
        window = await load.window(SECONDS, rate)
        if load.errors:
            return False
        if kept_up(window):
            return True
    return False
