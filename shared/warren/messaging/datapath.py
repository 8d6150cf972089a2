"""The data path: publishes, confirms, deliveries and acks go straight between the socket and Warren.

aio-pika, and aiormq below it, open connections and channels, declare, bind, subscribe and keep the heartbeat. What is
done for every message goes past their tasks, locks and queues (ADR 12). The place for it is a transport of our own:
frames of the data path are taken out of the stream, all others go on to aiormq.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, Protocol, cast

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection, UnderlayConnection
from aiormq import SSLContextProvider, TransportFactory
from pamqp.commands import Basic
from pamqp.header import ContentHeader
from yarl import URL

from warren.messaging import tolerant

tolerant.install()

_FRAME = struct.Struct(">BHI")
_METHOD, _HEADER, _BODY = 1, 2, 3
_END = b"\xce"
_HEARTBEAT = b"\x08\x00\x00\x00\x00\x00\x00\xce"
_RETURN, _DELIVER, _ACK, _NACK = (struct.pack(">HH", 60, method) for method in (50, 60, 80, 120))
_PUBLISH = struct.pack(">HHH", 60, 40, 0)
_READ_LIMIT = 262_144
"""Bytes that may wait for aiormq; it reads at once."""

_SIGN_OF_LIFE = 1.0
"""Seconds: aiormq sees none of the data path's frames, but must know that the broker is alive."""


class ReturnedError(Exception):
    """No queue takes the message."""


class Content(NamedTuple):
    """A message as it is published."""

    properties: Basic.Properties
    body: bytes


@dataclass(slots=True)
class Delivery:
    """A message as the broker delivers it; the names are aio-pika's."""

    body: bytes
    delivery_tag: int
    redelivered: bool
    exchange: str
    routing_key: str
    content_type: str | None
    content_encoding: str | None
    headers: dict[str, Any]
    delivery_mode: int | None
    priority: int | None
    correlation_id: str | None
    reply_to: str | None
    expiration: str | None
    message_id: str | None
    timestamp: datetime | None
    type: str | None
    user_id: str | None
    app_id: str | None


class _Sink(Protocol):
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
        self._sinks: dict[int, _Sink] = {}
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

    def attach(self, number: int, sink: _Sink) -> None:
        """Give the frames of channel `number` to `sink` first."""
        self._sinks[number] = sink

    def detach(self, number: int, sink: _Sink) -> None:
        """Stop that."""
        if self._sinks.get(number) is sink:
            del self._sinks[number]

    def write(self, data: bytes) -> None:
        """Write whole frames; raises `ConnectionError` when the socket is gone."""
        if self._socket is None or self._socket.is_closing():
            raise ConnectionError("the connection is closed")
        self._socket.write(data)

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


class _Incoming:
    """A message whose frames are arriving: its header, then its body in parts."""

    __slots__ = ("_parts", "_size", "method", "properties")

    def __init__(self, method: bytes) -> None:
        self.method = method
        self.properties: Basic.Properties | None = None
        self._parts: list[bytes] = []
        self._size = 0

    def take(self, kind: int, payload: memoryview) -> bool:
        """Take a frame; returns whether the message is complete."""
        if kind == _HEADER:
            header = ContentHeader()
            header.unmarshal(bytes(payload))
            self.properties, self._size = header.properties, header.body_size
        else:
            self._parts.append(bytes(payload))
            self._size -= len(payload)
        return self._size <= 0

    @property
    def body(self) -> bytes:
        return self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)


class Publishing:
    """Publishes on one channel; with confirms, each publish has a future that ends when the broker has it."""

    def __init__(
        self, stream: Stream, channel: AbstractChannel, number: int, frame_max: int, *, confirms: bool
    ) -> None:
        self.channel = channel  # aio-pika refers to channels weakly
        self.closed = False
        self._stream = stream
        self._number = number
        self._part = frame_max - 8
        self._confirms = confirms
        self._tag = 0
        self._waiting: dict[int, tuple[str, asyncio.Future[None]]] = {}
        self._returned: _Incoming | None = None
        stream.attach(number, self)
        channel.close_callbacks.add(lambda *_: self.lost())

    def publish(self, exchange: str, routing_key: str, content: Content, *, mandatory: bool) -> asyncio.Future[None]:
        """Write a message; the future ends with its confirm (without confirms at once).

        It raises `ReturnedError`, or `ConnectionError` when the channel is gone and nobody knows.
        """
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self.closed:
            raise ConnectionError("the channel is closed")
        method = _PUBLISH + _short(exchange) + _short(routing_key) + (b"\x01" if mandatory else b"\x00")
        header = struct.pack(">HHQ", 60, 0, len(content.body)) + content.properties.marshal()
        parts = [content.body[at : at + self._part] for at in range(0, len(content.body), self._part)]
        payloads = ((_METHOD, method), (_HEADER, header), *[(_BODY, part) for part in parts])
        self._stream.write(b"".join([_frame(kind, self._number, payload) for kind, payload in payloads]))
        if self._confirms:
            self._tag += 1
            self._waiting[self._tag] = (content.properties.message_id or "", done)
        else:
            done.set_result(None)
        return done

    def take(self, kind: int, payload: memoryview) -> bool:
        """Take confirms and returned messages."""
        if kind == _METHOD:
            method = bytes(payload[:4])
            if method in {_ACK, _NACK}:
                self._settle(int.from_bytes(payload[4:12], "big"), bool(payload[12] & 1), refused=method == _NACK)
                return True
            if method == _RETURN:
                self._returned = _Incoming(b"")
                return True
            return False
        if self._returned is None:
            return False
        if self._returned.take(kind, payload):
            self._give_back(self._returned)
            self._returned = None
        return True

    def lost(self) -> None:
        """End all waiting: whether the broker has these messages is not known."""
        self.closed = True
        self._stream.detach(self._number, self)
        waiting, self._waiting = self._waiting, {}
        for _, done in waiting.values():
            if not done.done():
                done.set_exception(ConnectionError("the channel was closed before the confirm"))

    def _settle(self, tag: int, multiple: bool, *, refused: bool) -> None:
        tags = [t for t in self._waiting if t <= tag] if multiple else [tag]
        for t in tags:
            _, done = self._waiting.pop(t, ("", None))
            if done is None or done.done():
                continue
            if refused:
                done.set_exception(ConnectionError("the broker refused the message"))
            else:
                done.set_result(None)

    def _give_back(self, returned: _Incoming) -> None:
        """End the publish that was returned; its confirm, which follows, finds it done."""
        message_id = returned.properties.message_id if returned.properties else None
        for known, done in self._waiting.values():
            if known == message_id and not done.done():
                done.set_exception(ReturnedError)


