"""What is recorded of an event: pure, and made for every event whatever it holds. An audit refuses nothing."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson

from audit import plain
from warren.contracts.events import AuditSealed
from warren.envelope import REPLAYS, Event

MAX_PARSED = 256 * 1024
"""Bytes of a body that is looked into for room and user; a larger one is none of ours."""

MAX_ID = 255
"""Bytes of a message id by AMQP; what is longer came in a hostile bundle and identifies nothing."""


@dataclass(frozen=True, slots=True)
class Record:
    """One event as it is kept: canonical JSON, the very text that is hashed, and the tokens that find it.

    The first key leads to the documents that may hold this event already. `identity` is the same for the same event
    delivered again, None for an event without a message id.
    """

    text: str
    keys: tuple[str, ...]
    identity: str | None
    trace: str
    is_seal: bool


def record(event: Event, body_limit: int) -> Record:
    """Return the record of an event, whatever it is; of a body above `body_limit` bytes only its beginning."""
    kind, message, key = plain.text(event.type), plain.text(event.id), plain.text(event.routing_key)
    trace = plain.text(event.trace_id)
    entry: dict[str, Any] = {
        "app": plain.text(event.app),
        "exchange": plain.text(event.exchange),
        "headers": plain.headers(event.headers),
        "message_id": message,
        "routing_key": key,
        "size": len(event.body),
        "time": plain.stamp(event.time),
        "type": kind,
    }
    _keep_body(entry, event.body, body_limit)
    if event.content_type != "application/json":
        entry["content_type"] = plain.text(event.content_type)
    if extra := {k: v for k, v in event.extra.items() if k != "delivery_mode"}:
        entry["properties"] = plain.headers(extra)
    if event.correlation_id:
        entry["correlation_id"] = plain.text(event.correlation_id)
    if trace:
        entry["trace"] = trace
    about = _about(event.body)
    entry.update(about)
    return Record(
        text=orjson.dumps(entry, option=orjson.OPT_SORT_KEYS).decode(),
        keys=_keys(trace, message, kind, about),
        identity=_identity(message, kind, key, entry["headers"]) if message else None,
        trace=trace,
        is_seal=kind == AuditSealed.TYPE,
    )


def identity_of(entry: Mapping[str, Any]) -> str | None:
    """Return the identity of a record that was read back."""
    message = entry.get("message_id")
    if not message:
        return None
    return _identity(message, entry.get("type", ""), entry.get("routing_key", ""), entry.get("headers", {}))


def token(kind: str, value: str) -> str:
    """Return the search token for a value, as `keys` has it."""
    return f"{kind}:{plain.text(value)}"


def made_at(message_id: str) -> datetime | None:
    """Return when an id was made, to the millisecond, if it is a UUIDv7."""
    try:
        uuid = UUID(message_id)
        return datetime.fromtimestamp((uuid.int >> 80) / 1000, UTC) if uuid.version == 7 else None
    except (ValueError, OverflowError):
        return None


def _identity(message: str, kind: str, key: str, headers: Mapping[str, Any]) -> str | None:
    if len(message) > MAX_ID:
        return None
    return f"{message} {kind} {key} {headers.get(REPLAYS, 0)}"  # a replay is another publish of the same message


def _keep_body(entry: dict[str, Any], body: bytes, limit: int) -> None:
    kept = body
    if len(body) > limit:
        kept = body[:limit]
        entry["cut"] = True
        entry["sha256"] = hashlib.sha256(body).hexdigest()
    try:
        body.decode()
    except UnicodeDecodeError:
        entry["encoding"] = "base64"
        entry["body"] = base64.b64encode(kept).decode()
    else:
        entry["body"] = kept.decode(errors="ignore")  # the cut may go through a character


def _about(body: bytes) -> dict[str, str]:
    """Read which room, user and client's message id a body speaks of."""
    if len(body) > MAX_PARSED or body[:64].lstrip()[:1] != b"{":
        return {}
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    user = data.get("user")
    found = {"room": data.get("room"), "user": user.get("id") if isinstance(user, dict) else user, "id": data.get("id")}
    return {k: plain.text(v) for k, v in found.items() if isinstance(v, str) and v}


def _keys(trace: str, message: str, kind: str, about: Mapping[str, str]) -> tuple[str, ...]:
    """Return few tokens: each costs a place in the index, by far the dearest part of a record.

    The id of a message with a trace is none: it is found by the trace, or by the time in the id.
    """
    keys = [f"trace:{trace}"] if trace else [f"message:{message}"] if message else []
    keys += [f"{'message' if name == 'id' else name}:{value}" for name, value in about.items()]
    if kind:
        keys.append(f"type:{kind}")
    return tuple(keys)
