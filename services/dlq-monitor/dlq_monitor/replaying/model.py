"""A replay: which letters are sent again, how, and how far it is. Pure."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from dlq_monitor.model import Status
from dlq_monitor.resending import Target

State = Literal["running", "settling", "done", "cancelled", "stopped"]
"""`settling`: all is sent, outcomes are awaited. `stopped`: by itself, as too much failed. Cancelled and stopped
ones can be resumed."""

ENDED: tuple[State, ...] = ("done", "cancelled", "stopped")


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked for. `rate` is letters a second, None for full speed; `max_failures` may fail without a stop."""

    actor: str
    reason: str
    choice: Mapping[str, Any]
    to: Target | None = None
    rate: float | None = None
    canary: bool = True
    max_failures: int = 10


@dataclass(slots=True)
class Replay:
    """A replay and how far it is. `plan` are the letters' numbers in the order of sending, fixed when it was made.

    `sent` and `marked` are places in the plan: what lies before them was sent, and has that on record. Whatever else is
    known of a letter, its own status says.
    """

    id: str
    wish: Wish
    plan: array[int]
    made: datetime
    state: State = "running"
    why: str = ""
    sent: int = 0
    marked: int = 0
    refused: list[int] = field(default_factory=list)
    """Numbers of letters that could not be sent; they are open as before."""
    forgiven: int = 0
    """Failures before it was resumed, which count no more."""
    proven: bool = False
    """Whether a canary's effect was seen."""
    ended: datetime | None = None
    counts: dict[Status, int] = field(default_factory=dict)
    """What became of the letters, once all of that is known: letters don't stay for ever."""

    @property
    def recorded(self) -> bool:
        """Whether all letters that were sent say so."""
        return self.marked >= self.sent


class Pace:
    """How many letters may have been sent after so many seconds; `ramp`: four times faster each second at first."""

    FIRST, FACTOR, FULL = 10.0, 4.0, 10_000.0

    def __init__(self, rate: float | None, *, ramp: bool) -> None:
        self._rate = rate
        self._ramp = ramp

    def due(self, seconds: float) -> float:
        """Return the number; infinite at full speed."""
        rate, due = self._rate or float("inf"), 0.0
        if self._ramp:
            slow = self.FIRST
            while slow < min(rate, self.FULL):
                due += slow * min(seconds, 1.0)
                seconds -= 1.0
                if seconds <= 0:
                    return due
                slow *= self.FACTOR
        return due + rate * seconds if seconds > 0 else due
