"""Uvicorn's websocket protocol with nothing between frame and transport: no queue, no task, no ASGI message a frame.

Once a session is attached, texts go straight to it and its frames, written once per event, straight to the transport:
a send costs a seventh of one through ASGI. The handshake, pings and the close stay uvicorn's.
"""

from __future__ import annotations

from asyncio import BaseTransport
from collections.abc import Callable
from typing import Any, cast

from starlette.websockets import WebSocket, WebSocketDisconnect
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame

from gateway.metrics import CLOSED
from warren.contracts.closing import BAD_TEXT, SILENT, TOO_BIG

CLOSE_SECONDS = 2.0
"""How long a client may take to read what is left and to answer the close."""

LINGER_SECONDS = 5.0
"""How long a socket whose handler has ended may take to hand over what is still buffered."""

HANDSHAKE_SECONDS = 20.0
"""How long judging a handshake may take; its bytes are all here by then."""

BYTES_A_TURN = 512
"""Bytes of one socket that are taken in before others have their turn: some dozens of frames at the most."""

MAX_FRAGMENTS = 256
"""Fragments that a message may come in: empty ones would be without end."""

PONGS_WAITING = 65_536
"""Bytes waiting for a client beyond which its pings are not answered."""

LONGEST_PAUSE = 5.0
"""Seconds for which a flood is not read at a time."""

TURNED_AWAY_SECONDS = 0.1
"""Between two turns of one who was turned away: all that is awaited is the answer to a close."""

_EXTENSION = "warren.wire"

Hear = Callable[[str | bytes], None]
Over = Callable[[], None]
Pay = Callable[[int], float]


class _End:
    """Stands in for uvicorn's queue, to which nothing but the end is told any more."""

    __slots__ = ("put_nowait",)

    def __init__(self, told: Callable[[Any], None]) -> None:
        self.put_nowait = told


