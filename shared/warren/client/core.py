"""The machinery of a client: what it does of its own accord. `warren.client.client` is what users see of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any
from weakref import WeakSet

from warren.client.backoff import jittered
from warren.client.errors import ClientError, ClosedError, DeadlineError, RefusedError
from warren.client.events import Events
from warren.client.healing import Healer
from warren.client.link import Link
from warren.client.requests import Request, Requests, check
from warren.client.rest import Rest
from warren.client.state import ENTRY_TYPES, Frame, Room
from warren.client.wire import expiry, seconds
from warren.contracts.signals import SessionState

START_SECONDS = 15.0
RENEW_BEFORE = 60.0
"""Seconds before its expiry that a token is renewed over the socket."""
RENEW_AGAIN = 10.0
"""Seconds between two attempts at it, at the least."""


class Core:
    """State, requests on their way, connection and dispatch of one client; see `Client` for the arguments."""

    def __init__(
        self,
        urls: str | Sequence[str],
        *,
        name: str | None = None,
        token: str | Callable[[], Awaitable[str]] | None = None,
        rest: Rest | None = None,
        history: int = 500,
        deadline: float = 60.0,
        recover: bool = True,
        on_event: Callable[[Frame], None] | None = None,
    ) -> None:
        urls = [urls] if isinstance(urls, str) else list(urls)
        self.rest = rest or Rest(urls)
        self.user: Frame = {"id": "", "name": name or ""}
        self.session = ""
        self.limits: Frame = {}
        self.rooms: dict[str, Room] = {}
        self.online = False
        """Whether there is a connection now, welcomed and under the right name."""
        fetch = None if isinstance(token, str) else token or self._become_guest
        ready = token if isinstance(token, str) else None
        self._link = Link(urls, ready, fetch, self._receive, self._lost)
        self._owns_rest = rest is None
        self._keep, self._deadline, self._recover, self._on_event = history, deadline, recover, on_event
        self._streams: WeakSet[Events] = WeakSet()
        self._requests = Requests()
        self._healer = Healer(self.rest, lambda: self.token, self._found, self._emit)
        self._former: set[str] = set()
        """Names given up by renaming: a welcome under one of them is out of date."""
        self._wanted: list[str] = []
        """Names asked for whose outcome was not told yet, oldest first."""
        self._status: SessionState = "online"
        """What the user last said; a new session is `online` until it says otherwise."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._runner: asyncio.Task[None] | None = None
        self._welcomed = asyncio.Event()
        self._renewal: asyncio.TimerHandle | None = None
        self._ended: ClientError | None = None
        self._handlers: dict[str, Callable[[Frame], None]] = {
            "welcome": self._on_welcome,
            "joined": self._on_joined,
            "left": self._requests.answer,
            "ack": self._on_ack,
            "pong": self._requests.answer,
            "error": self._on_error,
            "presence": self._on_presence,
            "renamed": self._on_renamed,
            "read": self._on_read,
            "goodbye": self._on_goodbye,
        }

    @property
    def token(self) -> str | None:
        """The token in use; a secret."""
        return self._link.token

    @property
    def failure(self) -> ClientError | None:
        """Why the client has ended; None while it lives."""
        return self._ended

    @property
    def url(self) -> str:
        """The gateway of the present connection, or of the last try."""
        return self._link.url

    # --------------------------------------------------------------- sending

    def _limit(self, deadline: float | None) -> float:
        return self._deadline if deadline is None else deadline

    async def _ask(self, frame: Frame, limit: float | None, room: str | None = None, *, urgent: bool = False) -> Frame:
        """Send a request, now or when it can be, and return its answer; `limit` in seconds, None for ever."""
        if self._ended is not None:
            raise self._ended
        check(frame, self.limits)
        request = self._requests.open(frame, room, urgent=urgent)
        try:
            async with asyncio.timeout(limit):
                if self._may_send(request):
                    await self._link.send(request.frame)
                return await request.answer
        except TimeoutError:
            raise DeadlineError(f"no answer to {frame['type']} within {limit:g} s") from None
        finally:
            self._requests.close(request)

    async def _attend(self, status: SessionState, limit: float | None, *, urgent: bool = False) -> None:
        frame: Frame = {"type": "status", "status": status}
        check(frame, self.limits)
        self._status = status
        for request in self._requests.waiting():
            if request.frame["type"] == "status":
                request.frame.update(frame)  # sent again, it says what is so by then
        await self._ask(frame, limit, urgent=urgent)

    def _may_send(self, request: Request) -> bool:
        if request.room is None or request.frame["type"] == "join":
            return self.online or request.urgent
        room = self.rooms.get(request.room)
        return self.online and (room is None or room.live)

    async def _send_waiting(self, room: str | None = None) -> None:
        for request in self._requests.waiting(room):
            if self._may_send(request):
                await self._link.send(request.frame)

    async def _send_later(self, request: Request, wait: float) -> None:
        await asyncio.sleep(wait)
        if request.is_open and self._may_send(request):
            await self._link.send(request.frame)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something beside the reader for as long as the client lives."""
        if self._ended is not None:
            work.close()
            return
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # ------------------------------------------------------------ connection

    async def _run(self) -> None:
        try:
            self._end(await self._link.run(recover=self._recover))
        finally:
            self._end(ClosedError("the client has failed"))  # nobody waits for ever, whatever happened

    async def _become_guest(self) -> str:
        guest = await self.rest.guest(self.user["name"] or None, self.token)
        self._former.clear()
        return guest.token

    def _plan_renewal(self) -> None:
        """Renew the token before it expires, for as long as this connection lasts; each welcome plans anew."""
        if self._renewal is not None:
            self._renewal.cancel()
        if (due := expiry(self.token)) is not None:
            wait = max(due - time.time() - RENEW_BEFORE, RENEW_AGAIN)
            self._renewal = asyncio.get_running_loop().call_later(wait, lambda: self._spawn(self._renew()))

    async def _renew(self) -> None:
        try:
            token = await self._link.fresh_token()
            if token is None:
                return
            await self._ask({"type": "token", "token": token}, RENEW_AGAIN, urgent=True)
            self._link.token = token
        except ClientError:
            pass  # again soon, or after the server has closed the connection for it
        self._plan_renewal()

    def _on_welcome(self, frame: Frame) -> None:
        self._plan_renewal()
        known, self.user = self.user, frame["user"]
        self.session, self.limits = frame["session"], frame.get("limits", {})
        self._wanted = [r.frame["name"] for r in self._requests.waiting() if r.frame["type"] == "rename"]
        outdated = known["id"] == self.user["id"] and self.user["name"] in self._former
        self._spawn(self._resume(self.session, known["name"] if outdated else None))

    async def _resume(self, session: str, name: str | None) -> None:
        """After a welcome: mend name and status, enter all rooms again, send what is open."""
        if name is not None:
            try:
                await self._ask({"type": "rename", "name": name}, None, urgent=True)
            except RefusedError as e:
                self._emit({"type": "error", "code": e.code, "message": f"the name {name!r} was not kept: {e.message}"})
        if self._status != "online":  # before the rooms, so that nobody there sees another
            await self._attend(self._status, None, urgent=True)
        if session != self.session or self._ended is not None:
            return  # another connection has taken over
        self.online = True
        self._welcomed.set()
        self._emit({"type": "online", "url": self.url, "user": self.user})
        joining = {r.room: r for r in self._requests.waiting() if r.frame["type"] == "join"}
        for room in list(self.rooms.values()):
            if (request := joining.get(room.name)) is not None:
                request.frame.update(room.join_frame())
            else:
                self._spawn(self._rejoin(room))
        await self._send_waiting()

    async def _rejoin(self, room: Room) -> None:
        try:
            await self._ask(room.join_frame(), None, room.name)
        except RefusedError as e:
            self.rooms.pop(room.name, None)
            self._requests.fail(e, room.name)

    def _lost(self, error: ClientError, wait: float) -> None:
        self._offline()
        self._emit({"type": "offline", "reason": str(error), "retry_in": round(wait, 3)})

    def _offline(self) -> None:
        self.online = False
        for room in self.rooms.values():
            room.lost()

    def _end(self, error: ClientError) -> None:
        if self._ended is not None:
            return
        code = error.code if isinstance(error, RefusedError) else "closed"
        if self._renewal is not None:
            self._renewal.cancel()
        self._emit({"type": "ended", "code": code, "reason": str(error)})
        self._ended = error
        self._offline()
        self._requests.fail(error)
        self._welcomed.set()

    # ------------------------------------------------------------- receiving

    def _emit(self, event: Frame) -> None:
        if self._ended is not None:
            return
        for stream in self._streams:
            stream.put(event)
        if self._on_event is not None:
            self._on_event(event)

    def _found(self, room: Room, entries: list[Frame]) -> None:
        """Tell of entries that are in order now; those of a first snapshot are in `room.entries` already."""
        if self._keep and room.opened:
            for entry in entries:
                self._emit(entry)

    def _mend(self, room: Room) -> None:
        if not self._keep:
            room.skip()
        elif room.opened and self._healer.may_begin(room):
            self._spawn(self._healer.heal(room))

    def _receive(self, frame: Frame) -> None:
        kind: str = frame["type"]
        if kind in ENTRY_TYPES:
            if (room := self.rooms.get(frame["room"])) is not None:
                self._found(room, room.add((frame,)))
                self._mend(room)
            return
        if (handle := self._handlers.get(kind)) is not None:
            handle(frame)
        self._emit(frame)

    def _on_joined(self, frame: Frame) -> None:
        self._requests.answer(frame)
        if (room := self.rooms.get(frame["room"])) is not None:
            self._found(room, room.snapshot(frame))
            self._mend(room)
            self._spawn(self._send_waiting(room.name))

    def _on_ack(self, frame: Frame) -> None:
        request = self._requests.find(frame)
        if request is not None and request.frame["type"] == "rename":
            name = request.frame["name"]
            if request.urgent or name in self._wanted:  # else what became of it was told before
                self._named(name)
        self._requests.answer(frame)

    def _named(self, name: str) -> None:
        self._former.add(self.user["name"])
        self._former.discard(name)
        self.user = self.user | {"name": name}

    def _on_error(self, frame: Frame) -> None:
        request = self._requests.find(frame)
        if request is None:
            return
        if frame.get("retry_after") is None:
            request.fail(RefusedError(frame["code"], frame["message"]))
        else:
            wait = seconds(frame["retry_after"])
            self._spawn(self._send_later(request, jittered(wait)))

    def _on_presence(self, frame: Frame) -> None:
        if self._keep and (room := self.rooms.get(frame["room"])) is not None:
            room.presence(frame)
            self._mend(room)

    def _on_renamed(self, frame: Frame) -> None:
        for room in self.rooms.values():
            room.renamed(frame["user"])
        if frame["user"]["id"] != self.user["id"]:
            return
        name = frame["user"]["name"]
        wanted = frame.get("asked") or name
        if wanted in self._wanted:
            del self._wanted[: self._wanted.index(wanted) + 1]  # the server may tell of the last of several only
        if not self._wanted:
            self._named(name)

    def _on_read(self, frame: Frame) -> None:
        if (room := self.rooms.get(frame["room"])) is not None:
            room.read_to(frame["seq"])

    def _on_goodbye(self, frame: Frame) -> None:
        self._link.pause = seconds(frame.get("reconnect_after"))
