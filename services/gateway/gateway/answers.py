"""What the REST interface answers, for its document; for its refusals see `gateway.openapi`."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from warren.contracts import User
from warren.contracts.base import MessageId, RoomName, Time
from warren.contracts.events import Member
from warren.contracts.frames import EntryFrame


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")


class GuestToken(_Answer):
    """A guest's token; it is good until `expires`."""

    token: str
    user: User
    expires: Time


class RoomSummary(_Answer):
    """A room, the `seq` of its last entry and its time."""

    room: RoomName
    seq: int
    time: Time
    read: int
    """The `seq` up to which the user has read it."""
    unread: int
    """Entries after that; changes of messages count as well."""


class Rooms(_Answer):
    """The rooms that the token lets its user read."""

    rooms: list[RoomSummary]


class Entries(_Answer):
    """A page of a room's log; `seq` is the room's head, `truncated`: there are more in the direction asked for."""

    entries: list[EntryFrame]
    seq: int
    truncated: bool


class RoomMembers(_Answer):
    """Who is in a room, as of `rev`, in the order of their ids; `truncated`: more follow the last of them."""

    members: list[Member]
    count: int
    rev: int
    truncated: bool


class Person(Member):
    """A user, wherever they are."""


class Accepted(_Answer):
    """The broker has the message."""

    id: MessageId
    room: RoomName


def success(model: type[BaseModel], status: int = 200) -> dict[int | str, dict[str, Any]]:
    """Document a success. What is sent is a dict of that shape already, and is not checked again."""
    return {status: {"model": model}}
