"""Limits on what comes from outside: token buckets and counts, bounded in memory."""

from __future__ import annotations

import math
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable

MAX_KEYS = 50_000

BURST_SECONDS = 4
"""What an address may do at once after a quiet time, in seconds of its rate: people open the page together."""


class Rates:
    """Token buckets by key: `rate` per second, up to `burst` at once; a rate of 0 allows everything."""

    def __init__(self, rate: float, burst: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._burst = max(burst, 1.0)
        self._clock = clock
        self._buckets: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def take(self, key: Hashable) -> float:
        """Take one token; returns 0 if there was one, else the seconds until there is, to the next millisecond."""
        if not self._rate:
            return 0.0
        now = self._clock()
        tokens, then = self._buckets.pop(key, (self._burst, now))
        tokens = min(self._burst, tokens + (now - then) * self._rate)
        wait = 0.0
        if tokens >= 1 - 1e-6:  # who waited as long as told must not fail by a rounding
            tokens -= 1
        else:
            wait = math.ceil((1 - tokens) / self._rate * 1000) / 1000
        self._keep(key, tokens, now)
        return wait

    def spend(self, key: Hashable, count: int) -> float:
        """Take `count` tokens, there or not; returns 0, or the seconds until what was taken too much is back."""
        if not self._rate:
            return 0.0
        now = self._clock()
        tokens, then = self._buckets.pop(key, (self._burst, now))
        tokens = min(self._burst, tokens + (now - then) * self._rate) - count
        self._keep(key, tokens, now)
        return max(0.0, -tokens / self._rate)

    def _keep(self, key: Hashable, tokens: float, now: float) -> None:
        self._buckets[key] = (tokens, now)
        if len(self._buckets) > MAX_KEYS:
            self._buckets.popitem(last=False)  # the one longest unused: its bucket has filled most


class Places:
    """Counts of what is held by key, with a ceiling; a ceiling of 0 allows everything."""

    def __init__(self, ceiling: int) -> None:
        self._ceiling = ceiling
        self._held: Counter[Hashable] = Counter()

    def take(self, key: Hashable) -> bool:
        """Take a place if there is one."""
        if self._ceiling and self._held[key] >= self._ceiling:
            return False
        self._held[key] += 1
        return True

    def give_back(self, key: Hashable) -> None:
        """Give a place back."""
        self._held[key] -= 1
        if self._held[key] <= 0:
            del self._held[key]
