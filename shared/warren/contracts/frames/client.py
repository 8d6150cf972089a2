"""Frames that clients send, and how one is read: strictly, an unknown field is an error."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, TypeAlias, get_args

from pydantic import Field, StringConstraints, TypeAdapter, ValidationError
from pydantic_core import from_json

from warren.contracts.base import MessageId, RoomName, Seq, UserName
from warren.contracts.frames.base import MAX_SEQ, Frame, type_of
from warren.contracts.signals import SessionState
from warren.errors import ContractError


class ClientFrame(Frame):
    """A frame from a client; `ref` is repeated in the answer."""

    ANSWER: ClassVar[str] = ""
    """Type of the frame that answers; empty: there is none but an `error`."""

    ref: Annotated[str, StringConstraints(max_length=64)] | int | None = None


class Join(ClientFrame):
    """Enter a room: the answer brings the entries after `since`, the last `seq` one has, else the latest page."""

    ANSWER: ClassVar[str] = "joined"
    type: Literal["join"]
    room: RoomName
    since: Annotated[int, Field(ge=0, le=MAX_SEQ)] | None = None


class Leave(ClientFrame):
    """Leave a room."""

    ANSWER: ClassVar[str] = "left"
    type: Literal["leave"]
    room: RoomName


class Message(ClientFrame):
    """Say something: acknowledged once the broker has it. The same `id` again is the same message."""

    ANSWER: ClassVar[str] = "ack"
    type: Literal["message"]
    id: MessageId
    room: RoomName
    body: Annotated[str, StringConstraints(min_length=1)]


class Edit(ClientFrame):
    """Replace the body of the message with the `seq` `target`: everyone sees `edited`, or the sender `rejected`.

    `id` is the change's own, like a message's.
    """

    ANSWER: ClassVar[str] = "ack"
    type: Literal["edit"]
    id: MessageId
    room: RoomName
    target: Annotated[Seq, Field(le=MAX_SEQ)]
    body: Annotated[str, StringConstraints(min_length=1)]


class Delete(ClientFrame):
    """Blank the body of the message with the `seq` `target`: everyone sees `deleted`, or the sender `rejected`.

    `id` is the change's own, like a message's.
    """

    ANSWER: ClassVar[str] = "ack"
    type: Literal["delete"]
    id: MessageId
    room: RoomName
    target: Annotated[Seq, Field(le=MAX_SEQ)]


class Rename(ClientFrame):
    """Take another name: everyone who shares a room sees `renamed`."""

    ANSWER: ClassVar[str] = "ack"
    type: Literal["rename"]
    name: UserName


class Status(ClientFrame):
    """Tell whether someone is there: `away` when nobody has touched the device for a while."""

    ANSWER: ClassVar[str] = "ack"
    type: Literal["status"]
    status: SessionState


class Typing(ClientFrame):
    """Tell the room that one is writing."""

    type: Literal["typing"]
    room: RoomName


class Token(ClientFrame):
    """Go on under a fresh token of the same user, before the present one expires."""

    ANSWER: ClassVar[str] = "ack"
    type: Literal["token"]
    token: Annotated[str, StringConstraints(min_length=1, max_length=8000)] = Field(repr=False)


class Read(ClientFrame):
    """Say that one has read the room up to `seq`; what does not go beyond the last is passed over.

    One's other sessions get `read`, and it is kept.
    """

    type: Literal["read"]
    room: RoomName
    seq: Annotated[Seq, Field(le=MAX_SEQ)]


class Ping(ClientFrame):
    """Ask for a `pong`: the way to find out whether the server is still there."""

    ANSWER: ClassVar[str] = "pong"
    type: Literal["ping"]


Change = Message | Edit | Delete
"""What asks for an entry in a room's log."""

AnyClientFrame: TypeAlias = Join | Leave | Change | Rename | Status | Typing | Read | Token | Ping

_CLIENT: TypeAdapter[AnyClientFrame] = TypeAdapter(Annotated[AnyClientFrame, Field(discriminator="type")])


CLIENT_FRAMES: dict[str, type[ClientFrame]] = {type_of(frame): frame for frame in get_args(AnyClientFrame)}
"""The frames that clients send, by type."""


def parse_client_frame(text: str | bytes) -> AnyClientFrame:
    """Read a client's frame, or raise `ContractError` with a sentence for the client's developer."""
    try:
        return _CLIENT.validate_json(text)
    except ValidationError as e:
        raise ContractError(_explain(e)) from None


def ref_of(text: str | bytes) -> str | int | None:
    """Return the `ref` of what is no frame of ours, where it can be read all the same."""
    try:
        ref = from_json(text)["ref"]
        return ClientFrame(ref=ref).ref
    except (ValueError, TypeError, KeyError):
        return None


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
