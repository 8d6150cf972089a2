"""Uvicorn's websocket protocol, with an end to sockets whose client reads nothing."""

from __future__ import annotations

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

LINGER_SECONDS = 5.0
"""How long a closed socket may take to hand over what is still buffered."""


class GatewayProtocol(WebSocketsSansIOProtocol):
    """Closing a transport waits until its buffer is empty, for ever if need be: here the wait is bounded."""

    async def run_asgi(self) -> None:
        """Serve the socket, then let go of it in bounded time."""
        try:
            await super().run_asgi()
        finally:
            self.loop.call_later(LINGER_SECONDS, self.transport.abort)
