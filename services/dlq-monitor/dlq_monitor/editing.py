"""An edited copy of a letter, checked against the contract before anything is sent. Pure.

The copy is a letter of its own, with a new message id: nobody takes it for one that was worked already.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from dlq_monitor.model import Body, Letter, Step
from dlq_monitor.replaying.planning import Part, part
from dlq_monitor.resending import own_headers, resent
from warren.contracts import REGISTRY, now
from warren.envelope import REPLACES, Event
from warren.errors import ContractError
from warren.ids import uuid7
from warren.messaging.codec import BUNDLE, MAX_SHORT_STRING, decode, split_bundle
from warren.messaging.failures import MAX_HEADER_BYTES, header_bytes
from warren.topology import Topology

EDITABLE = ("type", "content_type", "content_encoding", "correlation_id", "reply_to", "app_id")
"""Properties that may be changed: texts of at most 255 bytes."""


@dataclass(frozen=True, slots=True)
class Edit:
    """What is to be otherwise; None leaves it as it was. A property of None goes."""

    body: bytes | None = None
    headers: Mapping[str, Any] | None = None
    properties: Mapping[str, str | None] | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """An edited copy, what would be sent which way, and the contract that it was checked against; empty: none."""

    copy: Letter
    event: Event
    way: Part
    checked: str


def draft(letter: Letter, edit: Edit, topology: Topology, *, actor: str, reason: str, body_limit: int) -> Draft | str:
    """Return the copy, or a sentence saying why the letter can't be sent; raises `ContractError` for a wrong edit."""
    body = letter.body if edit.body is None else _body(edit.body, body_limit)
    properties = _properties(letter.properties, edit.properties or {})
    message_id, moment = uuid7(), now()
    copy = replace(
        letter,
        id=uuid7().replace("-", ""),
        message_id=message_id,
        type=str(properties.get("type", "")),
        properties={**properties, "message_id": message_id, "timestamp": moment},
        headers=_headers(letter, edit.headers),
        body=body,
        status="edited",
        history=(Step("edited", actor, reason, moment, letter.id),),
        last=moment,
        seen=1,
        number=0,
        version=0,
        due=None,
    )
    event = resent(copy, topology)
    if isinstance(event, str):
        return event
    checked = _checked(event, known=topology.named(letter.queue) is not None)
    return Draft(copy, event, part(letter.queue, copy.type, 1, topology), checked)


def _body(data: bytes, limit: int) -> Body:
    if len(data) > limit:
        raise ContractError(f"the body has {len(data)} bytes, at most {limit} are kept")
    return Body.of(data, limit)


def _properties(were: Mapping[str, Any], change: Mapping[str, str | None]) -> dict[str, Any]:
    for name, value in change.items():
        if name not in EDITABLE:
            raise ContractError(f"the property {name} can't be changed; those that can: {', '.join(EDITABLE)}")
        if value is not None and len(value.encode()) > MAX_SHORT_STRING:
            raise ContractError(f"the property {name} is longer than {MAX_SHORT_STRING} bytes")
    return {k: v for k, v in {**were, **change}.items() if v is not None}


def _headers(letter: Letter, given: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the copy's headers: those that were given in the place of its sender's, and all others as they were."""
    own = own_headers(letter.headers)
    wanted = own if given is None else own_headers(given)
    if given is not None and (foreign := given.keys() - wanted.keys()):
        raise ContractError(f"these headers are not the sender's to set: {', '.join(sorted(foreign)[:5])}")
    if given is not None and header_bytes(wanted) > MAX_HEADER_BYTES:
        raise ContractError(f"the headers can't be written, or take more than {MAX_HEADER_BYTES} bytes")
    others = {k: v for k, v in letter.headers.items() if k not in own}
    return {**wanted, **others, REPLACES: letter.message_id or letter.id}


def _checked(event: Event, *, known: bool) -> str:
    """Check an event by its contract; one that goes to a queue of ours must have one."""
    if not known and event.type not in REGISTRY:
        return ""
    for one in split_bundle(event) if event.content_type == BUNDLE else [event]:
        decode(one, REGISTRY)
    return event.type
