"""Messages that an exchange put into no queue, from its two counters. Pure.

The broker counts what is published to an exchange and what is put into queues, but not at the same moment: under load
the one runs ahead of the other. So a loss is only what cannot be a delay: published some looks ago and not in a queue
now. An exchange that copies to many queues hides its losses behind the copies: what is found is the least there was.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from dlq_monitor.watching.samples import Flow

DELAY = 3
"""Looks after which both counters have surely been told."""


@dataclass(frozen=True, slots=True)
class Lost:
    """`count` messages at least were lost, seen last at `time`."""

    count: int
    time: float


class Losses:
    """One exchange over time."""

    def __init__(self) -> None:
        self._looks: deque[Flow] = deque(maxlen=DELAY + 1)
        self._ceiling: int | None = None
        self.lost = Lost(0, 0.0)

    def add(self, flow: Flow, time: float) -> None:
        """Take the counters as they are now."""
        last = self._looks[-1] if self._looks else None
        if last and (flow.published < last.published or flow.routed < last.routed):
            self._looks.clear()
            self._ceiling = None  # the counters were set back
        self._looks.append(flow)
        if len(self._looks) <= DELAY:
            return
        old = self._looks[0]
        surely, perhaps = old.published - flow.routed, flow.published - old.routed
        if self._ceiling is not None and surely > self._ceiling:
            self.lost = Lost(self.lost.count + surely - self._ceiling, time)
            self._ceiling = perhaps
        self._ceiling = perhaps if self._ceiling is None else min(self._ceiling, perhaps)
