"""Metrics of the shared runtime, in Prometheus' terms; services add their own beside their code."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from prometheus_client import Counter, Gauge, Histogram

from warren.envelope import Event

SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500)
SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

PUBLISHED = Counter("warren_published_events", "Events confirmed by the broker", ["exchange"])
PUBLISH_FAILURES = Counter("warren_publish_failures", "Publishes that had to be tried again", ["exchange"])
BUNDLE_SIZE = Histogram("warren_bundle_events", "Events in a published message", buckets=SIZES)

CONSUMED = Counter("warren_consumed_events", "Events worked and acked", ["queue"])
BATCH_SIZE = Histogram("warren_batch_events", "Events a handler got at once", ["queue"], buckets=SIZES)
HANDLING = Histogram("warren_handling_seconds", "Time from taking a batch to its ack", ["queue"], buckets=SECONDS)
RETRIED = Counter("warren_retried_events", "Events sent to a delay queue", ["queue"])
DEAD_LETTERED = Counter("warren_dead_events", "Events sent to a dead queue", ["queue", "cause"])
PAUSES = Counter("warren_consumer_pauses", "Times a consumer paused for a dependency", ["queue", "dependency"])

WRITE_SIZE = Histogram("warren_write_events", "Events stored in one durable write", buckets=SIZES)
WRITING = Histogram("warren_write_seconds", "Time of one durable write", buckets=SECONDS)

SPENT = Counter("warren_spent_seconds", "Time that events spent in a stage, summed over the events", ["stage"])
"""Stages: `queued` (made until in a batch), `turn` (waiting for the write before), `write`.

A batch counts as many times as it has events: divided by the events, this is the mean time of an event, which the
mean of a histogram of batches is not.
"""

NEIGHBOUR_UP = Gauge("warren_neighbour_up", "1 while the neighbour answers", ["neighbour", "essential"])


def queued_seconds(events: Sequence[Event], now: float) -> float:
    """Return how long the events of a batch have waited at `now` (Unix time), summed.

    Taken from the first and the last, which stand for those between them; the time is the one in their UUIDv7.
    """
    ages = []
    for event in (events[0], events[-1]):
        if event.id[14:15] != "7":
            continue  # an id of someone else's making
        with contextlib.suppress(ValueError):
            made = (int(event.id[:8] + event.id[9:13], 16) + 0.5) / 1000  # on average, the middle of its millisecond
            ages.append(max(0.0, now - made))
    return len(events) * sum(ages) / len(ages) if ages else 0.0
