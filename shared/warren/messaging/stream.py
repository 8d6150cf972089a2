"""The bytes of an AMQP connection: frames of the data path are taken out, all others go on to aiormq.

The place for it is a transport of our own, which aiormq asks for its stream.
"""

from __future__ import annotations

import asyncio
import struct
from typing import Any, Protocol, cast

import aio_pika
from aio_pika.abc import UnderlayConnection
from aiormq import SSLContextProvider, TransportFactory
from yarl import URL

METHOD, HEADER, BODY = 1, 2, 3
"""Kinds of frames."""

RPC_TIMEOUT = 10.0
"""Seconds that the broker may take to answer a question."""

_FRAME = struct.Struct(">BHI")
_END = b"\xce"
_HEARTBEAT = b"\x08\x00\x00\x00\x00\x00\x00\xce"

_READ_LIMIT = 262_144
"""Bytes that may wait for aiormq; it reads at once."""

_SIGN_OF_LIFE = 1.0
"""Seconds: aiormq sees none of the data path's frames, but must know that the broker is alive."""


def frame(kind: int, channel: int, payload: bytes) -> bytes:
    """Return a frame's bytes."""
    return _FRAME.pack(kind, channel, len(payload)) + payload + _END


class Sink(Protocol):
    """Takes the frames of one channel that are the data path's."""

    def take(self, kind: int, payload: memoryview) -> bool: ...
    def lost(self) -> None: ...


class Stream(asyncio.StreamReaderProtocol):
    """The bytes of one connection, split into frames."""

    def __init__(self, reader: asyncio.StreamReader, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(reader, loop=loop)
        self._loop_ = loop
        self._socket: asyncio.Transport | None = None
        self._rest = b""
        self._sinks: dict[int, Sink] = {}
        self._sign = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the socket, for writing."""
        self._socket = cast("asyncio.Transport", transport)
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """End all that waits."""
        super().connection_lost(exc)
        for sink in tuple(self._sinks.values()):
            sink.lost()
        self._sinks.clear()

    def attach(self, number: int, sink: Sink) -> None:
        """Give the frames of channel `number` to `sink` first."""
        self._sinks[number] = sink

    def detach(self, number: int, sink: Sink) -> None:
        """Stop that."""
        if self._sinks.get(number) is sink:
            del self._sinks[number]

    def write(self, data: bytes) -> None:
        """Write whole frames; raises `ConnectionError` when the socket is gone."""
        if self._socket is None or self._socket.is_closing():
            raise ConnectionError("the connection is closed")
        self._socket.write(data)

    def pause(self) -> None:
        """Read no more for now: the broker keeps what it has to say. Also heartbeats, so not for long."""
        if self._socket is not None and not self._socket.is_closing():
            self._socket.pause_reading()

    def resume(self) -> None:
        """Read on."""
        if self._socket is not None and not self._socket.is_closing():
            self._socket.resume_reading()

    def data_received(self, data: bytes) -> None:
        """Take frames out of the stream, pass the others on."""
        if self._rest:
            data = self._rest + data
        if data.startswith(b"AMQP"):  # the broker speaks another version, and says so without a frame
            super().data_received(data)
            return
        view, position, size = memoryview(data), 0, len(data)
        others: list[memoryview] = []
        while size - position >= 8:
            kind, channel, length = _FRAME.unpack_from(data, position)
            end = position + 8 + length
            if end > size:
                break
            sink = self._sinks.get(channel)
            if sink is None or not sink.take(kind, view[position + 7 : end - 1]):
                others.append(view[position:end])
            position = end
        self._rest = data[position:]
        now = self._loop_.time()
        if others:
            self._sign = now
            super().data_received(b"".join(others))
        elif position and now - self._sign > _SIGN_OF_LIFE:
            self._sign = now
            super().data_received(_HEARTBEAT)


class Connection(aio_pika.Connection):
    """aio-pika's connection over our transport."""

    async def connect(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - aio-pika's signature
        """Connect to the broker."""
        self._factory = _Factory()
        self.transport = await UnderlayConnection.connect(
            self.url, self._on_connection_close, timeout=timeout, transport_factory=self._factory, **self.kwargs
        )
        await self._on_connected()

    @property
    def stream(self) -> Stream:
        """The bytes of this connection."""
        assert self._factory.stream is not None  # noqa: S101 - made by `connect`
        return self._factory.stream


class _Factory(TransportFactory):
    """Opens sockets for aiormq."""

    def __init__(self) -> None:
        self.stream: Stream | None = None

    async def create(self, url: URL, **options: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        provider: SSLContextProvider = options.pop("ssl_context_provider")
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=_READ_LIMIT, loop=loop)
        stream = self.stream = Stream(reader, loop)
        tls = await provider.get_context() if url.scheme == "amqps" else None
        transport, _ = await loop.create_connection(lambda: stream, url.host or "", url.port or 0, ssl=tls, **options)
        return reader, asyncio.StreamWriter(transport, stream, reader, loop)
