"""From a letter back to the event it was. Pure, but for the span of `traced`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from dlq_monitor.autopsy import X_DEATH
from dlq_monitor.model import PROPERTIES, Letter
from warren.contracts import now
from warren.envelope import LETTER, LINKED, REPLACES, REPLAYS, TRACEPARENT, Event, replays_of, traceparent_of
from warren.messaging import failures
from warren.observability.tracing import linked_span
from warren.topology import Topology, retry_exchange

_BROKERS = (X_DEATH, "x-first-death-", "x-last-death-", "x-delivery-count", "x-acquired-count")
_NOT_ITS_OWN = (failures.OWN, *_BROKERS)
_NAMES = ("CC", "BCC", TRACEPARENT)


@dataclass(frozen=True, slots=True)
class Target:
    """Another exchange and routing key than those that lead to the queue a letter died in."""

    exchange: str
    key: str


def resent(letter: Letter, topology: Topology, to: Target | None = None) -> Event | str:
    """Return the event to publish, or a sentence saying why the letter cannot be sent again.

    It goes through its service's own exchange, so that no other service gets it; a queue outside of the topology is
    reached by its name. `to` sends it elsewhere. It counts as a first attempt again.
    """
    if not letter.origin_known and to is None:
        return "it is not known which queue it died in"
    if not letter.body.complete:
        return f"its body of {letter.body.size} bytes was too long to be kept whole"
    queue = topology.named(letter.queue)
    to = to or Target(retry_exchange(queue.service) if queue else "", letter.routing_key if queue else letter.queue)
    properties = letter.properties
    timestamp = properties.get("timestamp")
    return Event(
        type=letter.type,
        body=letter.body.data,
        exchange=to.exchange,
        routing_key=to.key,
        id=letter.message_id,
        time=timestamp if isinstance(timestamp, datetime) else now(),
        timed=isinstance(timestamp, datetime),
        app=str(properties.get("app_id", "")),
        correlation_id=properties.get("correlation_id"),
        headers=_sent_headers(letter),
        content_type=str(properties.get("content_type", "")),
        extra={k: v for k, v in properties.items() if k not in PROPERTIES},
        alone=True,
    )


def traced(again: Event, letter: Letter) -> Event:
    """Return the event in a trace of its own, linked to the one it had; the trace's id is the letter's."""
    with linked_span(f"replay {letter.type}", letter.id, letter.headers, **{"warren.letter": letter.id}) as traceparent:
        return replace(again, headers={**again.headers, TRACEPARENT: traceparent})


def own_headers(headers: Mapping[str, Any]) -> dict[str, Any]:
    """Return headers as their sender gave them: without ours, the broker's, and those that make the broker act."""
    return {k: v for k, v in headers.items() if not k.startswith(_NOT_ITS_OWN) and k not in _NAMES}


def _sent_headers(letter: Letter) -> dict[str, Any]:
    added = {REPLAYS: replays_of(letter.headers) + 1, LETTER: letter.id}
    kept = {k: letter.headers[k] for k in (REPLACES,) if k in letter.headers}
    before = traceparent_of(letter.headers)
    return {**own_headers(letter.headers), **kept, **added, **({LINKED: before} if before else {})}
