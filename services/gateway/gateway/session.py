"""One socket: frames in order to it, bounded, and what is known of who holds it."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import Protocol

from gateway.auth import Identity
from gateway.metrics import CLOSED, ERRORS, FRAMES_OUT
from gateway.settings import GatewaySettings
from warren.contracts import User
from warren.contracts.closing import SLOW, CloseCode
from warren.contracts.frames import Error, Frame, Goodbye, encode
from warren.ids import uuid7

log = logging.getLogger(__name__)

CLOSE_SECONDS = 2.0
"""How long a client that does not read may keep a socket that is being closed."""


class Socket(Protocol):
    """What a session needs of a websocket."""

    async def send_text(self, data: str) -> None: ...
    async def close(self, code: int = 1000, reason: str | None = None) -> None: ...


class Session:
    """Queues frames for one socket and writes them in order; whoever reads too slowly is closed, nobody else waits."""

    def __init__(self, socket: Socket, identity: Identity, address: str, settings: GatewaySettings) -> None:
        self.id = uuid7()
        self.user = identity.user
        self.expires = identity.expires
        self.address = address
        self.rooms: dict[str, asyncio.Task[None] | None] = {}
        self.background: set[asyncio.Task[None]] = set()
        self.pending = 0
        self.bad_frames = 0
        self.closing: CloseCode | None = None
        self._socket = socket
        self._limit = settings.send_buffer
        self._asked: deque[str] = deque()
        self._settled = asyncio.Event()
        self._settled.set()
        self._frames: deque[str] = deque()
        self._bytes = 0
        self._wake = asyncio.Event()
        self._patience: asyncio.Timeout | None = None

    def send(self, frame: str) -> None:
        """Queue an encoded frame; closes the session as `slow` when too much waits."""
        if self.closing is not None:
            return
        self._bytes += len(frame)
        if self._bytes > self._limit:
            self._frames.clear()
            self.close(SLOW)
            return
        self._frames.append(frame)
        self._wake.set()

    def say(self, frame: Frame) -> None:
        """Queue a frame."""
        self.send(encode(frame))

    def error(self, error: Error) -> None:
        """Queue an error frame."""
        ERRORS.labels(error.code).inc()
        self.say(error)

    def rename(self, name: str) -> None:
        """Take a name that this socket asked for: it holds at once."""
        if name != self.user.name:
            self._asked.append(name)
            self.user = User(id=self.user.id, name=name)

    def renamed(self, name: str) -> None:
        """Take the user's new name, unless this socket has asked for a newer one meanwhile."""
        if name in self._asked:
            while self._asked.popleft() != name:
                pass  # presence may tell of the last of several names only
        elif not self._asked:
            self.user = User(id=self.user.id, name=name)

    def keep_name(self, name: str) -> None:
        """Go back to a name: the newer one was not taken."""
        self._asked.clear()
        self.user = User(id=self.user.id, name=name)

    def begin(self) -> None:
        """Count a message that waits for the broker."""
        self.pending += 1
        self._settled.clear()

    def end(self) -> None:
        """Count it as answered."""
        self.pending -= 1
        if not self.pending:
            self._settled.set()

    async def settled(self) -> None:
        """Wait until no message of this session waits for the broker."""
        await self._settled.wait()

    def close(self, code: CloseCode, *, reconnect_after: float | None = None) -> None:
        """Say goodbye after what is queued, then close; the first reason counts."""
        if self.closing is not None:
            return
        after = code.after if reconnect_after is None else reconnect_after
        self._frames.append(encode(Goodbye(reason=code.name, reconnect_after=round(after, 2))))
        self.closing = code
        CLOSED.labels(code.name).inc()
        self._wake.set()
        if self._patience is not None:  # a write may hang: it gets this long and no longer
            self._patience.reschedule(asyncio.get_running_loop().time() + CLOSE_SECONDS)

    async def write(self) -> None:
        """Write what is queued until the session is closed."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                async with asyncio.timeout(CLOSE_SECONDS if self.closing else None) as self._patience:
                    while self._frames:
                        frame = self._frames.popleft()
                        await self._socket.send_text(frame)
                        self._bytes -= len(frame)
                        FRAMES_OUT.inc()
                    if self.closing:
                        await self._socket.close(self.closing.code, self.closing.name)
                        return
            except TimeoutError:
                log.info("a client reads nothing", extra={"fields": {"session": self.id}})
                return
            finally:
                self._patience = None
