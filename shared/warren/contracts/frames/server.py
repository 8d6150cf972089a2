"""Frames that the server sends."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias, get_args

from pydantic import Field

from warren.contracts.base import MessageId, Model, RoomName, Seq, Time, User
from warren.contracts.events import Member
from warren.contracts.frames.base import Frame, type_of


class Limits(Model):
    """What a client can run into; 0 means none. A newer server may tell of more."""

    frame_bytes: int = Field(description="bytes of a frame; a larger one closes the socket with 1009")
    body_bytes: int = Field(description="bytes of a message's body in UTF-8, else `too_long`")
    message_rate: float = Field(description="frames per second, all but `leave` and `ping`, else `rate_limited`")
    message_burst: float = Field(description="of them at once")
    frame_rate: float = Field(description="frames of any kind per second and address; more are read later")
    pending: int = Field(description="messages of a session that may wait for their `ack`, else `busy`")
    bad_frames: int = Field(description="bad frames in a row, then the socket is closed with 4009")
    rooms: int = Field(description="rooms of a session, else `too_many_rooms`")
    members: int = Field(description="members of a room that `joined` lists; of more it tells the number only")
    first_page: int = Field(description="entries in `joined` without `since`")
    page: int = Field(description="entries in `joined` with `since`; when more were missed, `truncated`")
    buffer_bytes: int = Field(description="bytes that may wait for a client to read them, then it is closed with 4008")
    sessions_per_user: int = Field(description="open sockets of a user, else 4009")
    sessions_per_address: int = Field(description="open sockets of an address, else 4009")
    connect_rate: float = Field(description="handshakes of an address per second, else 4009")
    heartbeat: float = Field(description="seconds of quiet between two pings of the server")
    silence: float = Field(description="seconds a client may take to answer one, then it is closed with 4012")


class Welcome(Frame):
    """The first frame of every session: who one is, the version of the protocol, and every limit to run into."""

    type: Literal["welcome"] = "welcome"
    session: str
    user: User
    protocol: int = 1
    limits: Limits


class MessageFrame(Frame):
    """A message in its place: `seq` is dense per room, from 1. Its sender gets it too.

    `trace` is its trace id, 32 hex digits.
    """

    type: Literal["message"] = "message"
    room: RoomName
    seq: Seq
    id: MessageId
    user: User
    body: str
    time: Time
    trace: str


class EditedFrame(Frame):
    """An entry of the log: the message with the `seq` `target` has this body now."""

    type: Literal["edited"] = "edited"
    room: RoomName
    seq: Seq
    id: MessageId
    user: User
    target: Seq
    body: str
    time: Time
    trace: str


class DeletedFrame(Frame):
    """An entry of the log: the message with the `seq` `target` is gone.

    Its text is gone from the store, too: `body` is empty in later pages.
    """

    type: Literal["deleted"] = "deleted"
    room: RoomName
    seq: Seq
    id: MessageId
    user: User
    target: Seq
    time: Time
    trace: str


EntryFrame = Annotated[MessageFrame | EditedFrame | DeletedFrame, Field(discriminator="type")]


class Joined(Frame):
    """The snapshot of a room: its head `seq`, who is there as of `rev`, and entries.

    `truncated`: more were missed than fit, these are the newest. `members` is absent in large rooms. `read` is the
    `seq` up to which one has read, on whatever device; 0 for nothing yet.
    """

    type: Literal["joined"] = "joined"
    ref: str | int | None = None
    room: RoomName
    seq: int
    rev: int
    members: tuple[Member, ...] | None = None
    count: int
    entries: tuple[EntryFrame, ...]
    truncated: bool
    read: int = 0


class Left(Frame):
    """The room is left."""

    type: Literal["left"] = "left"
    ref: str | int | None = None
    room: RoomName


class Ack(Frame):
    """The broker has it; with `id` and `room` for what becomes an entry of a room."""

    type: Literal["ack"] = "ack"
    ref: str | int | None = None
    id: MessageId | None = None
    room: RoomName | None = None


class Rejected(Frame):
    """A rule refused what had been acknowledged; nobody else is told, no `seq` is used."""

    type: Literal["rejected"] = "rejected"
    room: RoomName
    id: MessageId
    code: str
    message: str


class Presence(Frame):
    """Who is in a room at `rev`, in one of three ways.

    With `since`: who came, went or changed after that rev; a client that knows less has a gap and asks for members.
    With `members`: everyone, in place of what was known. With neither: the number only, the room is large.
    """

    type: Literal["presence"] = "presence"
    room: RoomName
    rev: int
    since: int | None = None
    count: int
    joined: tuple[Member, ...] | None = None
    left: tuple[Member, ...] | None = None
    changed: tuple[Member, ...] | None = None
    members: tuple[Member, ...] | None = None


class Renamed(Frame):
    """Someone who shares a room has another name; `was` is the old one.

    `asked` is the name that was asked for, where another was given, be it the old one again.
    """

    type: Literal["renamed"] = "renamed"
    user: User
    was: str
    asked: str | None = None


class TypingFrame(Frame):
    """Someone writes."""

    type: Literal["typing"] = "typing"
    room: RoomName
    user: User


class ReadFrame(Frame):
    """One has read the room up to `seq` in another session; pass over what is lower than you know."""

    type: Literal["read"] = "read"
    room: RoomName
    seq: Seq


class Pong(Frame):
    """The answer to `ping`."""

    type: Literal["pong"] = "pong"
    ref: str | int | None = None


class Error(Frame):
    """What went wrong with the frame `ref`; with `retry_after`, in seconds, where trying again helps."""

    type: Literal["error"] = "error"
    ref: str | int | None = None
    code: str
    message: str
    retry_after: float | None = None
    id: str | None = None
    room: str | None = None


class Goodbye(Frame):
    """The socket is about to be closed: come back after `reconnect_after` seconds. `reason` is a close code's name."""

    type: Literal["goodbye"] = "goodbye"
    reason: str
    reconnect_after: float


AnyServerFrame: TypeAlias = (
    Welcome
    | Joined
    | Left
    | MessageFrame
    | EditedFrame
    | DeletedFrame
    | Ack
    | Rejected
    | Presence
    | Renamed
    | TypingFrame
    | ReadFrame
    | Pong
    | Error
    | Goodbye
)

SERVER_FRAMES: dict[str, type[Frame]] = {type_of(frame): frame for frame in get_args(AnyServerFrame)}
"""The frames that the server sends, by type."""
