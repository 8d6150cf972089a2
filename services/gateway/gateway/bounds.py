"""What a client may cost before anyone knows who it is: time for a request, and bytes of its head and body."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import HTTPException
from fastapi.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from gateway.limits import Places, Rates

REQUEST_SECONDS = 10.0
"""How long a request may take to arrive, from the connection's first moment or the request's first byte."""

ANSWER_SECONDS = 60.0
"""How long making an answer and its being read may take."""

MAX_HEAD = 32_768
"""Bytes of a request's line and headers, give or take one turn."""

MAX_HEADERS = 100

LINGER_SECONDS = 1.0
"""How long a client that was refused may take to read it."""

BYTES_A_TURN = 1_024
"""Bytes that are taken in before it is looked whether more of them can wait, or are too many of anything."""

_DIGITS = 15
_TOO_LARGE = "the request's body is too large"


class BoundedProtocol(HttpToolsProtocol):
    """Uvicorn's HTTP, with an end to connections that never finish a request or never read its answer.

    An address has so many `places` for connections: what finds none is closed at once. It may make them at a `pace`:
    what comes faster is not read before its turn.
    """

    def __init__(self, *args: Any, places: Places, pace: Rates, **options: Any) -> None:
        super().__init__(*args, **options)
        self._places = places
        self._pace = pace
        self._place: str | None = None
        self._upgraded = self._refused = False
        self._working: RequestResponseCycle | None = None
        """The request in work, while others may wait behind it."""
        self._unread: bytes | None = None
        """What has come before its turn: that of the connection, or of its next request."""
        self._deadline: asyncio.TimerHandle | None = None
        self._head: int | None = 0
        """Bytes of the present head so far; None while no head is awaited."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        super().connection_made(transport)
        address = self.client[0] if self.client else ""
        if not self._places.take(address):
            transport.abort()
            return
        self._place = address
        wait = min(self._pace.spend(address, 1), REQUEST_SECONDS)
        if wait:
            self._unread = b""
            self.loop.call_later(wait, self._go_on)
        self._within(REQUEST_SECONDS + wait)

    def connection_lost(self, exc: Exception | None) -> None:
        self._done()
        self._leave()
        if self._working is not None:  # uvicorn tells the newest request only
            self._working.disconnected = True
            self._working.message_event.set()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        if self._unread is not None:  # pausing sooner, in connection_made, uvloop would ignore
            self._hold(self._unread + data)
            return
        if self._deadline is None:
            self._within(REQUEST_SECONDS)
        for start in range(0, len(data), BYTES_A_TURN):
            self._take_in(data[start : start + BYTES_A_TURN])
            if self.transport.is_closing() or self._upgraded or self._refused:
                return
            if self._answering:
                self._hold(data[start + BYTES_A_TURN :])
                return

    @property
    def _answering(self) -> bool:
        """Whether a whole request is in work: what follows it can wait."""
        return self.cycle is not None and not (self.cycle.response_complete or self.cycle.more_body)

    def _hold(self, data: bytes) -> None:
        if data:
            self._unread = data
            self.transport.pause_reading()

    def _take_in(self, data: bytes) -> None:
        if self._head is not None:
            self._head += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._head is not None and (self._head > MAX_HEAD or len(self.headers or ()) > MAX_HEADERS):
            self._done()
            self._refuse(b"431 Request Header Fields Too Large")

    def handle_websocket_upgrade(self) -> None:
        self._done()
        self._leave()
        self._upgraded = True
        super().handle_websocket_upgrade()

    def on_headers_complete(self) -> None:
        self._head = None
        super().on_headers_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._working = cycle
        super()._start_asgi_task(cycle, app)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._head = 0
        if self.cycle is not None and not self.cycle.response_complete:
            self._within(ANSWER_SECONDS)
        else:
            self._done()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.is_closing() or not self.cycle.response_complete:
            self._within(ANSWER_SECONDS)  # for the rest of the answer, or the next of several requests
        elif self._head == 0:
            self._done()
        if self._unread is not None and not self._answering:
            self.loop.call_soon(self._go_on)

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self._within(ANSWER_SECONDS)

    def _go_on(self) -> None:
        unread, self._unread = self._unread, None
        if unread is None or self._refused or self.transport.is_closing():
            return
        self.transport.resume_reading()
        if unread:
            self.data_received(unread)

    def _within(self, seconds: float) -> None:
        self._done()
        self._deadline = self.loop.call_later(seconds, self._late)

    def _done(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _late(self) -> None:
        self._deadline = None
        if self.transport.is_closing() or (self.cycle is not None and not self.cycle.response_complete):
            self.transport.abort()
        else:
            self._refuse(b"408 Request Timeout")

    def _leave(self) -> None:
        place, self._place = self._place, None
        if place is not None:
            self._places.give_back(place)

    def _refuse(self, status: bytes) -> None:
        """Say why it ends, and leave time to read it: closed at once, with bytes unread, a reset may overtake it."""
        self._refused = True
        self.transport.pause_reading()
        self.transport.write(b"HTTP/1.1 " + status + b"\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
        self.transport.write_eof()
        self._deadline = self.loop.call_later(LINGER_SECONDS, self.transport.abort)


class BoundedBodies:
    """Answers 413 to a request whose body has more than `limit` bytes, told in its head or not."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        told = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        if len(told) > _DIGITS or not told.isdigit() or int(told) > self._limit:
            await JSONResponse({"detail": _TOO_LARGE}, 413)(scope, receive, send)
            return
        left = self._limit

        async def counted() -> Message:
            nonlocal left
            message = await receive()
            left -= len(message.get("body", b""))
            if left < 0:
                raise HTTPException(413, _TOO_LARGE)
            return message

        await self._app(scope, counted, send)
