"""AMQP frames by hand: what no well-behaved client library would send."""

from __future__ import annotations

import asyncio
import struct
from typing import Self
from urllib.parse import unquote, urlsplit

from pamqp import commands, constants, frame
from pamqp.header import ProtocolHeader

_FRAME_MAX = 131_072
_FLAGS = ("content_type", "content_encoding", "headers", "delivery_mode", "priority", "correlation_id", "reply_to")
_FLAGS += ("expiration", "message_id", "timestamp", "type", "user_id", "app_id", "cluster_id")
_NUMBERS = {"delivery_mode": ">B", "priority": ">B", "timestamp": ">Q"}


def short(value: bytes) -> bytes:
    """Write a short string of any bytes."""
    return bytes([len(value)]) + value


def long(value: bytes) -> bytes:
    """Write a long string, table or array of any bytes."""
    return struct.pack(">I", len(value)) + value


def nested(depth: int) -> bytes:
    """Write a header `deep` with arrays within arrays."""
    value = b"V"
    for _ in range(depth):
        value = b"A" + long(value)
    return short(b"deep") + value


def properties(**values: bytes | int) -> bytes:
    """Write properties; `headers` is the inside of the table, strings are any bytes."""
    flags, data = 0, b""
    for position, name in enumerate(_FLAGS):
        if name not in values:
            continue
        value = values[name]
        flags |= 1 << (15 - position)
        if isinstance(value, int):
            data += struct.pack(_NUMBERS[name], value)
        else:
            data += long(value) if name == "headers" else short(value)
    return struct.pack(">H", flags) + data


class RawClient:
    """A connection with one channel; each publish is confirmed, or the broker's refusal is returned."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, url: str) -> Self:
        """Connect and put a channel into confirm mode."""
        parts = urlsplit(url)
        client = cls(*await asyncio.open_connection(parts.hostname, parts.port))
        client._writer.write(ProtocolHeader().marshal())
        await client._expect(commands.Connection.Start)
        login = f"\0{unquote(parts.username or '')}\0{unquote(parts.password or '')}"
        client._send(commands.Connection.StartOk(mechanism="PLAIN", response=login, locale="en_US"))
        await client._expect(commands.Connection.Tune)
        client._send(commands.Connection.TuneOk(channel_max=8, frame_max=_FRAME_MAX, heartbeat=0))
        client._send(commands.Connection.Open(virtual_host=unquote(parts.path[1:])))
        await client._expect(commands.Connection.OpenOk)
        client._send(commands.Channel.Open(), 1)
        await client._expect(commands.Channel.OpenOk)
        client._send(commands.Confirm.Select(), 1)
        await client._expect(commands.Confirm.SelectOk)
        return client

    async def publish(self, exchange: bytes, key: bytes, header: bytes, body: bytes) -> bool:
        """Publish a message; says whether the broker took it (it closes the channel or connection if not)."""
        method = struct.pack(">IH", commands.Basic.Publish.index, 0) + short(exchange) + short(key) + b"\0"
        self._frame(constants.FRAME_METHOD, method)
        self._frame(constants.FRAME_HEADER, struct.pack(">HHQ", 60, 0, len(body)) + header)
        step = _FRAME_MAX - 8
        for start in range(0, len(body), step):
            self._frame(constants.FRAME_BODY, body[start : start + step])
        try:
            answer = await self._receive()
        except (asyncio.IncompleteReadError, ConnectionError):
            return False
        return answer[7:11] == struct.pack(">I", commands.Basic.Ack.index)

    async def close(self) -> None:
        """Hang up."""
        self._writer.close()

    def _frame(self, kind: int, payload: bytes) -> None:
        self._writer.write(struct.pack(">BHI", kind, 1, len(payload)) + payload + b"\xce")

    def _send(self, method: commands.Connection.Open | frame.FrameTypes, channel: int = 0) -> None:
        self._writer.write(frame.marshal(method, channel))

    async def _expect(self, kind: type) -> None:
        received = frame.unmarshal(await self._receive())[2]
        if not isinstance(received, kind):
            raise ConnectionError(f"expected {kind.__name__}, got {received}")

    async def _receive(self) -> bytes:
        head = await self._reader.readexactly(7)
        return head + await self._reader.readexactly(struct.unpack(">BHI", head)[2] + 1)
