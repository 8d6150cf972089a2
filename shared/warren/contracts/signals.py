"""Signals: what gateways tell presence. Exchange `warren.events`.

Keys: `signal.<partition>` for rooms, `session.opened|status|closed`, `gateway.beat`, `user.rename`.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from warren.contracts.base import Contract, Model, RoomName, Time, User, UserName, contract

SessionState = Literal["online", "away"]
"""Whether someone is there behind a socket. Signals leave `online` out: it is the rule."""


def _is_rule(status: SessionState) -> bool:
    return status == "online"


class SessionSignal(Contract):
    """A session is one socket; `gateway` is the incarnation that holds it."""

    gateway: str
    session: str
    user: User
    time: Time


@contract
class SessionOpened(SessionSignal):
    """A socket was welcomed."""

    TYPE: ClassVar[str] = "session.opened.v1"
    KEY: ClassVar[str] = "session.opened"


@contract
class SessionClosed(SessionSignal):
    """A socket is gone, and with it all its rooms."""

    TYPE: ClassVar[str] = "session.closed.v1"
    KEY: ClassVar[str] = "session.closed"


@contract
class SessionStatus(SessionSignal):
    """Who holds the socket went away, or came back."""

    TYPE: ClassVar[str] = "session.status.v1"
    KEY: ClassVar[str] = "session.status"
    status: SessionState


@contract
class RoomJoined(SessionSignal):
    """A session entered a room."""

    TYPE: ClassVar[str] = "room.joined.v1"
    KEY: ClassVar[str] = "signal.{partition}"
    room: RoomName
    status: SessionState = Field(default="online", exclude_if=_is_rule)


@contract
class RoomLeft(SessionSignal):
    """A session left a room."""

    TYPE: ClassVar[str] = "room.left.v1"
    KEY: ClassVar[str] = "signal.{partition}"
    room: RoomName


class SessionRow(Model):
    """One session in a gateway's table."""

    session: str
    user: User
    rooms: tuple[RoomName, ...] = ()
    status: SessionState = Field(default="online", exclude_if=_is_rule)


class SessionTable(Model):
    """One part of a gateway's whole table; with the last part, sessions in none of them are gone."""

    id: str
    part: int = Field(ge=1)
    parts: int = Field(ge=1)
    sessions: tuple[SessionRow, ...]


@contract
class GatewayBeat(Contract):
    """A gateway incarnation lives, and all its sessions with it. Some beats carry the whole table."""

    TYPE: ClassVar[str] = "gateway.beat.v1"
    KEY: ClassVar[str] = "gateway.beat"
    gateway: str
    sessions: int = Field(ge=0)
    time: Time
    table: SessionTable | None = None


@contract
class RenameUser(Contract):
    """A user wants another display name; `user.name` is the present one.

    `rooms` are those the asking session is in: presence may not have heard of them yet, or no more.
    """

    TYPE: ClassVar[str] = "user.rename.v1"
    KEY: ClassVar[str] = "user.rename"
    user: User
    name: UserName
    rooms: tuple[RoomName, ...] = ()
    time: Time
