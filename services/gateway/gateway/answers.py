"""What REST answers, as models: for the OpenAPI document only, what chat and presence say is handed on as it is."""

from __future__ import annotations

from pydantic import BaseModel, Field

from warren.contracts import User
from warren.contracts.base import MessageId, RoomName, Time
from warren.contracts.events import Member
from warren.contracts.frames import EntryFrame


class Token(BaseModel):
    """A token, whose it is, and when it expires."""

    token: str
    user: User
    expires: Time


class Room(BaseModel):
    """A room: `seq` and time of its newest entry; the `seq` up to which the user has read, and how much is after."""

    room: RoomName
    seq: int
    time: Time
    read: int = Field(ge=0)
    unread: int = Field(ge=0, description="entries after `read`: changes of messages count as well")


class Rooms(BaseModel):
    """Rooms, the most recently active first."""

    rooms: list[Room]


class Page(BaseModel):
    """Entries in order; `seq` is the room's head; `truncated`: there are more in the direction asked for."""

    entries: list[EntryFrame]
    seq: int
    truncated: bool


class Members(BaseModel):
    """Who is in a room as of `rev`; `count` are there, `members` may be fewer."""

    members: list[Member]
    count: int = Field(ge=0)
    rev: int = Field(ge=0)


class Posted(BaseModel):
    """The broker has the message."""

    id: MessageId
    room: RoomName
