"""When each step of a script is due."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from warren.irc.script import Do, Step


def clock_times(steps: Sequence[Step], speed: float) -> list[float]:
    """Return the second at which each step is due when the log's clock runs `speed` times as fast.

    The log has minutes only: what falls into one is spread evenly over it.
    """
    in_minute, seen = Counter(step.minute for step in steps), Counter[int]()
    times = []
    for step in steps:
        times.append(60 * (step.minute + seen[step.minute] / in_minute[step.minute]) / speed)
        seen[step.minute] += 1
    return times


def steady_times(steps: Sequence[Step], rate: float) -> list[float]:
    """Return the second at which each step is due at `rate` messages a second; what is no message takes no time."""
    times, said = [], 0
    for step in steps:
        times.append(said / rate)
        said += step.do is Do.SAY
    return times