class Consuming:
    """Receives the deliveries of one channel, and acks them."""

    def __init__(
        self, stream: Stream, channel: AbstractChannel, number: int, on_delivery: Callable[[Delivery], None]
    ) -> None:
        self.channel = channel
        self._stream = stream
        self._number = number
        self._on_delivery = on_delivery
        self._incoming: _Incoming | None = None
        stream.attach(number, self)
        channel.close_callbacks.add(lambda *_: self.lost())

    def ack(self, delivery: Delivery) -> None:
        """Ack this delivery and all before it; raises `ConnectionError` when the channel is gone."""
        if self.channel.is_closed:
            raise ConnectionError("the channel is closed")
        payload = _ACK + delivery.delivery_tag.to_bytes(8, "big") + b"\x01"
        self._stream.write(_frame(_METHOD, self._number, payload))

    def take(self, kind: int, payload: memoryview) -> bool:
        """Take deliveries."""
        if kind == _METHOD:
            if bytes(payload[:4]) != _DELIVER:
                return False
            self._incoming = _Incoming(bytes(payload))
            return True
        if self._incoming is None:
            return False
        if self._incoming.take(kind, payload):
            incoming, self._incoming = self._incoming, None
            self._on_delivery(_delivery(incoming))
        return True

    def lost(self) -> None:
        """Take no more."""
        self._stream.detach(self._number, self)


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


async def publishing(connection: AbstractConnection, *, confirms: bool) -> Publishing:
    """Open a channel for publishing."""
    channel = await connection.channel(publisher_confirms=confirms)
    underlay = await channel.get_underlay_channel()
    frame_max = underlay.connection.connection_tune.frame_max
    return Publishing(cast("Connection", connection).stream, channel, underlay.number, frame_max, confirms=confirms)


async def consuming(
    connection: AbstractConnection, channel: AbstractChannel, on_delivery: Callable[[Delivery], None]
) -> Consuming:
    """Receive what consumers on `channel` get."""
    number = (await channel.get_underlay_channel()).number
    return Consuming(cast("Connection", connection).stream, channel, number, on_delivery)


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


def _frame(kind: int, channel: int, payload: bytes) -> bytes:
    return _FRAME.pack(kind, channel, len(payload)) + payload + _END


def _short(text: str) -> bytes:
    data = text.encode()
    return bytes((len(data),)) + data


def _delivery(incoming: _Incoming) -> Delivery:
    method, p = incoming.method, incoming.properties
    assert p is not None  # noqa: S101 - a message is complete after its header
    position = 5 + method[4]  # past the consumer's tag
    tag = int.from_bytes(method[position : position + 8], "big")
    redelivered = bool(method[position + 8] & 1)
    position += 9
    exchange_end = position + 1 + method[position]
    return Delivery(
        body=incoming.body,
        delivery_tag=tag,
        redelivered=redelivered,
        exchange=tolerant.readable(method[position + 1 : exchange_end]),
        routing_key=tolerant.readable(method[exchange_end + 1 : exchange_end + 1 + method[exchange_end]]),
        content_type=p.content_type,
        content_encoding=p.content_encoding,
        headers=p.headers or {},
        delivery_mode=p.delivery_mode,
        priority=p.priority,
        correlation_id=p.correlation_id,
        reply_to=p.reply_to,
        expiration=p.expiration,
        message_id=p.message_id,
        timestamp=p.timestamp,
        type=p.message_type,
        user_id=p.user_id,
        app_id=p.app_id,
    )
