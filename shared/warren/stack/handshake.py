"""The first words of AMQP 0-9-1, MongoDB's protocol and HTTP: enough to know that a server is ready.

Written out here because the stack starts servers and speaks to none of them otherwise; asked many times a
second while they start on a busy machine, these few bytes cost a hundredth of what a client would.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]

_FRAME_METHOD, _FRAME_END = 1, b"\xce"
_START, _START_OK, _TUNE, _TUNE_OK = (10, 10), (10, 11), (10, 30), (10, 31)
_OPEN, _OPEN_OK, _CLOSE, _CLOSE_OK = (10, 40), (10, 41), (10, 50), (10, 51)
_OP_MSG = 2013


@asynccontextmanager
async def _connection(host: str, port: int, patience: float) -> AsyncIterator[Streams]:
    async with asyncio.timeout(patience):
        reader, writer = await asyncio.open_connection(host, port)
        try:
            yield reader, writer
        finally:
            writer.close()


def _short(text: str) -> bytes:
    return bytes([len(text)]) + text.encode()


async def _expect(reader: asyncio.StreamReader, wanted: tuple[int, int]) -> bytes:
    """Read one method frame and return its arguments, or raise `ConnectionError`."""
    kind, _, size = struct.unpack(">BHI", await reader.readexactly(7))
    payload = await reader.readexactly(size + 1)
    if kind != _FRAME_METHOD or struct.unpack(">HH", payload[:4]) != wanted:
        raise ConnectionError("the broker answered otherwise")
    return payload[4:-1]


async def broker_answers(host: str, port: int, user: str, password: str, patience: float = 3) -> bool:
    """Say whether an AMQP broker at `host:port` lets this user in and opens `/`; waits `patience` seconds."""
    try:
        async with _connection(host, port, patience) as (reader, writer):

            def send(method: tuple[int, int], arguments: bytes) -> None:
                payload = struct.pack(">HH", *method) + arguments
                writer.write(struct.pack(">BHI", _FRAME_METHOD, 0, len(payload)) + payload + _FRAME_END)

            writer.write(b"AMQP\x00\x00\x09\x01")
            await _expect(reader, _START)
            response = f"\0{user}\0{password}".encode()
            no_properties = struct.pack(">I", 0)
            answer = struct.pack(">I", len(response)) + response
            send(_START_OK, no_properties + _short("PLAIN") + answer + _short("en_US"))
            send(_TUNE_OK, await _expect(reader, _TUNE))
            send(_OPEN, _short("/") + _short("") + b"\0")
            await _expect(reader, _OPEN_OK)
            send(_CLOSE, struct.pack(">H", 200) + _short("ready") + struct.pack(">HH", 0, 0))
            await _expect(reader, _CLOSE_OK)
    except (OSError, EOFError, TimeoutError):
        return False
    return True


async def store_answers(host: str, port: int, patience: float = 3) -> bool:
    """Say whether a MongoDB server at `host:port` takes writes; waits at most `patience` seconds."""
    hello = b"\x10hello\0" + struct.pack("<i", 1) + b"\x02$db\0" + struct.pack("<i", 6) + b"admin\0"
    document = struct.pack("<i", len(hello) + 5) + hello + b"\0"
    body = struct.pack("<i", 0) + b"\0" + document
    try:
        async with _connection(host, port, patience) as (reader, writer):
            writer.write(struct.pack("<iiii", 16 + len(body), 1, 0, _OP_MSG) + body)
            size, *_ = struct.unpack("<iiii", await reader.readexactly(16))
            answer = await reader.readexactly(size - 16)
    except (OSError, EOFError, TimeoutError):
        return False
    return b"\x08isWritablePrimary\0\x01" in answer


async def http_answers(host: str, port: int, path: str, patience: float = 3) -> bool:
    """Say whether a server at `host:port` answers 200 for `path`; waits at most `patience` seconds."""
    try:
        async with _connection(host, port, patience) as (reader, writer):
            writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode())
            status = await reader.readline()
    except (OSError, EOFError, TimeoutError, ValueError):
        return False
    return status.split()[1:2] == [b"200"]
