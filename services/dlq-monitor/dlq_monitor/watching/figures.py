"""From samples to what people ask: rates and their trend, growth, time to drain, age of the oldest message. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from dlq_monitor.watching.samples import History, Sample

Trend = Literal["rising", "falling", "steady", "unknown"]
Means = Literal["timestamp", "estimated", "at least", "empty", "unknown"]
"""How an age is known: by the message's timestamp; by counting what came after it; it was there before we looked."""

STEADY = 0.1
"""A rate that changes by less than a tenth is steady."""


@dataclass(frozen=True, slots=True)
class Figures:
    """A queue now. Rates are messages a second over the window, None if not known.

    `drain` is seconds until the queue is empty at present rates: 0 if it is, None if it does not get shorter.
    `fills` is seconds until it reaches the limit, None if it does not grow.
    """

    sample: Sample
    rate_in: float | None
    rate_out: float | None
    trend_in: Trend
    trend_out: Trend
    growth: float | None
    growing: bool
    drain: float | None
    fills: float | None
    age: float | None
    age_by: Means


def figures(history: History, *, window: float, limit: int) -> Figures:
    """Return the figures of a queue at its newest sample; `window` in seconds, `limit` in messages."""
    last = history.last
    twice = history.since(last.time - 2 * window)
    recent = [s for s in twice if s.time >= last.time - window]
    before = [s for s in twice if s.time <= recent[0].time]
    growth = _growth(recent)
    age, by = age_of_oldest(history, last)
    return Figures(
        sample=last,
        rate_in=rate(recent, lambda s: s.published),
        rate_out=rate(recent, lambda s: s.taken),
        trend_in=_trend(before, recent, lambda s: s.published),
        trend_out=_trend(before, recent, lambda s: s.taken),
        growth=growth,
        growing=grows(recent, window, lambda s: s.depth),
        drain=0 if last.depth == 0 else last.depth / -growth if growth is not None and growth < 0 else None,
        fills=max(0.0, (limit - last.depth) / growth) if growth is not None and growth > 0 else None,
        age=age,
        age_by=by,
    )


def rate(samples: Sequence[Sample], counter: Callable[[Sample], int | None]) -> float | None:
    """Return how fast a counter grows, a second; a counter that fell was set back, and begins at nothing."""
    known = [(s.time, value) for s in samples if (value := counter(s)) is not None]
    if len(known) < 2 or known[-1][0] <= known[0][0]:
        return None
    grown = sum(b - a if b >= a else b for (_, a), (_, b) in pairwise(known))
    return grown / (known[-1][0] - known[0][0])


def grows(samples: Sequence[Sample], window: float, value: Callable[[Sample], int]) -> bool:
    """Whether a value grew in each half of the window: a burst that is being worked off did not."""
    if len(samples) < 3 or samples[-1].time - samples[0].time < window * 0.8:
        return False
    middle = min(samples[1:-1], key=lambda s: abs(s.time - (samples[0].time + samples[-1].time) / 2))
    return value(samples[0]) < value(middle) < value(samples[-1])


def age_of_oldest(history: Iterable[Sample], last: Sample) -> tuple[float | None, Means]:
    """Return the age of a queue's oldest message in seconds, and how it is known.

    Classic queues tell its timestamp. Quorum queues don't, and to get a message and put it back would break order. But
    a queue gives in the order it was given: with a depth of 40, the oldest is the 40th from the end of all that were
    published, and the samples say when so many had been published. What the broker puts in by itself (dead letters,
    expired retries) it does not count; then the age is only what was seen.
    """
    if last.depth == 0:
        return None, "empty"
    if last.head is not None:
        return max(0.0, last.time - last.head), "timestamp"
    if last.published is not None and last.published >= last.depth:
        return _counted_back(list(history), last.published - last.depth)
    return _seen_since(list(history))


def _counted_back(samples: Sequence[Sample], number: int) -> tuple[float | None, Means]:
    """Say since when more than `number` messages had been published."""
    last = since = samples[-1]
    for sample in reversed(samples[:-1]):
        if sample.published is None or sample.published > (since.published or 0):
            break  # not counted then, or the counter was set back
        if sample.published <= number:
            return last.time - since.time, "estimated"
        since = sample
    return last.time - since.time, "at least"


def _seen_since(samples: Sequence[Sample]) -> tuple[float | None, Means]:
    """Say since when a queue that nothing was taken from has not been empty."""
    last = since = samples[-1]
    if last.taken:
        return None, "unknown"
    for sample in reversed(samples[:-1]):
        if sample.depth == 0:
            return last.time - since.time, "estimated"
        since = sample
    return last.time - since.time, "at least"


def _growth(samples: Sequence[Sample]) -> float | None:
    if len(samples) < 2 or samples[-1].time <= samples[0].time:
        return None
    return (samples[-1].depth - samples[0].depth) / (samples[-1].time - samples[0].time)


def _trend(before: Sequence[Sample], recent: Sequence[Sample], counter: Callable[[Sample], int | None]) -> Trend:
    was, now = rate(before, counter), rate(recent, counter)
    if was is None or now is None:
        return "unknown"
    if abs(now - was) <= STEADY * max(was, now):
        return "steady"
    return "rising" if now > was else "falling"
