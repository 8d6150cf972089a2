"""From a message in a dead queue to letters: who killed it, where, why. Pure.

Three ways lead there. A consumer's own copy carries the cause in headers (`warren.messaging.failures`). The broker's
own dead letters (delivery limit, rejection, expiry) carry `x-death`, its newest entry first. Anything else was put
there by hand.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from dlq_monitor.model import Body, Cause, Letter, properties_of
from warren.contracts import now
from warren.envelope import Event, replays_of
from warren.errors import ContractError
from warren.messaging import failures
from warren.messaging.codec import BUNDLE, split_bundle
from warren.topology import Topology

X_DEATH = "x-death"

_ID = re.compile(r"[0-9a-f]{32}")
_REASONS = {
    "delivery_limit": "the broker gave it up: {queue} delivered it too often, as if it killed its consumer",
    "rejected": "a consumer of {queue} rejected it",
    "expired": "its time to live ended in {queue}",
    "maxlen": "{queue} was full",
}


def letters(event: Event, dead_queue: str, topology: Topology, body_limit: int) -> list[Letter]:
    """Return the letters a dead message becomes: one, or one for each event of a bundle that the broker gave up."""
    death = _death_by_broker(event.headers)
    if death is None:
        ours = _ID.fullmatch(_text(event.headers, failures.DEATH))
        return [(_killed_by_us if ours else _put_by_hand)(event, dead_queue, body_limit)]
    return [_killed_by_broker(e, death, dead_queue, topology, body_limit) for e in _taken_apart(event)]


def unread(event: Event, dead_queue: str, body_limit: int, error: Exception) -> Letter:
    """Return a letter with little more than the body, for a message that our own code fails on with `error`."""
    plain = Event(type=event.type[:200], body=event.body, routing_key=event.routing_key, id=event.id[:200])
    letter = _put_by_hand(plain, dead_queue, body_limit)
    return replace(letter, cause=Cause("unread", f"dlq-monitor could not read it: {type(error).__name__}: {error}"))


def _taken_apart(event: Event) -> list[Event]:
    if event.content_type != BUNDLE:
        return [event]
    try:
        events = split_bundle(event)
    except ContractError:
        return [event]
    return [replace(e, headers={**e.headers, X_DEATH: event.headers[X_DEATH]}) for e in events] or [event]


def _killed_by_us(event: Event, dead_queue: str, body_limit: int) -> Letter:
    headers = event.headers
    return Letter(
        id=_text(headers, failures.DEATH),
        queue=_text(headers, failures.QUEUE) or dead_queue,
        service=_text(headers, failures.SERVICE),
        cause=Cause(
            _text(headers, failures.CAUSE) or "unknown",
            _text(headers, failures.ERROR),
            _text(headers, failures.WHERE),
        ),
        died_at=_moment(headers.get(failures.DIED_AT)),
        exchange=_text(headers, failures.EXCHANGE),
        routing_key=_text(headers, failures.ROUTING_KEY),
        **_envelope(event, dead_queue, body_limit),
    )


def _killed_by_broker(
    event: Event, death: Mapping[str, Any], dead_queue: str, topology: Topology, body_limit: int
) -> Letter:
    queue, reason = _text(death, "queue"), _text(death, "reason")
    known = topology.named(queue)
    keys = death.get("routing-keys")
    return Letter(
        id=_digest(queue, reason, death.get("time"), death.get("count"), _identity(event)),
        queue=queue or dead_queue,
        service=known.service if known else dead_queue.removesuffix(".dead"),
        cause=Cause(
            reason or "unknown", _REASONS.get(reason, "the broker dropped it from {queue}").format(queue=queue)
        ),
        died_at=_moment(death.get("time")),
        exchange=_text(death, "exchange"),
        routing_key=str(keys[0]) if isinstance(keys, list) and keys else "",
        **_envelope(event, dead_queue, body_limit),
    )


def _put_by_hand(event: Event, dead_queue: str, body_limit: int) -> Letter:
    return Letter(
        id=_digest(dead_queue, _identity(event)),
        queue=dead_queue,
        service=dead_queue.removesuffix(".dead"),
        cause=Cause("unknown", "it was put into the dead queue without a cause"),
        died_at=now(),
        exchange=event.exchange,
        routing_key=event.routing_key,
        **_envelope(event, dead_queue, body_limit),
    )


def _envelope(event: Event, dead_queue: str, body_limit: int) -> dict[str, Any]:
    return {
        "dead_queue": dead_queue,
        "message_id": event.id,
        "type": event.type,
        "attempt": event.attempt,
        "replays": replays_of(event.headers),
        "properties": properties_of(event),
        "headers": dict(event.headers),
        "body": Body.of(event.body, body_limit),
        "trace": event.trace_id,
    }


def _death_by_broker(headers: Mapping[str, Any]) -> Mapping[str, Any] | None:
    deaths = headers.get(X_DEATH)
    newest = deaths[0] if isinstance(deaths, list) and deaths else None
    return newest if isinstance(newest, dict) else None


def _identity(event: Event) -> str:
    """Tell two messages apart: the ids of strangers need not be unique, and may be missing."""
    return f"{event.id or event.stamp}\n{hashlib.sha256(event.body).hexdigest()}"


def _digest(*parts: object) -> str:
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()[:32]


def _text(headers: Mapping[str, Any], name: str) -> str:
    value = headers.get(name)
    return value if isinstance(value, str) else ""


def _moment(value: object) -> datetime:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return now()
    return value.astimezone(UTC) if isinstance(value, datetime) else now()
