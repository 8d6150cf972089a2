"""What all contracts share: the model base, the field types and the registry of types.

A contract is the body of one message; its envelope (id, type, time, cause) travels in AMQP properties,
see `warren.envelope`. Readers are tolerant: unknown fields of a known version are ignored.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, ClassVar, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer, StringConstraints

from warren.topology import EVENTS


def rfc3339(moment: datetime) -> str:
    """Write a time as RFC 3339 in UTC with milliseconds: `2026-11-23T05:00:00.000Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def now() -> datetime:
    """Return the present time in UTC."""
    return datetime.now(UTC)


_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def _no_control(text: str) -> str:
    if _CONTROL.search(text):
        raise ValueError("must not contain control characters")
    if text != text.strip():
        raise ValueError("must not begin or end with a space")
    return text


def _utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except OverflowError:
        raise ValueError("must be a year from 1 to 9999 in UTC") from None


RoomName = Annotated[str, StringConstraints(min_length=1, max_length=64), AfterValidator(_no_control)]
"""A room: 1 to 64 characters, no control characters, no space at either end."""

UserName = Annotated[str, StringConstraints(min_length=1, max_length=64), AfterValidator(_no_control)]
"""A display name, bounded like a room's."""

UserId = Annotated[str, StringConstraints(min_length=1, max_length=128), AfterValidator(_no_control)]
"""A user: the token's `sub`."""

MessageId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
"""An id that the client gave: unique per room and user, for ever."""

Seq = Annotated[int, Field(ge=1)]
"""An entry's place in its room: dense, from 1."""

Time = Annotated[datetime, AfterValidator(_utc), PlainSerializer(rfc3339, return_type=str, when_used="json")]
"""A moment, RFC 3339 in UTC."""


class Model(BaseModel):
    """A frozen value; unknown fields are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class User(Model):
    """Who: the id is for ever, the name is the one at the time."""

    id: UserId
    name: UserName


class Contract(Model):
    """The body of one kind of message; `TYPE` is what the AMQP property `type` says.

    `EXCHANGE` and `KEY` say where it passes; `{partition}` stands for that of its room.
    """

    TYPE: ClassVar[str]
    EXCHANGE: ClassVar[str] = EVENTS
    KEY: ClassVar[str]


REGISTRY: dict[str, type[Contract]] = {}
"""Every contract by its type, filled by `@contract`."""

C = TypeVar("C", bound=type[Contract])


def contract(cls: C) -> C:
    """Enter a contract into the registry."""
    if cls.TYPE in REGISTRY:
        raise ValueError(f"two contracts claim the type {cls.TYPE}")
    REGISTRY[cls.TYPE] = cls
    return cls
