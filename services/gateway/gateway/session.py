"""One socket: frames in order to it, bounded, and what is known of who holds it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Protocol

from gateway.auth import Identity
from gateway.framing import framed
from gateway.metrics import CLOSED, ERRORS, FRAMES_OUT
from gateway.settings import GatewaySettings
from warren.contracts import User
from warren.contracts.closing import SLOW, CloseCode
from warren.contracts.frames import Error, Frame, Goodbye
from warren.contracts.refusing import AWAY
from warren.contracts.signals import SessionState
from warren.ids import uuid7


class Wire(Protocol):
    """What a session needs of its socket (see `gateway.protocol`)."""

    def write(self, frames: bytes) -> None: ...
    @property
    def waiting(self) -> int: ...
    def end(self, code: int, reason: str) -> None: ...


class Outbox:
    """Sessions with frames to write: each writes once per turn of the event loop, however many frames it got."""

    def __init__(self) -> None:
        self._ready: list[Session] = []

    def add(self, session: Session) -> None:
        """Flush a session at the end of this turn."""
        if not self._ready:
            asyncio.get_running_loop().call_soon(self._flush)
        self._ready.append(session)

    def _flush(self) -> None:
        ready, self._ready = self._ready, []
        FRAMES_OUT.inc(sum([session.flush() for session in ready]))


class Session:
    """Frames for one socket, in order; whoever reads too slowly is closed, nobody else waits.

    There are thousands, most of them idle: what few need is made when it is needed.
    """

    __slots__ = (
        "_asked", "_count", "_frames", "_limit", "_outbox", "_settled", "_wire", "address", "background", "bad_frames",
        "closing", "expires", "id", "pending", "refused", "rights", "rooms", "status", "user",
    )  # fmt: skip

    def __init__(self, wire: Wire, identity: Identity, address: str, settings: GatewaySettings, outbox: Outbox) -> None:
        self.id = uuid7()
        self.user = identity.user
        self.expires = identity.expires.timestamp()
        self.rights = identity.rights
        self.address = address
        self.status: SessionState = "online"
        self.rooms: dict[str, asyncio.Task[None] | None] = {}
        self.background: set[asyncio.Task[None]] = set()
        self.pending = 0
        self.bad_frames = 0
        self.refused = 0
        """Frames refused since this was last asked for, but those that our side failed."""
        self.closing: CloseCode | None = None
        self._wire = wire
        self._outbox = outbox
        self._limit = settings.send_buffer
        self._asked: list[str] = []
        self._settled: asyncio.Future[None] | None = None
        self._frames: list[bytes] = []
        self._count = 0

    def send(self, frames: bytes, count: int = 1) -> None:
        """Take `count` frames, as they go over the socket, for this turn's write."""
        if self.closing is not None:
            return
        if not self._frames:
            self._outbox.add(self)
        self._frames.append(frames)
        self._count += count

    def flush(self) -> int:
        """Write what was taken; returns how many frames. Closes the session as `slow` if too much waits already."""
        frames, count = self._frames, self._count
        if not frames:
            return 0
        self._frames, self._count = [], 0
        if self._wire.waiting > self._limit:
            self.close(SLOW)
            return 0
        self._wire.write(frames[0] if len(frames) == 1 else b"".join(frames))
        return count

    def say(self, frame: Frame) -> None:
        """Queue a frame."""
        self.send(framed(frame))

    def error(self, error: Error) -> None:
        """Queue an error frame."""
        ERRORS.labels(error.code).inc()
        if error.code != AWAY.code:
            self.refused += 1
        self.say(error)

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something for this session beside its frames."""
        task = asyncio.get_running_loop().create_task(work)
        self.background.add(task)
        task.add_done_callback(self.background.discard)

    def rename(self, name: str) -> None:
        """Take a name that this socket asked for: it holds at once."""
        if name != self.user.name:
            self._asked.append(name)
            self.user = User(id=self.user.id, name=name)

    def renamed(self, name: str, asked: str | None = None) -> None:
        """Take the user's new name, given for the one that was `asked`, unless this socket asked for a newer one."""
        wanted = asked or name
        if wanted in self._asked:
            del self._asked[: self._asked.index(wanted) + 1]  # presence may tell of the last of several names only
        if not self._asked:
            self.user = User(id=self.user.id, name=name)

    def keep_name(self, name: str) -> None:
        """Go back to a name: the newer one was not taken."""
        self._asked.clear()
        self.user = User(id=self.user.id, name=name)

    def begin(self) -> None:
        """Count a message that waits for the broker."""
        self.pending += 1

    def end(self) -> None:
        """Count it as answered."""
        self.pending -= 1
        if not self.pending and self._settled is not None and not self._settled.done():
            self._settled.set_result(None)

    async def settled(self) -> None:
        """Wait until no message of this session waits for the broker."""
        if self.pending:
            if self._settled is None or self._settled.done():
                self._settled = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._settled)  # one who waits no longer ends it for no other

    def close(self, code: CloseCode, *, reconnect_after: float | None = None) -> None:
        """Say goodbye after what is queued, then close; the first reason counts."""
        if self.closing is not None:
            return
        self.closing = code
        CLOSED.labels(code.name).inc()
        after = code.after if reconnect_after is None else reconnect_after
        goodbye = framed(Goodbye(reason=code.name, reconnect_after=round(after, 2)))
        self._wire.write(b"".join((*self._frames, goodbye)))
        self._frames = []
        self._wire.end(code.code, code.name)
