"""A client that means no good: one kind of bytes, as fast as the server takes them, from one address.

    python -m bench.flooder KIND HOST PORT TOKEN SECONDS

prints how many bytes it sent and how often it connected. It runs in a process of its own, as the least important one.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import sys
import time
from dataclasses import dataclass

import uvloop

ADDRESS = "127.0.0.9"
"""Not the one that the others come from."""

AHEAD = 65_536
"""Bytes that its kernel holds for a connection: on one machine, forgetting them falls to the server that closes it."""

_MASK = b"\0\0\0\0"
_TEXT, _PING = 0x81, 0x89


def _frame(head: int, payload: bytes = b"") -> bytes:
    return bytes((head, 0x80 | len(payload))) + _MASK + payload


@dataclass(frozen=True, slots=True)
class Kind:
    """`connections` at once; each begins with `opening` and repeats `blob`, or without one begins again."""

    about: str
    opening: bytes
    blob: bytes
    connections: int = 20


def kinds(host: str, token: str) -> dict[str, Kind]:
    """Return the kinds of flood, for one who has a guest's token."""
    common = f"Host: {host}\r\nAuthorization: Bearer {token}\r\n".encode()
    upgrade = b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    websocket = b"GET /ws HTTP/1.1\r\n" + common + upgrade + b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    page = b"GET /api/rooms/flood/entries?limit=200 HTTP/1.1\r\n" + common + b"\r\n"
    rooms = b"GET /api/rooms?limit=200 HTTP/1.1\r\n" + common + b"\r\n"
    asked = b"POST /api/token HTTP/1.1\r\n" + common + b"Content-Length: 0\r\n\r\n"
    message = json.dumps({"type": "message", "room": "flood", "id": "x", "body": "flood"}).encode()
    return {
        "pings": Kind("websocket pings", websocket, _frame(_PING) * 500),
        "messages": Kind("messages above the rate", websocket, _frame(_TEXT, message) * 100),
        "garbage": Kind("frames that are no JSON", websocket, _frame(_TEXT, b"{nonsense") * 100),
        "handshakes": Kind("websocket handshakes", websocket, b""),
        "pages": Kind("requests for pages of a room", b"", page * 10),
        "rooms": Kind("requests for the list of rooms", b"", rooms * 10),
        "tokens": Kind("requests for guest tokens", b"", asked * 10),
        "half": Kind("requests that never end", b"GET /api/rooms HTTP/1.1\r\nHost: x\r\n", b"x-more: 0\r\n" * 50),
    }


class Flood:
    """All connections of one kind."""

    def __init__(self, kind: Kind, host: str, port: int, until: float) -> None:
        self._kind = kind
        self._where = (host, port)
        self._until = until
        self.sent = self.connected = 0

    async def run(self) -> None:
        """Flood until the time is over."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._until - time.monotonic()):
                await asyncio.gather(*[self._one() for _ in range(self._kind.connections)])

    async def _one(self) -> None:
        while True:
            with contextlib.suppress(OSError):  # turned away: it tries again soon
                reader, writer = await asyncio.open_connection(*self._where, local_addr=(ADDRESS, 0))
                self.connected += 1
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, AHEAD)
                try:
                    await self._serve(reader, writer)
                finally:
                    writer.transport.abort()
            await asyncio.sleep(0.01)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        kind = self._kind
        writer.write(kind.opening)
        if not kind.blob:
            await reader.read(65_536)
            return
        deaf = asyncio.ensure_future(self._read_away(reader))
        try:
            while not deaf.done():
                writer.write(kind.blob)
                self.sent += len(kind.blob)
                await writer.drain()
                await asyncio.sleep(0)
        finally:
            deaf.cancel()

    @staticmethod
    async def _read_away(reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(OSError):
            while await reader.read(1 << 20):
                pass


def main() -> None:
    """Flood, then say how much it was."""
    name, host, port, token, seconds = sys.argv[1:]
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))  # it has what nobody else wants of this machine
    flood = Flood(kinds(host, token)[name], host, int(port), time.monotonic() + float(seconds))
    uvloop.run(flood.run())
    print(json.dumps({"bytes": flood.sent, "connected": flood.connected}))  # noqa: T201 - its report


if __name__ == "__main__":
    main()
