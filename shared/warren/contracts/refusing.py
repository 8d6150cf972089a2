"""Why a frame is refused: closed tables of codes, for the services, the clients and the documents.

The text beside a code is for people and may change; the code stays.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Refusal:
    """A code: what it means, what a client should do, and whether the same frame may be sent again later."""

    code: str
    meaning: str
    advice: str
    again: bool = False


BAD_FRAME = Refusal("bad_frame", "not a frame of this protocol", "mend it: the message says which field")
NOT_JOINED = Refusal("not_joined", "the session is not in this room", "join it first")
RATE_LIMITED = Refusal("rate_limited", "too many frames of this user", "send it after `retry_after`", again=True)
TOO_LONG = Refusal("too_long", "a body above `limits.body_bytes`", "shorten it")
TOO_MANY_ROOMS = Refusal("too_many_rooms", "the session is in `limits.rooms` rooms", "leave one first")
BUSY = Refusal(
    "busy",
    "`limits.pending` messages of this session wait for the broker",
    "wait for some acks, then send it after `retry_after`",
    again=True,
)
AWAY = Refusal("unavailable", "a service is away", "send it after `retry_after`, with the same id", again=True)

NO_RIGHT = Refusal(
    "forbidden",
    "the token does not let its user do this in this room; without `ref` and `id`: a fresh token took the room away",
    "leave it, or bring another token",
)
BAD_TOKEN = Refusal(
    "bad_token", "the fresh token is not valid, or another user's", "go on under the old one, and get another"
)

ERRORS: tuple[Refusal, ...] = (
    BAD_FRAME,
    NOT_JOINED,
    RATE_LIMITED,
    TOO_LONG,
    TOO_MANY_ROOMS,
    BUSY,
    AWAY,
    NO_RIGHT,
    BAD_TOKEN,
)
"""Codes of `error` frames."""

BAD_TARGET = Refusal("bad_target", "there is no such message, or it was deleted", "show what is there")
NOT_YOURS = Refusal("not_yours", "only its author or a moderator may change a message", "leave it")

REJECTIONS: tuple[Refusal, ...] = (BAD_TARGET, NOT_YOURS)
"""Codes of `rejected` frames."""
