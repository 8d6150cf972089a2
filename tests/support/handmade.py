"""Websockets by hand: frames that no well-behaved client library would send."""

from __future__ import annotations

import asyncio
import base64
import os
from typing import Self
from urllib.parse import urlsplit

TEXT, BINARY, CLOSE, PING, PONG, CONT = 0x1, 0x2, 0x8, 0x9, 0xA, 0x0
FIN = 0x80


def frame(
    opcode: int, data: bytes = b"", *, fin: bool = True, rsv: int = 0, masked: bool = True, length: int | None = None
) -> bytes:
    """Write a frame; `length` is what it says of its payload, if that is not the truth."""
    said = len(data) if length is None else length
    bit = 0x80 if masked else 0
    head = bytes(((FIN if fin else 0) | rsv << 4 | opcode,))
    if said < 126:
        head += bytes((bit | said,))
    elif said < 65_536:
        head += bytes((bit | 126,)) + said.to_bytes(2, "big")
    else:
        head += bytes((bit | 127,)) + said.to_bytes(8, "big")
    if not masked:
        return head + data
    mask = os.urandom(4)
    return head + mask + bytes(byte ^ mask[n % 4] for n, byte in enumerate(data))


def close(code: int | None = 1000, reason: bytes = b"") -> bytes:
    """Write a close frame."""
    return frame(CLOSE, b"" if code is None else code.to_bytes(2, "big") + reason)


class HandmadeSocket:
    """A websocket whose bytes are the caller's; frames of the server are read as they are."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._hung_up = False

    @classmethod
    async def open(cls, base: str, token: str) -> Self:
        """Connect and shake hands."""
        where = urlsplit(base)
        reader, writer = await asyncio.open_connection(where.hostname, where.port)
        key = base64.b64encode(os.urandom(16)).decode()
        lines = ["GET /ws HTTP/1.1", f"Host: {where.netloc}", "Upgrade: websocket", "Connection: Upgrade"]
        lines += ["Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}", f"Authorization: Bearer {token}", "", ""]
        writer.write("\r\n".join(lines).encode())
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 101 "):
            raise ConnectionError(head.decode())
        return cls(reader, writer)

    def send(self, data: bytes) -> None:
        """Write bytes."""
        self._writer.write(data)

    def hang_up(self) -> None:
        """Say that nothing more comes."""
        self._hung_up = True
        self._writer.write_eof()

    async def recv(self) -> tuple[int, bytes] | None:
        """Return opcode and payload of the next frame, or None at the end."""
        try:
            head = await self._reader.readexactly(2)
            size = head[1]
            if size >= 126:
                size = int.from_bytes(await self._reader.readexactly(2 if size == 126 else 8), "big")
            return head[0] & 0x0F, await self._reader.readexactly(size)
        except (asyncio.IncompleteReadError, ConnectionError):
            return None

    async def closed(self, within: float = 10) -> int | None:
        """Read to the end; returns the close code that the server gave, if any, or raises TimeoutError."""
        code = None
        async with asyncio.timeout(within):
            while (got := await self.recv()) is not None:
                if got[0] == CLOSE and code is None:
                    code = int.from_bytes(got[1][:2], "big") if got[1] else 1005
                    if not self._hung_up:
                        self._writer.write(close())
        self._writer.close()
        return code
