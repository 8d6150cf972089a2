"""Between events and AMQP messages: one event, or a bundle of events of one routing key.

A bundle's body is `[{"properties": {…}, "headers": {…}, "body": …}, …]`, readable in the management UI.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson
from aio_pika.abc import AbstractIncomingMessage
from pamqp.commands import Basic
from pydantic import ValidationError

from warren.contracts import REGISTRY, Contract
from warren.envelope import TRACEPARENT, Event, Headers, traceparent_of
from warren.errors import ContractError
from warren.ids import uuid7
from warren.messaging.datapath import Content, Delivery

BUNDLE = "application/vnd.warren.bundle+json"
BUNDLE_TYPE = "warren.bundle.v1"
DELIVERY_COUNT = "x-delivery-count"
ACQUIRED_COUNT = "x-acquired-count"
PERSISTENT = 2
"""Delivery mode of what must survive the broker."""
MAX_SHORT_STRING = 255
"""Bytes of a text property in AMQP."""

_EXTRA = ("content_encoding", "delivery_mode", "expiration", "priority", "reply_to", "user_id")

Message = Delivery | AbstractIncomingMessage
"""A received message, however it was received."""

Accepted = Mapping[str, type[Contract]]


def accept(*contracts: type[Contract]) -> Accepted:
    """Say which contracts a consumer takes."""
    return {c.TYPE: c for c in contracts}


class Picked(dict[str, type[Contract]]):
    """Contracts that a consumer picks out of what its bindings bring."""


def pick(*contracts: type[Contract]) -> Accepted:
    """Say which contracts a consumer takes, passing over all others that are known: for listeners to facts."""
    return Picked(accept(*contracts))


def passes_over(one: Event, accepted: Accepted) -> bool:
    """Whether an event is well known, and of no interest to this consumer."""
    return isinstance(accepted, Picked) and one.type not in accepted and one.type in REGISTRY


def to_content(events: Sequence[Event], app: str, *, mode: int = PERSISTENT) -> Content:
    """Write one event, or several of the same exchange and routing key as a bundle."""
    if len(events) == 1:
        one = events[0]
        return Content(
            Basic.Properties(
                content_type=one.content_type,
                content_encoding=one.extra.get("content_encoding"),
                headers=dict(one.headers),
                delivery_mode=mode,
                priority=one.extra.get("priority"),
                correlation_id=one.correlation_id,
                reply_to=one.extra.get("reply_to"),
                message_id=one.id,
                timestamp=one.time if one.timed else None,
                message_type=one.type,
                app_id=one.app or (None if one.alone else app),  # a copy does not claim to be ours
            ),
            one.body,
        )
    properties = Basic.Properties(
        content_type=BUNDLE,
        headers={"x-warren-events": len(events)},
        delivery_mode=mode,
        message_id=uuid7(),
        timestamp=datetime.now(UTC),
        message_type=BUNDLE_TYPE,
        app_id=app,
    )
    return Content(properties, orjson.dumps([_item(e, app) for e in events]))


def _item(one: Event, app: str) -> dict[str, Any]:
    properties = {"message_id": one.id, "type": one.type, "timestamp": one.stamp, "app_id": one.app or app}
    if one.correlation_id:
        properties["correlation_id"] = one.correlation_id
    return {"properties": properties, "headers": dict(one.headers), "body": orjson.Fragment(one.body)}


def is_bundle(message: Message) -> bool:
    """Tell whether a message carries a bundle."""
    return message.content_type == BUNDLE


def deliveries_before(message: Message) -> int:
    """How often the broker has delivered this message before, as far as it says.

    Quorum queues count in a header; later versions of RabbitMQ count what a lost consumer gave back in another.
    """
    counts = [message.headers.get(name, 0) for name in (DELIVERY_COUNT, ACQUIRED_COUNT)]
    return max(int(bool(message.redelivered)), *[c for c in counts if isinstance(c, int)], 0)


def single(message: Message) -> Event:
    """Read a message as one event, whatever its body is."""
    return Event(
        type=message.type or "",
        body=message.body,
        exchange=message.exchange or "",
        routing_key=message.routing_key or "",
        id=message.message_id or "",
        time=_as_time(message.timestamp),
        app=message.app_id or "",
        correlation_id=message.correlation_id,
        headers=_traced(message.headers),
        content_type=message.content_type or "",
        extra={name: value for name in _EXTRA if (value := getattr(message, name))},
        timed=message.timestamp is not None,
    )


def _traced(headers: Headers) -> Headers:
    """Return headers whose `traceparent` can be relied on; one that is none is kept as a note."""
    if TRACEPARENT not in headers or traceparent_of(headers):
        return headers
    return {f"x-warren-was-{TRACEPARENT}" if k == TRACEPARENT else k: v for k, v in headers.items()}


def split(message: Message) -> list[Event]:
    """Read a message's events in order; raises `ContractError` for a bundle that is none."""
    one = single(message)
    return split_bundle(one) if is_bundle(message) else [one]


