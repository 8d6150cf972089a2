"""One socket of the load generator, as cheap as it gets: a websocket in C, and one look at a frame for all members."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from functools import partial
from time import perf_counter
from typing import Any

import httpx
import orjson
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from bench.ledger import Ledger, Message, Seat

Read = tuple[int, str, Callable[[], float]]
MAX_REMEMBERED = 20_000


class Frames:
    """Reads frames. Members of a room get the same bytes: what was read once is found by them."""

    def __init__(self) -> None:
        self._read: dict[bytes, Read] = {}

    def entry(self, payload: bytes) -> Read | dict[str, Any]:
        """Return an entry's seq, id and time of acceptance, or any other frame as it is."""
        known = self._read.get(payload)
        if known is not None:
            return known
        frame: dict[str, Any] = orjson.loads(payload)
        if frame["type"] != "message":
            return frame
        if len(self._read) >= MAX_REMEMBERED:
            self._read.clear()
        read = self._read[payload] = (frame["seq"], frame["id"], partial(_accepted_at, frame["time"]))
        return read


def _accepted_at(stamp: str) -> float:
    """Return Unix time: on average, the middle of the millisecond that is written."""
    return datetime.fromisoformat(stamp).timestamp() + 0.0005


class Client(WSListener):
    """A member at one gateway."""

    def __init__(self, seat: Seat, ledger: Ledger, frames: Frames, body: str) -> None:
        self.seat = seat
        self._ledger = ledger
        self._frames = frames
        self._joined = asyncio.get_running_loop().create_future()
        self._transport: WSTransport | None = None
        self._count = 0
        self._closing = False
        self._head = b'{"type":"message","room":' + orjson.dumps(seat.room.name) + b',"id":"'
        self._tail = b'","body":' + orjson.dumps(body) + b"}"

    async def open(self, http: httpx.AsyncClient, base: str) -> None:
        """Get a token, connect and join."""
        token = (await http.post(f"{base}/api/token", json={"name": f"bench {self.seat.number}"})).json()["token"]
        url = base.replace("http", "ws", 1) + "/ws"
        self._transport, _ = await ws_connect(
            lambda: self, url, extra_headers={"Authorization": f"Bearer {token}"}, websocket_handshake_timeout=30
        )
        self._transport.send(WSMsgType.TEXT, orjson.dumps({"type": "join", "room": self.seat.room.name}))
        async with asyncio.timeout(30):
            await self._joined

    def send(self, due: float) -> None:
        """Send a message that was due at that time."""
        assert self._transport is not None
        self._count += 1
        message_id = f"{self.seat.number}-{self._count}"
        message = Message(message_id, self.seat, due, perf_counter(), len(self.seat.room.seats))
        self._ledger.send(message)
        self._transport.send(WSMsgType.TEXT, self._head + message_id.encode() + self._tail)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Take in a frame."""
        if frame.msg_type is not WSMsgType.TEXT:
            return  # a close: `on_ws_disconnected` follows
        read = self._frames.entry(frame.get_payload_as_bytes())
        if isinstance(read, tuple):
            self._ledger.deliver(self.seat, *read, perf_counter())
        elif read["type"] == "ack":
            self._ledger.ack(read["id"], perf_counter())
        elif read["type"] == "joined":
            self._joined.set_result(None)
        elif read["type"] in {"error", "rejected", "goodbye"}:
            self._ledger.wrong(f"member {self.seat.number}: {read}")
            self._never(f"{read}")

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Note a socket that closed without our doing."""
        if not self._closing:
            self._ledger.wrong(f"member {self.seat.number}: the gateway closed the socket")
            self._never("closed before it had joined")

    def _never(self, reason: str) -> None:
        if not self._joined.done():
            self._joined.set_exception(ConnectionError(reason))

    async def close(self) -> None:
        """Close the socket."""
        self._closing = True
        if self._transport is not None:
            self._transport.disconnect()
            await self._transport.wait_disconnected()
