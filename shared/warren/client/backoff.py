"""How long to wait before coming back: exponential, capped, with full jitter, above what the server asks."""

from __future__ import annotations

import random
from dataclasses import dataclass

BASE = 0.2
"""Seconds: upper bound of the first wait."""

CAP = 15.0
"""Seconds: upper bound of any wait that the server did not ask for."""


@dataclass(slots=True)
class Backoff:
    """Counts failures in a row; many clients that fail at once come back spread over time."""

    base: float = BASE
    cap: float = CAP
    failures: int = 0

    def delay(self, at_least: float = 0.0) -> float:
        """Count a failure and return the seconds to wait, never fewer than `at_least`."""
        bound = min(self.cap, self.base * 2.0 ** min(self.failures, 16))
        self.failures += 1
        return at_least + random.uniform(0, bound)

    def reset(self) -> None:
        """Forget the failures: it went well for a while."""
        self.failures = 0


def jittered(seconds: float) -> float:
    """Return what the server asked to wait, and up to a second more, so that not all come at once."""
    return seconds + random.uniform(0, min(1.0, seconds))