class GatewayProtocol(WebSocketsSansIOProtocol):
    """A socket, as a session's `Wire`."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._hear: Hear | None = None
        self._over: Over | None = None
        self._pay: Pay | None = None
        self._unread: memoryview | None = None
        """What waits for its turn while nothing more is read."""
        self._came = 0
        self._judged = False
        self._broken = False

    @staticmethod
    def of(socket: WebSocket) -> GatewayProtocol:
        """Return the protocol that serves a socket."""
        return cast("GatewayProtocol", socket.scope["extensions"][_EXTENSION])

    def connection_made(self, transport: BaseTransport) -> None:
        """Begin a handshake, which must not take for ever."""
        super().connection_made(transport)
        self._handshake = self.loop.call_later(HANDSHAKE_SECONDS, self.transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """End, whatever was going on."""
        self._handshake.cancel()
        super().connection_lost(exc)

    def attach(self, hear: Hear, over: Over, pay: Pay) -> None:
        """Hand every message to `hear` from now on, those too that came early, and the end to `over`.

        `pay` is told of frames that came, of any kind, and says for how many seconds no more shall be read.
        The session needs no task from here on, and the handshake is forgotten: an idle socket is small.
        """
        self._handshake.cancel()
        self._hear, self._over, self._pay, self._came = hear, over, pay, 0
        left = [self.queue.get_nowait() for _ in range(self.queue.qsize())]
        self.queue = _End(self._ended)  # type: ignore[assignment]  # all of it that is used from here on
        self.request = self.response = None  # type: ignore[assignment]
        self.scope = {}  # type: ignore[typeddict-item]
        for end in left:
            self._ended(end)
        if self._unread is not None:
            self.loop.call_soon(self._go_on)

    def write(self, frames: bytes) -> None:
        """Give whole websocket frames to the transport."""
        if not self.close_sent and not self.transport.is_closing():
            self.transport.write(frames)

    @property
    def waiting(self) -> int:
        """Bytes that the client has not taken yet."""
        return self.transport.get_write_buffer_size()

    def end(self, code: int, reason: str) -> None:
        """Close after what was written; the transport goes when the client has answered, or soon in any case."""
        if self.close_sent or self.transport.is_closing():
            return
        self.conn.send_close(code, reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.close_timer = self.loop.call_later(CLOSE_SECONDS, self.transport.abort)

    def data_received(self, data: bytes) -> None:
        """Take in frames: at once, but a flood of them in turns, and none before the handshake was judged."""
        if self._broken:
            return
        if not self.handshake_initiated:
            super().data_received(data)
            if self.conn.handshake_exc is not None and not self.handshake_initiated:
                self.handle_parser_exception()  # a request that the library gave up
        elif self._unread is not None:
            self._unread = memoryview(bytes(self._unread) + data)
        elif self._hear is None and not self._judged:
            self._unread = memoryview(data)
            self.transport.pause_reading()
        else:
            self._take_in(memoryview(data))

    def _take_in(self, data: memoryview) -> None:
        """Take in as much as one turn allows; the client waits while the rest does, or while a flood is not read."""
        super().data_received(bytes(data[:BYTES_A_TURN]))
        rest = data[BYTES_A_TURN:]
        pause = self._paid()
        if self.transport.is_closing() or not (rest or pause):
            return
        self._unread = rest
        self.transport.pause_reading()
        if pause:
            self.loop.call_later(min(pause, LONGEST_PAUSE), self._go_on)
        else:
            self.loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        unread, self._unread = self._unread, None
        if self.transport.is_closing():
            return
        if unread and not self._broken:
            self._take_in(unread)
        if self._unread is None:
            self.transport.resume_reading()

    def _paid(self) -> float:
        count, self._came = self._came, 0
        if self._pay is None:
            return TURNED_AWAY_SECONDS
        return self._pay(count) if count else 0.0

    def handle_events(self) -> None:
        """Count what came, then handle it."""
        self._came += len(self.conn.events)
        super().handle_events()

    def handle_cont(self, event: Frame) -> None:
        """Take a fragment, of which a message has some only."""
        if len(self.frames) >= MAX_FRAGMENTS:
            self.conn.fail(TOO_BIG.code, TOO_BIG.name)
            self.handle_parser_exception()
        elif not self._broken:
            super().handle_cont(event)

    def handle_ping(self) -> None:
        """Answer a ping, unless the client does not read the answers."""
        pong = b"".join(self.conn.data_to_send())
        if self.waiting <= PONGS_WAITING and not self.close_sent and not self.transport.is_closing():
            self.transport.write(pong)

    def handle_parser_exception(self) -> None:
        """Close what broke the protocol, and go on reading for a moment: else a reset may overtake the close."""
        if self._broken or self.transport.is_closing():
            return
        self._broken = True
        close = self.conn.close_sent
        if close is None:  # the handshake itself
            self.transport.write(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
            self.transport.close()
            return
        self.queue.put_nowait({"type": "websocket.disconnect", "code": close.code, "reason": close.reason})
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.close_timer = self.loop.call_later(CLOSE_SECONDS, self.transport.abort)

    def send_receive_event_to_app(self) -> None:
        """Pass one message on."""
        if self._hear is None:
            super().send_receive_event_to_app()
            return
        data = self.frames[0] if len(self.frames) == 1 else b"".join(self.frames)
        self.frames = []
        if self.close_sent:
            return
        if self.curr_msg_data_type == "bytes":
            self._hear(bytes(data))
            return
        try:
            text = str(data, "utf-8")
        except UnicodeDecodeError:
            self.conn.send_close(BAD_TEXT.code, BAD_TEXT.name)
            self.handle_parser_exception()
        else:
            self._hear(text)

    def keepalive_timeout(self) -> None:
        """Close a client that has not answered a ping: in bounded time, however much of ours it has not read."""
        CLOSED.labels(SILENT.name).inc()
        self.end(SILENT.code, SILENT.name)

    async def run_asgi(self) -> None:
        """Serve the handshake; an attached session lives on by itself."""
        self.scope["extensions"][_EXTENSION] = self  # type: ignore[assignment]
        try:
            await self.app(self.scope, self.receive, self.send)
        except (ClientDisconnected, WebSocketDisconnect):
            pass  # it did not wait for the answer
        except Exception:
            self.logger.exception("the handshake failed")
            self.send_500_response()
        self._judged = True
        if self._over is None:
            self._let_go()
            if self._unread is not None:
                self._go_on()  # the answer to our close may be there

    def _ended(self, _: Any) -> None:
        """Tell the session of its end, once, after uvicorn has written its part of the close."""
        over, self._over = self._over, None
        if over is not None:
            self.loop.call_soon(over)
            self.loop.call_soon(self._let_go)

    def _let_go(self) -> None:
        """Close, in bounded time, what nobody serves any more."""
        if self.close_timer is None:
            self.transport.close()
        self.loop.call_later(LINGER_SECONDS, self.transport.abort)
