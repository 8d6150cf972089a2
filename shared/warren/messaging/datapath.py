"""The data path: publishes, confirms, deliveries and acks go straight between the socket and Warren.

aio-pika, and aiormq below it, open connections and channels, declare, bind, subscribe and keep the heartbeat. What is
done for every message goes past their tasks, locks and queues (ADR 12; `stream` tells the two apart).
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, cast

from aio_pika.abc import AbstractChannel, AbstractConnection
from pamqp.commands import Basic
from pamqp.header import ContentHeader

from warren.messaging import tolerant
from warren.messaging.fields import readable
from warren.messaging.stream import BODY, HEADER, METHOD, RPC_TIMEOUT, Connection, Stream, frame

tolerant.install()

_RETURN, _DELIVER, _ACK, _NACK = (struct.pack(">HH", 60, method) for method in (50, 60, 80, 120))
_PUBLISH = struct.pack(">HHH", 60, 40, 0)


class ReturnedError(Exception):
    """No queue takes the message."""


_Address = tuple[str, str, str]
"""Exchange, routing key and message id: what a returned message tells. Those that share all three share their fate."""


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
        if kind == HEADER:
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
        self._waiting: dict[int, tuple[_Address, asyncio.Future[None]]] = {}
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
        payloads = ((METHOD, method), (HEADER, header), *[(BODY, part) for part in parts])
        self._stream.write(b"".join([frame(kind, self._number, payload) for kind, payload in payloads]))
        if self._confirms:
            self._tag += 1
            self._waiting[self._tag] = ((exchange, routing_key, content.properties.message_id or ""), done)
        else:
            done.set_result(None)
        return done

    def take(self, kind: int, payload: memoryview) -> bool:
        """Take confirms and returned messages."""
        if kind == METHOD:
            method = bytes(payload[:4])
            if method in {_ACK, _NACK}:
                self._settle(int.from_bytes(payload[4:12], "big"), bool(payload[12] & 1), refused=method == _NACK)
                return True
            if method == _RETURN:
                self._returned = _Incoming(bytes(payload))
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
            waiting = self._waiting.pop(t, None)
            if waiting is None or (done := waiting[1]).done():
                continue
            if refused:
                done.set_exception(ConnectionError("the broker refused the message"))
            else:
                done.set_result(None)

    def _give_back(self, returned: _Incoming) -> None:
        """End the publish that was returned; its confirm, which follows, finds it done."""
        position = 6 + 1 + returned.method[6]  # past the code and its text
        exchange, position = _read_short(returned.method, position)
        key, _ = _read_short(returned.method, position)
        address = (exchange, key, (returned.properties.message_id or "") if returned.properties else "")
        for known, done in self._waiting.values():
            if known == address and not done.done():
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

    async def subscribe(self, queue: str, tag: str) -> None:
        """Consume a queue, within the prefetch that the channel has."""
        underlay = await self.channel.get_underlay_channel()
        await underlay.basic_consume(queue, _never_called, consumer_tag=tag, timeout=RPC_TIMEOUT)

    def ack(self, delivery: Delivery) -> None:
        """Ack this delivery and all before it; raises `ConnectionError` when the channel is gone."""
        if self.channel.is_closed:
            raise ConnectionError("the channel is closed")
        payload = _ACK + delivery.delivery_tag.to_bytes(8, "big") + b"\x01"
        self._stream.write(frame(METHOD, self._number, payload))

    def take(self, kind: int, payload: memoryview) -> bool:
        """Take deliveries."""
        if kind == METHOD:
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


def _short(text: str) -> bytes:
    data = text.encode()
    return bytes((len(data),)) + data


def _read_short(data: bytes, position: int) -> tuple[str, int]:
    end = position + 1 + data[position]
    return data[position + 1 : end].decode(errors="replace"), end


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
        exchange=readable(method[position + 1 : exchange_end]),
        routing_key=readable(method[exchange_end + 1 : exchange_end + 1 + method[exchange_end]]),
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


async def _never_called(_: object) -> None:
    """Stand where aiormq wants a callback: deliveries do not come its way."""
