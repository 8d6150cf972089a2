"""A client that stays: it reconnects, rejoins, asks again and hands on every entry once and in order.

    async with Client("http://127.0.0.1:8080", name="ada") as client:
        events = client.events()
        room = await client.join("general")
        await client.send("general", "hello")
        async for event in events:
            ...

A client is one task and one socket, so hundreds of them in a process are cheap; let them share a `Rest`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from types import TracebackType
from typing import Self

from warren.client.core import Core
from warren.client.errors import ClientError, ClosedError, RefusedError, UnreachableError
from warren.client.events import Events
from warren.client.state import Frame, Room
from warren.contracts.signals import SessionState
from warren.ids import uuid7

START_SECONDS = 15.0


class Client(Core):
    """One user on one socket, at the first of `urls` that answers; each reconnect tries the next one.

    `token` is the user's JWT, or an async function that returns a fresh one; without it the client becomes a
    guest called `name`. `history` is how many entries of each room are kept; 0 for a client that only speaks:
    it fills no holes and is told of no messages. `deadline` (seconds) bounds each request, reconnections
    included, unless the call gives its own. With `recover=False` the first lost connection is the end.
    """

    # ------------------------------------------------------------------ life

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def start(self, deadline: float = START_SECONDS) -> None:
        """Connect; returns once welcomed.

        Raises `RefusedError`, or after `deadline` seconds `UnreachableError` with the last reason.
        """
        self._runner = asyncio.create_task(self._run())
        try:
            async with asyncio.timeout(deadline):
                await self._welcomed.wait()
        except TimeoutError:
            raise self._link.error or UnreachableError(f"{self.url} did not answer in {deadline:g} s") from None
        finally:
            if not self.online:
                await self.close()
        if self._ended is not None:
            raise self._ended

    async def close(self) -> None:
        """End; requests still open raise `ClosedError`."""
        self._end(ClosedError("the client was closed"))
        tasks = [task for task in (self._runner, *self._tasks) if task is not None]
        await self._link.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._owns_rest:
            await self.rest.close()

    # -------------------------------------------------------------- requests

    async def join(self, room: str, since: int | None = None, deadline: float | None = None) -> Room:
        """Enter a room and return its state: the latest page, or with `since` the entries after that one."""
        known = self.rooms.get(room)
        if known is not None and known.opened:
            return known
        state = self.rooms[room] = Room(room, since, self._keep)
        try:
            await self._ask(state.join_frame(), self._limit(deadline), room)
        except (ClientError, asyncio.CancelledError):
            self.rooms.pop(room, None)
            raise
        if self._keep:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._limit(deadline)):
                    await self._healer.heal(state)
        state.opened = True
        self._mend(state)
        return state

    async def leave(self, room: str, deadline: float | None = None) -> None:
        """Leave a room. One that was not joined is left already."""
        if self.rooms.pop(room, None) is None or not self.online:
            return
        try:
            await self._ask({"type": "leave", "room": room}, self._limit(deadline))
        except RefusedError as e:
            if e.code != "not_joined":
                raise

    async def send(
        self,
        room: str,
        body: str,
        id: str | None = None,  # noqa: A002 - the protocol's word
        deadline: float | None = None,
    ) -> str:
        """Say something in a joined room; return its id once the broker has it.

        The same id is sent again after each reconnection until it is acknowledged. Messages whose order
        matters must be awaited one by one.
        Raises `RefusedError`, or `DeadlineError`: then it may still arrive, and may be sent again as `id`.
        """
        return await self._submit(room, {"type": "message", "body": body}, id, deadline)

    async def edit(
        self,
        room: str,
        target: int,
        body: str,
        id: str | None = None,  # noqa: A002 - the protocol's word
        deadline: float | None = None,
    ) -> str:
        """Give the message at `target` (its `seq`) another body; return the edit's own id once the broker has it.

        Sent again and raising as `send` does. Whether the message may be changed is seen later: everyone gets
        `edited`, or this client `rejected`, with that id.
        """
        return await self._submit(room, {"type": "edit", "target": target, "body": body}, id, deadline)

    async def delete(
        self,
        room: str,
        target: int,
        id: str | None = None,  # noqa: A002 - the protocol's word
        deadline: float | None = None,
    ) -> str:
        """Delete the message at `target`, as `edit` changes it: everyone gets `deleted`, or this client `rejected`."""
        return await self._submit(room, {"type": "delete", "target": target}, id, deadline)

    async def _submit(self, room: str, frame: Frame, id: str | None, deadline: float | None) -> str:  # noqa: A002 - the protocol's word
        name = id or uuid7()
        await self._ask({**frame, "id": name, "room": room}, self._limit(deadline), room)
        return name

    async def rename(self, name: str, deadline: float | None = None) -> None:
        """Take another name; returns once it holds on this socket, and keeps it over reconnections.

        Where names are unique, the event `renamed` may bring it with a number soon after, and `asked` without.
        """
        if name != (self._wanted[-1] if self._wanted else self.user["name"]):
            self._wanted.append(name)
        try:
            await self._ask({"type": "rename", "name": name}, self._limit(deadline))
        except ClientError:
            if name in self._wanted:
                self._wanted.remove(name)
            raise

    async def read(self, room: str, seq: int | None = None) -> None:
        """Say that the user has read a joined room up to `seq`, or all of it; lost if offline: say it again then."""
        state = self.rooms.get(room)
        if not self.online or state is None or not state.live:
            return
        wanted = state.seq or 0 if seq is None else seq
        if wanted > state.read:
            state.read_to(wanted)
            await self._link.send({"type": "read", "room": room, "seq": wanted})

    async def status(self, status: SessionState, deadline: float | None = None) -> None:
        """Tell whether the user is there, `online` or `away`; what was said last is kept over reconnections.

        Returns once the gateway has it. Raises `RefusedError` for another word, `DeadlineError` as all requests do.
        """
        await self._attend(status, self._limit(deadline))

    async def typing(self, room: str) -> None:
        """Tell the room that one is writing; lost if offline."""
        state = self.rooms.get(room)
        if self.online and state is not None and state.live:
            await self._link.send({"type": "typing", "room": room})

    async def ping(self, deadline: float = 10.0) -> float:
        """Return the seconds to the server and back."""
        begun = time.perf_counter()
        await self._ask({"type": "ping"}, deadline)
        return time.perf_counter() - begun

    def history(self, room: str, after: int = 0) -> AsyncIterator[Frame]:
        """Page through a room's entries after `after`, over REST."""
        return self.rest.history(room, self.token, after=after)

    def earlier(self, room: str, before: int | None = None) -> AsyncIterator[Frame]:
        """Page back through a room's entries before `before`, or from the newest on: the latest comes first."""
        return self.rest.earlier(room, self.token, before=before)

    def members(self, room: str) -> AsyncIterator[Frame]:
        """Page through all members of a room, however large, over REST; of smaller ones `Room.members` has them."""
        return self.rest.everyone(room, self.token)

    def events(self) -> Events:
        """Return a stream of what happens from now on, see `warren.client.events`."""
        stream = Events()
        self._streams.add(stream)
        return stream

    def __aiter__(self) -> Events:
        return self.events()
