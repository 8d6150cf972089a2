"""Why a socket is closed: one closed table of codes, for the server, the clients and the documents."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CloseCode:
    """A close code: whether the client may come back, and after how many seconds at the least."""

    code: int
    name: str
    meaning: str
    reconnect: bool
    after: float = 0.0


PROTOCOL_ERROR = CloseCode(
    1002, "protocol_error", "frames that break the websocket protocol (RFC 6455)", reconnect=True, after=1
)
BAD_DATA = CloseCode(1003, "bad_data", "binary frames are not part of the protocol", reconnect=True, after=1)
BAD_TEXT = CloseCode(1007, "bad_text", "a text frame that is not UTF-8", reconnect=True, after=1)
TOO_BIG = CloseCode(1009, "too_big", "a frame above the size limit, or in too many fragments", reconnect=True, after=1)
INTERNAL = CloseCode(1011, "internal", "the server failed on its own account", reconnect=True, after=1)
TOKEN = CloseCode(4001, "token", "the token is missing or not valid", reconnect=False)
EXPIRED = CloseCode(4002, "expired", "the token has expired: get a fresh one first", reconnect=True)
FORBIDDEN = CloseCode(4003, "forbidden", "this origin or address may not connect", reconnect=False)
SLOW = CloseCode(
    4008, "slow", "frames were not read fast enough; reconnect and join with since", reconnect=True, after=1
)
FLOOD = CloseCode(4009, "flood", "too many bad frames, frames or connections", reconnect=True, after=5)
DRAIN = CloseCode(4010, "drain", "the server is going away, others are there", reconnect=True)
UNAVAILABLE = CloseCode(4011, "unavailable", "the server cannot serve now", reconnect=True, after=2)
SILENT = CloseCode(4012, "silent", "a ping of the server was not answered in time", reconnect=True, after=1)

CLOSE_CODES: tuple[CloseCode, ...] = (
    PROTOCOL_ERROR,
    BAD_DATA,
    BAD_TEXT,
    TOO_BIG,
    INTERNAL,
    TOKEN,
    EXPIRED,
    FORBIDDEN,
    SLOW,
    FLOOD,
    DRAIN,
    UNAVAILABLE,
    SILENT,
)
