"""Uvicorn's websocket protocol with nothing between frame and transport: no queue, no task, no ASGI message a frame.

Once a session is attached, texts go straight to it and its frames, written once per event, straight to the transport:
a send costs a seventh of one through ASGI. The handshake, pings and the close stay uvicorn's.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, cast

from starlette.websockets import WebSocket
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

CLOSE_SECONDS = 2.0
"""How long a client may take to read what is left and to answer the close."""

LINGER_SECONDS = 5.0
"""How long a socket whose handler has ended may take to hand over what is still buffered."""

FRAMES_A_TURN = 50
"""Frames of one socket that are heard before others have their turn."""

_EXTENSION = "warren.wire"

Hear = Callable[[str | bytes], None]


class GatewayProtocol(WebSocketsSansIOProtocol):
    """A socket, as a session's `Wire`."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._hear: Hear | None = None
        self._heard: deque[str | bytes] = deque()
        self._behind = False

    @staticmethod
    def of(socket: WebSocket) -> GatewayProtocol:
        """Return the protocol that serves a socket."""
        return cast("GatewayProtocol", socket.scope["extensions"][_EXTENSION])

    def attach(self, hear: Hear) -> None:
        """Hand every message to `hear` from now on, those first that came with the handshake."""
        self._hear = hear
        early = [self.queue.get_nowait() for _ in range(self.queue.qsize())]
        for event in early:
            if event["type"] == "websocket.receive":
                self._heard.append(event.get("text") or event.get("bytes") or "")
            else:
                self.queue.put_nowait(event)
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        self._listen()

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
        if self._heard and not self._behind:
            self._listen()

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
            self._heard.append(bytes(data))
            return
        try:
            self._heard.append(str(data, "utf-8"))
        except UnicodeDecodeError:
            self.conn.send_close(1007)
            self.handle_parser_exception()

    async def run_asgi(self) -> None:
        """Serve the socket, then let go of it in bounded time."""
        self.scope["extensions"][_EXTENSION] = self  # type: ignore[assignment]
        try:
            await super().run_asgi()
        finally:
            self.loop.call_later(LINGER_SECONDS, self.transport.abort)

    def _listen(self) -> None:
        """Hear what has come; a flood is heard in turns, and the client waits meanwhile."""
        assert self._hear is not None  # noqa: S101 - nothing is gathered before
        for _ in range(min(FRAMES_A_TURN, len(self._heard))):
            self._hear(self._heard.popleft())
        if self._heard:
            if not self._behind:
                self._behind = True
                self.transport.pause_reading()
            self.loop.call_soon(self._listen)
        elif self._behind:
            self._behind = False
            self.transport.resume_reading()
