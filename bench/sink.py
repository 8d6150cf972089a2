"""A server that is no part of Warren and does nothing but turn a flood away, as politely as a gateway: the control.

    python -m bench.sink

prints its port. What a flood costs everybody else although it goes here, this machine and the flooding process cost.
"""

from __future__ import annotations

import asyncio
from typing import cast

import uvloop

from gateway.bounds import LINGER_SECONDS
from gateway.settings import GatewaySettings

_LIMITS = GatewaySettings.model_fields
PLACES: int = _LIMITS["connections_per_address"].default
PACE: float = _LIMITS["connect_rate"].default
SLOWLY = 2_048
"""Bytes a second that are read of one who has a websocket."""


class Sink(asyncio.Protocol):
    """Reads a websocket's bytes slowly; refuses any other request once it has read of it."""

    held = 0
    turn = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._loop = asyncio.get_running_loop()
        self._paused = self._websocket = False
        Sink.held += 1
        if Sink.held > PLACES:
            self._transport.abort()
            return
        Sink.turn = self._turn = max(Sink.turn, self._loop.time()) + 1 / PACE

    def connection_lost(self, exc: Exception | None) -> None:
        Sink.held -= 1

    def data_received(self, data: bytes) -> None:
        if self._paused:
            return
        self._paused = True
        self._transport.pause_reading()
        self._websocket = self._websocket or data.startswith(b"GET /ws")
        if self._websocket:
            self._loop.call_later(len(data) / SLOWLY, self._go_on)
        else:
            self._loop.call_at(self._turn, self._refuse)

    def _go_on(self) -> None:
        self._paused = False
        if not self._transport.is_closing():
            self._transport.resume_reading()

    def _refuse(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\n\r\n")
            self._transport.write_eof()
            self._loop.call_later(LINGER_SECONDS, self._transport.abort)


async def serve() -> None:
    """Serve until killed."""
    server = await asyncio.get_running_loop().create_server(Sink, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201 - who started it reads it
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve())
