"""Websocket frames, protocol version 1: JSON text, one frame a message.

Frames from clients are strict (an unknown field is an error frame); frames to clients are built here too,
so that the documents generated from these models and the wire cannot differ.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

from warren.contracts.base import MessageId, RoomName, Seq, Time, User, UserName
from warren.contracts.events import Member
from warren.contracts.signals import SessionState
from warren.errors import ContractError

MAX_SEQ = 2**53 - 1
"""The largest number that every JSON reader keeps exactly."""

PROTOCOL = "warren.v1"
"""The websocket sub-protocol that the server selects."""


class Frame(BaseModel):
    """Base of all frames."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ClientFrame(Frame):
    """A frame from a client; `ref` is repeated in the answer."""

    ref: Annotated[str, StringConstraints(max_length=64)] | int | None = None


class Join(ClientFrame):
    """Enter a room; with `since`, get the entries after that `seq`."""

    type: Literal["join"]
    room: RoomName
    since: Annotated[int, Field(ge=0, le=MAX_SEQ)] | None = None


class Leave(ClientFrame):
    """Leave a room."""

    type: Literal["leave"]
    room: RoomName


class Message(ClientFrame):
    """Say something; the same `id` again is the same message."""

    type: Literal["message"]
    id: MessageId
    room: RoomName
    body: Annotated[str, StringConstraints(min_length=1)]


class Edit(ClientFrame):
    """Replace the body of the message with the `seq` `target`; `id` is the change's own, like a message's."""

    type: Literal["edit"]
    id: MessageId
    room: RoomName
    target: Annotated[Seq, Field(le=MAX_SEQ)]
    body: Annotated[str, StringConstraints(min_length=1)]


class Delete(ClientFrame):
    """Blank the body of the message with the `seq` `target`; `id` is the change's own, like a message's."""

    type: Literal["delete"]
    id: MessageId
    room: RoomName
    target: Annotated[Seq, Field(le=MAX_SEQ)]


class Rename(ClientFrame):
    """Take another name."""

    type: Literal["rename"]
    name: UserName


class Status(ClientFrame):
    """Tell whether someone is there: `away` when nobody has touched the device for a while."""

    type: Literal["status"]
    status: SessionState


class Typing(ClientFrame):
    """Tell the room that one is writing."""

    type: Literal["typing"]
    room: RoomName


class Token(ClientFrame):
    """Go on under a fresh token of the same user, before the present one expires."""

    type: Literal["token"]
    token: Annotated[str, StringConstraints(min_length=1, max_length=8000)] = Field(repr=False)


class Ping(ClientFrame):
    """Ask for a `pong`."""

    type: Literal["ping"]


Change = Message | Edit | Delete
"""What asks for an entry in a room's log."""

AnyClientFrame = Annotated[Join | Leave | Change | Rename | Status | Typing | Token | Ping, Field(discriminator="type")]
CLIENT_FRAMES = ("join", "leave", "message", "edit", "delete", "rename", "status", "typing", "token", "ping")
"""The types of frames that clients send."""

_CLIENT: TypeAdapter[Join | Leave | Change | Rename | Status | Typing | Token | Ping] = TypeAdapter(AnyClientFrame)


def parse_client_frame(text: str | bytes) -> Join | Leave | Change | Rename | Status | Typing | Token | Ping:
    """Read a client's frame, or raise `ContractError` with a sentence for the client's developer."""
    try:
        return _CLIENT.validate_json(text)
    except ValidationError as e:
        raise ContractError(_explain(e)) from None


def _explain(error: ValidationError) -> str:
    """Say what is wrong with a frame, naming the field but never echoing its value."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    kind, where = first["type"], ".".join(str(p) for p in first["loc"][1:])
    if kind == "json_invalid":
        return "not JSON"
    if kind in {"union_tag_invalid", "union_tag_not_found"}:
        return f"unknown or missing type; known are {', '.join(CLIENT_FRAMES)}"
    if kind in {"model_attributes_type", "model_type", "dict_type"}:
        return "a frame is a JSON object"
    return f"{where}: {first['msg']}" if where else first["msg"]


class Welcome(Frame):
    """The first frame of every session."""

    type: Literal["welcome"] = "welcome"
    session: str
    user: User
    protocol: int = 1
    limits: dict[str, float]


class MessageFrame(Frame):
    """A message in its place; `trace` is its trace id, 32 hex digits."""

    type: Literal["message"] = "message"
    room: RoomName
    seq: Seq
    id: MessageId
    user: User
    body: str
    time: Time
    trace: str


class EditedFrame(Frame):
    """An entry of the log: the message with the `seq` `target` has a new body."""

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
    """An entry of the log: the message with the `seq` `target` is gone, and so is its body in the store."""

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
    """The snapshot of a room: its head `seq`, who is there (`members` absent in large rooms), entries."""

    type: Literal["joined"] = "joined"
    ref: str | int | None = None
    room: RoomName
    seq: int
    rev: int
    members: tuple[Member, ...] | None = None
    count: int
    entries: tuple[EntryFrame, ...]
    truncated: bool


class Left(Frame):
    """The room is left."""

    type: Literal["left"] = "left"
    ref: str | int | None = None
    room: RoomName


class Ack(Frame):
    """The broker has it (`id`, `room` for messages)."""

    type: Literal["ack"] = "ack"
    ref: str | int | None = None
    id: MessageId | None = None
    room: RoomName | None = None


class Rejected(Frame):
    """A business rule refused a message that had been accepted."""

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
    """Someone has another name."""

    type: Literal["renamed"] = "renamed"
    user: User
    was: str


class TypingFrame(Frame):
    """Someone writes."""

    type: Literal["typing"] = "typing"
    room: RoomName
    user: User


class Pong(Frame):
    """The answer to `ping`."""

    type: Literal["pong"] = "pong"
    ref: str | int | None = None


class Error(Frame):
    """What went wrong with the frame `ref`; `retry_after` in seconds where trying again may help."""

    type: Literal["error"] = "error"
    ref: str | int | None = None
    code: str
    message: str
    retry_after: float | None = None
    id: str | None = None
    room: str | None = None


class Goodbye(Frame):
    """The server is about to close; come back after `reconnect_after` seconds."""

    type: Literal["goodbye"] = "goodbye"
    reason: str
    reconnect_after: float


def encode(frame: Frame, **dump: Any) -> str:
    """Write a frame for the wire; absent optional fields are left out."""
    return frame.model_dump_json(exclude_none=True, **dump)
