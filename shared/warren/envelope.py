"""An event and its envelope, as handlers see it: no broker library in sight.

On the wire the envelope is AMQP properties and headers, the data is the JSON body (`messaging.codec`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from warren.contracts.base import Contract, now, rfc3339
from warren.ids import uuid7

TRACEPARENT = "traceparent"
ATTEMPT = "x-warren-attempt"
REPLAYS = "x-warren-replays"
LETTER = "x-warren-letter"
"""Names the letter at dlq-monitor that a replayed message was: should it die again, it is known which one came back."""
REPLACES = "x-warren-replaces"
"""On an edited replay: the id of the message that it takes the place of."""
LINKED = "x-warren-linked-trace"
"""On a replay, which is a new trace: the `traceparent` that the message had before."""
MAX_ATTEMPT = 1000
"""More than any event gets: what is higher was not counted by us."""

_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")

Headers = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Event:
    """One event. `data` is the decoded body where the consumer said which types it takes, else None.

    `extra` holds AMQP properties that Warren has no use for (reply_to, priority and so on), as they came.
    `alone`: it must be a message of its own, never part of a bundle.
    `timed`: its message has a timestamp, which copies get; else `time` is when it was read.
    """

    type: str
    body: bytes
    routing_key: str
    exchange: str = ""
    id: str = field(default_factory=uuid7)
    time: datetime = field(default_factory=now)
    app: str = ""
    correlation_id: str | None = None
    headers: Headers = field(default_factory=dict)
    content_type: str = "application/json"
    data: Contract | None = None
    extra: Headers = field(default_factory=dict)
    alone: bool = False
    timed: bool = True

    @property
    def trace_id(self) -> str:
        """The trace's 32 hex digits, or nothing."""
        return trace_id_of(self.headers)

    @property
    def attempt(self) -> int:
        """Which attempt this is, from 1."""
        value = self.headers.get(ATTEMPT, 1)
        return min(value, MAX_ATTEMPT) if isinstance(value, int) and value >= 1 else 1

    @property
    def stamp(self) -> str:
        """The time as RFC 3339."""
        return rfc3339(self.time)


def trace_id_of(headers: Headers) -> str:
    """Read the trace id from a W3C `traceparent` header."""
    parent = traceparent_of(headers)
    return parent[3:35] if parent else ""


def replays_of(headers: Headers) -> int:
    """How often dlq-monitor has sent this message again, as far as its header can be believed."""
    value = headers.get(REPLAYS, 0)
    return min(value, MAX_ATTEMPT) if isinstance(value, int) and value > 0 else 0


def traceparent_of(headers: Headers) -> str | None:
    """Return a well-formed W3C `traceparent` header; anything else is as good as none."""
    parent = headers.get(TRACEPARENT)
    return parent if isinstance(parent, str) and _TRACEPARENT.fullmatch(parent) else None


def event(
    data: Contract,
    exchange: str,
    routing_key: str,
    *,
    cause: Event | None = None,
    traceparent: str | None = None,
) -> Event:
    """Wrap `data` for publishing; it inherits the trace of `cause` and names it as its cause."""
    headers: dict[str, Any] = {}
    parent = traceparent or (traceparent_of(cause.headers) if cause else None)
    if parent:
        headers[TRACEPARENT] = parent
    return Event(
        type=data.TYPE,
        body=data.model_dump_json().encode(),
        exchange=exchange,
        routing_key=routing_key,
        correlation_id=cause.id if cause else None,
        headers=headers,
        data=data,
    )
