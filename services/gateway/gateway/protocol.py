"""Uvicorn's websocket protocol with nothing between frame and transport: no queue, no task, no ASGI message a frame.

Once a session is attached, texts go straight to it and its frames, written once per event, straight to the transport:
a send costs a seventh of one through ASGI. The handshake, pings and the close stay uvicorn's.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, cast

from starlette.websockets import WebSocket, WebSocketDisconnect
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from gateway.metrics import CLOSED
from warren.contracts.closing import SILENT

CLOSE_SECONDS = 2.0
"""How long a client may take to read what is left and to answer the close."""

LINGER_SECONDS = 5.0
"""How long a socket whose handler has ended may take to hand over what is still buffered."""

FRAMES_A_TURN = 50
"""Frames of one socket that are heard before others have their turn."""

_EXTENSION = "warren.wire"

Hear = Callable[[str | bytes], None]
Over = Callable[[], None]


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
        self._unheard: deque[str | bytes] | None = None
        """What waits for its turn while a flood is heard."""
        self._heard_now = 0

    @staticmethod
    def of(socket: WebSocket) -> GatewayProtocol:
        """Return the protocol that serves a socket."""
        return cast("GatewayProtocol", socket.scope["extensions"][_EXTENSION])

    def attach(self, hear: Hear, over: Over) -> None:
        """Hand every message to `hear` from now on, those first that came with the handshake, and the end to `over`.

        The session needs no task from here on, and the handshake is forgotten: an idle socket is small.
        """
        early = [self.queue.get_nowait() for _ in range(self.queue.qsize())]
        self._hear, self._over = hear, over
        self.queue = _End(self._ended)  # type: ignore[assignment]  # all of it that is used from here on
        self.request = self.response = None  # type: ignore[assignment]
        self.scope = {}  # type: ignore[typeddict-item]
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        for event in early:
            if event["type"] == "websocket.receive":
                self._take(event.get("text") or event.get("bytes") or "")
            else:
                self._ended(event)
        self._heard_now = 0

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
        """Take in frames; those of an attached session are heard at once."""
        super().data_received(data)
        self._heard_now = 0

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
            self._take(bytes(data))
            return
        try:
            text = str(data, "utf-8")
        except UnicodeDecodeError:
            self.conn.send_close(1007)
            self.handle_parser_exception()
        else:
            self._take(text)

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
        if self._over is None:
            self._let_go()

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

    def _take(self, message: str | bytes) -> None:
        """Hear a message; a flood is heard in turns, and the client waits meanwhile."""
        assert self._hear is not None  # noqa: S101 - whoever calls this is attached
        if self._unheard is not None:
            self._unheard.append(message)
        elif self._heard_now < FRAMES_A_TURN:
            self._heard_now += 1
            self._hear(message)
        else:
            self._unheard = deque([message])
            self.transport.pause_reading()
            self.loop.call_soon(self._next_turn)

    def _next_turn(self) -> None:
        waiting, self._unheard, self._heard_now = self._unheard or deque(), None, 0
        if self._over is None:
            return  # the session is over
        while waiting and self._unheard is None:
            self._take(waiting.popleft())
        if self._unheard is not None:
            self._unheard.extend(waiting)
        else:
            self.transport.resume_reading()
