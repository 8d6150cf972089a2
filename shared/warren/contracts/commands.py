"""Commands: what a client asks for. Exchange `warren.commands`, key `chat.<partition>`."""

from __future__ import annotations

from typing import ClassVar

from warren.contracts.base import Contract, MessageId, RoomName, Seq, Time, User, contract
from warren.topology import COMMANDS


class RoomCommand(Contract):
    """What every command on a room's log carries. `time` is when the gateway accepted it."""

    EXCHANGE: ClassVar[str] = COMMANDS
    KEY: ClassVar[str] = "chat.{partition}"
    room: RoomName
    id: MessageId
    user: User
    time: Time


@contract
class PostMessage(RoomCommand):
    """Add a message to a room."""

    TYPE: ClassVar[str] = "message.post.v1"
    body: str


@contract
class EditMessage(RoomCommand):
    """Replace the body of the entry `target`."""

    TYPE: ClassVar[str] = "message.edit.v1"
    target: Seq
    body: str
    moderator: bool = False
    """Whether the user may change anyone's messages in this room, as the gateway has verified."""


@contract
class DeleteMessage(RoomCommand):
    """Blank the body of the entry `target`."""

    TYPE: ClassVar[str] = "message.delete.v1"
    target: Seq
    moderator: bool = False
    """As in `EditMessage`."""
