"""Copies of events that failed: to a delay queue for another attempt, or to the dead queue with the cause.

The copy is confirmed before the original is acked. Headers that would make the broker act on the copy
(`CC`, `BCC`) and properties that would (expiration, user id) are kept as plain notes.
"""

from __future__ import annotations

import hashlib
import traceback
from collections.abc import Mapping
from typing import Any

from pamqp.encode import field_table

from warren.contracts.base import now, rfc3339
from warren.envelope import ATTEMPT, Event
from warren.topology import DEAD, DelayQueue, dead_queue

CAUSE = "x-warren-cause"
ERROR = "x-warren-error"
WHERE = "x-warren-where"
SERVICE = "x-warren-service"
INSTANCE = "x-warren-instance"
DIED_AT = "x-warren-died-at"
QUEUE = "x-warren-queue"
EXCHANGE = "x-warren-exchange"
ROUTING_KEY = "x-warren-routing-key"
DEATH = "x-warren-death"
DROPPED = "x-warren-headers-dropped"

_ACTIVE = frozenset({"CC", "BCC"})
_COUNTED = frozenset({"x-delivery-count"})
MAX_HEADER_BYTES = 48 * 1024
"""Headers share one frame (128 KB at the most): larger ones are left out, and the copy says so."""
MAX_ERROR_CHARACTERS = 500


def retry_copy(event: Event, service: str, delay: int) -> Event:
    """Return the copy that comes back after `delay` seconds as the next attempt."""
    headers = {**_passive(event.headers), ATTEMPT: event.attempt + 1}
    return _copy(event, DelayQueue(service, delay).name, event.routing_key, headers)


def again_copy(event: Event, exchange: str) -> Event:
    """Return a copy for the same service's queue, as a message of its own."""
    return _copy(event, exchange, event.routing_key, _passive(event.headers))


def dead_copy(event: Event, service: str, instance: str, queue: str, error: BaseException) -> Event:
    """Return the copy that says why it died, for the service's dead queue."""
    headers = {
        **_passive(event.headers),
        ATTEMPT: event.attempt,
        CAUSE: type(error).__name__,
        ERROR: str(error)[:MAX_ERROR_CHARACTERS],
        WHERE: code_location(error),
        SERVICE: service,
        INSTANCE: instance,
        DIED_AT: rfc3339(now()),
        QUEUE: queue,
        EXCHANGE: event.exchange,
        ROUTING_KEY: event.routing_key,
        DEATH: _death(event, queue),
    }
    return _copy(event, DEAD, dead_queue(service), headers)


def code_location(error: BaseException) -> str:
    """Return `file.py:function` where an error arose, without paths of the machine."""
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return ""
    last = frames[-1]
    return f"{last.filename.rpartition('/')[2]}:{last.name}"


def _death(event: Event, queue: str) -> str:
    """Name this death, the same each time the same delivery dies: a redelivery is not parked twice."""
    replays = event.headers.get("x-warren-replays", 0)
    unique = event.id or f"{event.stamp} {hashlib.sha256(event.body).hexdigest()}"
    return hashlib.sha256(f"{queue}\n{unique}\n{replays}".encode()).hexdigest()[:32]


def _passive(headers: Mapping[str, Any]) -> dict[str, Any]:
    kept = {k: v for k, v in headers.items() if k not in _ACTIVE and k not in _COUNTED}
    for name in _ACTIVE & headers.keys():
        kept[f"x-warren-was-{name.lower()}"] = str(headers[name])[:200]
    try:
        size = len(field_table(kept))
    except (TypeError, ValueError, UnicodeError, OverflowError):
        size = MAX_HEADER_BYTES + 1
    if size > MAX_HEADER_BYTES:
        own = {k: v for k, v in kept.items() if k.startswith("x-warren-") or k == "traceparent"}
        return {**own, DROPPED: len(kept) - len(own)}
    return kept


def _copy(event: Event, exchange: str, routing_key: str, headers: Mapping[str, Any]) -> Event:
    return Event(
        type=event.type,
        body=event.body,
        exchange=exchange,
        routing_key=routing_key,
        id=event.id,
        time=event.time,
        app=event.app,
        correlation_id=event.correlation_id,
        headers=headers,
        content_type=event.content_type,
    )
