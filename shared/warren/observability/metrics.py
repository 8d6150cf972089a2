"""Metrics of the shared runtime, in Prometheus' terms; services add their own beside their code."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

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

NEIGHBOUR_UP = Gauge("warren_neighbour_up", "1 while the neighbour answers", ["neighbour", "essential"])
