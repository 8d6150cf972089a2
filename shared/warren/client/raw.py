"""A bare websocket for tests of the protocol itself: nothing is retried, answered or hidden."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any, Self

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Origin, Subprotocol

from warren.client.errors import ClosedError
from warren.client.state import Frame
from warren.client.wire import FRAME_LIMIT, is_loopback, websocket_url
from warren.contracts.frames import PROTOCOL


class RawSocket:
    """One websocket; use it as `async with await RawSocket.connect(url, token) as socket`."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    @classmethod
    async def connect(
        cls,
        base: str,
        token: str | None = None,
        *,
        subprotocols: tuple[str, ...] | None = (PROTOCOL,),
        headers: dict[str, str] | None = None,
        origin: str | None = None,
        **options: Any,
    ) -> Self:
        """Connect to the gateway at `base`; a refused handshake raises websockets' own exception.

        `options` go to `websockets.asyncio.client.connect`.
        """
        sent = dict(headers or {})
        if token:
            sent.setdefault("Authorization", f"Bearer {token}")
        offered = None if subprotocols is None else [Subprotocol(name) for name in subprotocols]
        defaults: dict[str, Any] = {"max_size": FRAME_LIMIT, "proxy": None if is_loopback(base) else True}
        connection = await connect(
            websocket_url(base),
            subprotocols=offered,
            additional_headers=sent,
            origin=None if origin is None else Origin(origin),
            compression=None,
            **(defaults | options),
        )
        return cls(connection)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.connection.close()

    async def send_json(self, frame: Any) -> None:
        """Send any JSON value as a text frame."""
        await self.connection.send(orjson.dumps(frame), text=True)

    async def send_text(self, text: str) -> None:
        """Send a text frame as it is."""
        await self.connection.send(text)

    async def send_bytes(self, data: bytes) -> None:
        """Send a binary frame."""
        await self.connection.send(data)

    async def recv(self, timeout_seconds: float = 10.0) -> Frame:
        """Return the next frame; `TimeoutError` after a while, `ClosedError` with the code if closed."""
        try:
            async with asyncio.timeout(timeout_seconds):
                frame: Frame = orjson.loads(await self.connection.recv(decode=False))
                return frame
        except ConnectionClosed:
            code, reason = self.connection.close_code, self.connection.close_reason
            raise ClosedError(f"closed with {code} {reason}") from None

    async def expect(self, type: str, timeout_seconds: float = 10.0, **fields: Any) -> Frame:  # noqa: A002 - the protocol's word
        """Return the next frame of this type whose fields are these, passing over others."""
        async with asyncio.timeout(timeout_seconds):
            while True:
                frame = await self.recv(timeout_seconds)
                if frame["type"] == type and all(frame.get(key) == value for key, value in fields.items()):
                    return frame

    async def closed(self, timeout_seconds: float = 10.0) -> tuple[int | None, str | None]:
        """Wait until the server has closed, passing over frames; return its close code and reason."""
        async with asyncio.timeout(timeout_seconds):
            try:
                while True:
                    await self.connection.recv()
            except ConnectionClosed:
                return self.connection.close_code, self.connection.close_reason