def split_bundle(bundle: Event) -> list[Event]:
    """Read the events of a bundle; raises `ContractError` for a body that is no list.

    An item that is no event becomes one without a type, which every handler of contracts refuses: alone.
    """
    try:
        items = orjson.loads(bundle.body)
    except orjson.JSONDecodeError:
        raise ContractError("not a bundle: no JSON") from None
    if not isinstance(items, list):
        raise ContractError("not a bundle: no list")
    return [_item_event(item, number, bundle) for number, item in enumerate(items)]


def _item_event(item: Any, number: int, bundle: Event) -> Event:
    try:
        properties, headers = item["properties"], item["headers"]
        correlation = properties.get("correlation_id")
        return Event(
            type=_short(properties["type"]),
            body=orjson.dumps(item["body"]),
            exchange=bundle.exchange,
            routing_key=bundle.routing_key,
            id=_short(properties["message_id"]),
            time=datetime.fromisoformat(properties["timestamp"]).astimezone(UTC),
            app=_short(properties.get("app_id", "")),
            correlation_id=None if correlation is None else _short(correlation),
            headers=_traced({**headers}),
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        return replace(bundle, type="", id=f"{bundle.id[:200]}#{number}", body=_dump(item), content_type="")


def _short(value: Any) -> str:
    if not isinstance(value, str) or len(value.encode()) > MAX_SHORT_STRING:
        raise TypeError("not a short string")
    return value


def _dump(item: Any) -> bytes:
    try:
        return orjson.dumps(item)
    except TypeError:  # nested deeper than can be written
        return b"null"


def _as_time(stamp: object) -> datetime:
    return stamp.astimezone(UTC) if isinstance(stamp, datetime) else datetime.now(UTC)


def decode(one: Event, accepted: Accepted) -> Event:
    """Return the event with its data, or raise `ContractError` saying what is wrong with it."""
    contract = accepted.get(one.type)
    if contract is None:
        raise ContractError(_refusal(one.type))
    try:
        data = contract.model_validate_json(one.body)
    except ValidationError as e:
        first = e.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(p) for p in first["loc"])
        raise ContractError(f"{one.type}: {where + ': ' if where else ''}{first['msg']}") from None
    return replace(one, data=data)


def _refusal(kind: str) -> str:
    if not kind:
        return "the message has no type"
    if kind in REGISTRY:
        return f"{kind} is not for this queue"
    stem = kind.rpartition(".v")[0]
    if any(known.startswith(f"{stem}.v") for known in REGISTRY):
        return f"{kind[:100]}: unknown version"
    return f"{kind[:100]}: unknown type"


__all__ = [
    "BUNDLE",
    "BUNDLE_TYPE",
    "Accepted",
    "accept",
    "decode",
    "deliveries_before",
    "is_bundle",
    "passes_over",
    "pick",
    "single",
    "split",
    "split_bundle",
    "to_content",
]
