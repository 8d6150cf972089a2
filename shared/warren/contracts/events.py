"""Facts: what has happened. Exchange `warren.events`; keys `room.<partition>` or `<subject>.<verb>`."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from warren.contracts.base import Contract, MessageId, Model, RoomName, Seq, Time, User, UserId, UserName, contract
from warren.topology import EPHEMERAL


class Entry(Contract):
    """An entry of a room's log: `seq` is dense per room, `id` is the client's."""

    KEY: ClassVar[str] = "room.{partition}"
    room: RoomName
    seq: Seq
    id: MessageId
    user: User
    time: Time


@contract
class MessagePosted(Entry):
    """A message has its place in the room."""

    TYPE: ClassVar[str] = "message.posted.v1"
    body: str


@contract
class MessageEdited(Entry):
    """The entry `target` has a new body."""

    TYPE: ClassVar[str] = "message.edited.v1"
    target: Seq
    body: str


@contract
class MessageDeleted(Entry):
    """The entry `target` was blanked."""

    TYPE: ClassVar[str] = "message.deleted.v1"
    target: Seq


@contract
class MessageRejected(Contract):
    """A business rule refused a command; its sender is told, the room is not, no `seq` is used."""

    TYPE: ClassVar[str] = "message.rejected.v1"
    KEY: ClassVar[str] = "room.{partition}"
    room: RoomName
    id: MessageId
    user: User
    code: str
    message: str


def _is_none(value: object) -> bool:
    return value is None


Status = Literal["online", "away", "offline"]


class Member(Model):
    """Someone in a room, or someone who was: `seen` says when one who is not online was so last, where it is known."""

    id: str
    name: UserName
    status: Status = "online"
    seen: Time | None = Field(default=None, exclude_if=_is_none)


@contract
class PresenceChanged(Contract):
    """Who came, went or changed in a room; `rev` grows by one per room and change."""

    TYPE: ClassVar[str] = "presence.changed.v1"
    KEY: ClassVar[str] = "room.{partition}"
    room: RoomName
    rev: int
    count: int
    joined: tuple[Member, ...] = ()
    left: tuple[Member, ...] = ()
    changed: tuple[Member, ...] = ()


@contract
class UserRenamed(Contract):
    """A user has another name. `rooms` are those the user is in now: their members are told.

    `asked` is the name that was asked for, where another was given.
    """

    TYPE: ClassVar[str] = "user.renamed.v1"
    KEY: ClassVar[str] = "user.renamed"
    user: User
    was: UserName
    asked: UserName | None = Field(default=None, exclude_if=_is_none)
    rooms: tuple[RoomName, ...] = ()


@contract
class RenameRejected(Contract):
    """A rename was refused."""

    TYPE: ClassVar[str] = "user.rename_rejected.v1"
    KEY: ClassVar[str] = "user.rename_rejected"
    user: User
    name: UserName
    code: str
    message: str


@contract
class UserTyping(Contract):
    """Someone writes. Exchange `warren.ephemeral`: transient, not recorded."""

    TYPE: ClassVar[str] = "user.typing.v1"
    EXCHANGE: ClassVar[str] = EPHEMERAL
    KEY: ClassVar[str] = "room.{partition}"
    room: RoomName
    user: User


@contract
class UserRead(Contract):
    """A user has read a room up to `seq`, as a gateway heard. Exchange `warren.ephemeral`: not recorded."""

    TYPE: ClassVar[str] = "user.read.v1"
    EXCHANGE: ClassVar[str] = EPHEMERAL
    KEY: ClassVar[str] = "user.read"
    gateway: str
    user: UserId
    room: RoomName
    seq: Seq


class Alert(Contract):
    """An alert by its name; `labels` tell two of one name apart."""

    alert: str
    severity: Literal["info", "warning", "error"]
    summary: str
    labels: dict[str, str] = Field(default_factory=dict)
    time: Time


@contract
class AlertRaised(Alert):
    """Something needs a person."""

    TYPE: ClassVar[str] = "alert.raised.v1"
    KEY: ClassVar[str] = "alert.raised"


@contract
class AlertCleared(Alert):
    """It is well again."""

    TYPE: ClassVar[str] = "alert.cleared.v1"
    KEY: ClassVar[str] = "alert.cleared"


class DeadLetter(Contract):
    """A parked message; `letter` is its id at dlq-monitor, `queue` the one it died in."""

    letter: str
    message_id: str | None = None
    queue: str
    type: str | None = None
    cause: str
    actor: str | None = None
    reason: str | None = None
    time: Time


@contract
class DeadLetterParked(DeadLetter):
    """A dead message is stored and waits for a decision."""

    TYPE: ClassVar[str] = "deadletter.parked.v1"
    KEY: ClassVar[str] = "deadletter.parked"


@contract
class DeadLetterReplayed(DeadLetter):
    """A parked message was sent again."""

    TYPE: ClassVar[str] = "deadletter.replayed.v1"
    KEY: ClassVar[str] = "deadletter.replayed"


@contract
class DeadLetterDiscarded(DeadLetter):
    """A parked message was given up by decision."""

    TYPE: ClassVar[str] = "deadletter.discarded.v1"
    KEY: ClassVar[str] = "deadletter.discarded"


@contract
class AuditSealed(Contract):
    """A batch of audit records was chained: `hash` covers it and all before it in its chain."""

    TYPE: ClassVar[str] = "audit.sealed.v1"
    KEY: ClassVar[str] = "audit.sealed"
    chain: str
    n: int
    hash: str
    count: int
    time: Time
