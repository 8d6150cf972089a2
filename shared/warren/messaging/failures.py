"""Copies of events that failed: to a delay queue for another attempt, or to the dead queue with the cause.

The copy is confirmed before the original is acked. What would make the broker act on the copy (the headers `CC` and
`BCC`, the properties expiration and user id) and what it says of former deaths become plain notes, `x-warren-was-…`:
a message in a dead queue with the header `x-death` was brought there by the broker itself.
"""

from __future__ import annotations

import hashlib
import traceback
from collections.abc import Mapping
from typing import Any

from warren.contracts.base import now, rfc3339
from warren.envelope import ATTEMPT, REPLAYS, TRACEPARENT, Event
from warren.messaging.fields import write_table
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

OWN = "x-warren-"
NOTE = "x-warren-was-"

_ACTIVE = frozenset({"CC", "BCC", "x-death"})
_ACTIVE_PROPERTIES = ("expiration", "user_id")
_BROKERS = ("x-delivery-count", "x-acquired-count", "x-first-death-", "x-last-death-")
MAX_HEADER_BYTES = 48 * 1024
"""Headers share one frame (128 KB at the most): larger ones are left out, and the copy says so."""
MAX_ERROR_CHARACTERS = 500
MAX_NOTE_CHARACTERS = 2000


def retry_copy(event: Event, service: str, delay: int) -> Event:
    """Return the copy that comes back after `delay` seconds as the next attempt."""
    headers = {**_passive(event.headers), ATTEMPT: event.attempt + 1}
    headers.pop(f"{NOTE}x-death", None)  # it tells of our own delay queues
    return _copy(event, DelayQueue(service, delay).name, event.routing_key, headers)


def again_copy(event: Event, exchange: str) -> Event:
    """Return a copy for the same service's queue, as a message of its own."""
    return _copy(event, exchange, event.routing_key, _passive(event.headers))


def dead_copy(event: Event, service: str, instance: str, queue: str, error: BaseException) -> Event:
    """Return the copy that says why it died, for the service's dead queue."""
    headers = {
        **_passive(event.headers),
        **{NOTE + name: str(event.extra[name]) for name in _ACTIVE_PROPERTIES if name in event.extra},
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
    body = hashlib.sha256(event.body).hexdigest()  # the ids of strangers need not be unique
    unique = (queue, event.id or event.stamp, body, event.headers.get(REPLAYS, 0))
    return hashlib.sha256("\n".join(map(str, unique)).encode()).hexdigest()[:32]


def _passive(headers: Mapping[str, Any]) -> dict[str, Any]:
    """Return headers that do nothing to the broker and that can be written; `DROPPED` counts those that cannot."""
    kept: dict[str, Any] = {}
    room, dropped = MAX_HEADER_BYTES, 0
    for name in sorted(headers, key=lambda n: (n != TRACEPARENT, not n.startswith(OWN))):
        if name.startswith(_BROKERS):
            continue
        header = {NOTE + name.lower(): _note(headers[name])} if name in _ACTIVE else {name: headers[name]}
        room -= (size := header_bytes(header))
        if room < 0:
            room += size
            dropped += 1
        else:
            kept |= header
    return kept | ({DROPPED: dropped} if dropped else {})


def _note(value: Any) -> str:
    return str(value)[:MAX_NOTE_CHARACTERS]


def header_bytes(headers: Mapping[str, Any]) -> int:
    """Return the bytes that headers take; more than there can be room for if they cannot be written at all."""
    try:
        return len(write_table(headers))
    except (TypeError, ValueError, OverflowError, RecursionError):
        return MAX_HEADER_BYTES + 1


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
        extra=event.extra,
        timed=event.timed,
        alone=True,  # its body may be no JSON at all, its headers of any type: in a bundle it would spoil the others
    )
