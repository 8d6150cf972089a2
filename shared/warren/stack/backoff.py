"""How long to wait before a process that died is started again."""

from __future__ import annotations

import random
from dataclasses import dataclass, field


@dataclass(slots=True)
class Backoff:
    """Doubling delays with jitter; times are seconds. A life of `calm` or longer starts over at `first`."""

    first: float = 0.2
    cap: float = 5.0
    calm: float = 30.0
    chance: random.Random = field(default_factory=random.Random)
    _deaths: int = 0

    def after(self, alive: float) -> float:
        """Return the delay after a life of `alive` seconds; jitter takes up to a quarter off it."""
        self._deaths = 0 if alive >= self.calm else self._deaths
        delay = min(self.cap, self.first * 2.0 ** min(self._deaths, 32))
        self._deaths += 1
        return delay * self.chance.uniform(0.75, 1.0)
