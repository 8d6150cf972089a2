"""All rooms and sessions of this gateway: facts in, frames out to every member.

    feed → fact → frame, encoded once → room (order, gaps) → sessions

What the feed has lost `gateway.mending` fetches: when a fact shows it, every few seconds, and after each reconnect.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from gateway.background import Background
from gateway.framing import framed, framed_json
from gateway.mending import Mending
from gateway.metrics import FANNED_OUT, ROOMS
from gateway.neighbours import Chat, Presence
from gateway.reading import Reading
from gateway.room import Receiver, Room
from gateway.settings import GatewaySettings
from warren.contracts import rfc3339
from warren.contracts.events import (
    Entry,
    MessageDeleted,
    MessageEdited,
    MessagePosted,
    MessageRejected,
    PresenceChanged,
    UserRead,
    UserRenamed,
    UserTyping,
)
from warren.contracts.frames import Joined, ReadFrame, Rejected, Renamed, TypingFrame
from warren.envelope import Event
from warren.messaging import Feed, accept
from warren.topology import EPHEMERAL, EVENTS, room_key

log = logging.getLogger(__name__)

FACTS = accept(
    MessagePosted,
    MessageEdited,
    MessageDeleted,
    MessageRejected,
    PresenceChanged,
    UserRenamed,
    UserTyping,
    UserRead,
)


_FRAMES = {MessagePosted: "message", MessageEdited: "edited", MessageDeleted: "deleted"}


class UserSession(Receiver, Protocol):
    """A session, as far as the hub knows it."""

    def renamed(self, name: str, asked: str | None) -> None:
        """Take the user's new name, which may differ from the one that was asked for."""


class Hub:
    """Rooms by name, sessions by user, and the feed that fills them."""

    def __init__(self, settings: GatewaySettings, chat: Chat, presence: Presence, reading: Reading) -> None:
        self._settings = settings
        self._reading = reading
        self._rooms: dict[str, Room] = {}
        self._users: dict[str, set[UserSession]] = {}
        self._in_partition: dict[str, int] = {}
        self._touched: set[Room] = set()
        """Rooms with frames gathered from the facts in work."""
        self._changed: set[Room] = set()
        """Rooms whose members changed in the facts in work."""
        self._background = Background()
        self._mending = Mending(self._rooms, chat, presence, self._background)
        self._compare = asyncio.Event()
        self.feed = Feed(
            settings.amqp_url.get_secret_value(),
            f"{settings.name} feed",
            heartbeat=settings.amqp_heartbeat,
            prefix=settings.incarnation.replace("gateway-", "gateway."),
            accepts=FACTS,
            handler=self.on_facts,
            on_reset=self._compare.set,
        )
        self._handlers: dict[type, Callable[[Event, Any], None]] = {
            MessagePosted: self._entry,
            MessageEdited: self._entry,
            MessageDeleted: self._entry,
            MessageRejected: self._rejected,
            PresenceChanged: self._presence_changed,
            UserRenamed: self._renamed,
            UserTyping: self._typing,
            UserRead: self._read,
        }

    # ---------------------------------------------------------------- sessions

    def welcome(self, user: str, session: UserSession) -> None:
        """Take a session in."""
        self._users.setdefault(user, set()).add(session)

    def farewell(self, user: str, session: UserSession) -> None:
        """Let a session go, after it has left its rooms."""
        sessions = self._users.get(user, set())
        sessions.discard(session)
        if not sessions:
            self._users.pop(user, None)

    def enter(self, name: str, session: UserSession) -> Room:
        """Make a session a joining member, holding back entries until its snapshot is there."""
        room = self._rooms.get(name)
        if room is None:
            room = self._rooms[name] = Room(name)
            ROOMS.set(len(self._rooms))
            key = self._key(name)
            self._in_partition[key] = self._in_partition.get(key, 0) + 1
        room.enter(session)
        return room

    def head(self, name: str) -> int:
        """Return the `seq` of the last entry that any member of a room has."""
        room = self._rooms.get(name)
        return room.head if room is not None else 0

    async def subscribe(self, name: str) -> None:
        """Return when the broker routes the room's facts here."""
        await self.feed.bind(EVENTS, self._key(name))
        await self.feed.bind(EPHEMERAL, self._key(name))

    def leave(self, name: str, session: UserSession) -> None:
        """Take a session out of a room; the last one closes it."""
        room = self._rooms.get(name)
        if room is None:
            return
        room.leave(session)
        if room.empty:
            if room.telling is not None:
                room.telling.cancel()
            del self._rooms[name]
            ROOMS.set(len(self._rooms))
            key = self._key(name)
            self._in_partition[key] -= 1
            if not self._in_partition[key]:
                del self._in_partition[key]
                self._background.spawn(self._unbind(key))

    def snapshot(self, session: UserSession, joined: Joined) -> None:
        """Hand a session its snapshot (see `Room.snapshot`)."""
        room = self._rooms.get(joined.room)
        if room is None:
            return
        room.people.snapshot(joined.rev, listed=joined.members is not None)
        room.snapshot(session, joined.seq, framed(joined))
        room.flush()
        self._mending.fill_if_needed(room)

    # ------------------------------------------------------------------- facts

    def on_facts(self, events: Sequence[Event]) -> None:
        """Give out what the feed brings."""
        for event in events:
            self._handlers[type(event.data)](event, event.data)
        self._flush()
        posted = [e.trace_id for e in events if isinstance(e.data, Entry)]
        FANNED_OUT.inc(len(posted))
        if posted and log.isEnabledFor(logging.INFO):
            log.info("facts given out", extra={"fields": {"count": len(posted), "traces": posted}})

    def _flush(self) -> None:
        for room in self._changed:
            self._tell_in_turn(room)
        self._changed.clear()
        for room in self._touched:
            room.flush()
        self._touched.clear()

    def _entry(self, event: Event, fact: MessagePosted | MessageEdited | MessageDeleted) -> None:
        room = self._rooms.get(fact.room)
        if room is None:
            return
        frame = framed_json(
            {
                "type": _FRAMES[type(fact)],
                "room": fact.room,
                "seq": fact.seq,
                "id": fact.id,
                "user": {"id": fact.user.id, "name": fact.user.name},
                **({} if isinstance(fact, MessagePosted) else {"target": fact.target}),
                **({} if isinstance(fact, MessageDeleted) else {"body": fact.body}),
                "time": rfc3339(fact.time),
                "trace": event.trace_id,
            }
        )
        self._touched.add(room)
        if not room.entry(fact.seq, frame):
            self._mending.fill_if_needed(room)

    def _rejected(self, _: Event, fact: MessageRejected) -> None:
        frame = framed(Rejected(room=fact.room, id=fact.id, code=fact.code, message=fact.message))
        for session in tuple(self._users.get(fact.user.id, ())):
            session.send(frame)

    def _presence_changed(self, _: Event, fact: PresenceChanged) -> None:
        room = self._rooms.get(fact.room)
        if room is None:
            return
        if room.people.take(fact):
            self._changed.add(room)
        else:
            self._mending.refresh_soon(room)

    def _renamed(self, _: Event, fact: UserRenamed) -> None:
        own = tuple(self._users.get(fact.user.id, ()))
        for session in own:
            session.renamed(fact.user.name, fact.asked)
        told: set[Receiver] = set(own)
        for name in fact.rooms:
            if room := self._rooms.get(name):
                told.update(room.members)
        self._flush()  # what came before it, first
        frame = framed(Renamed(user=fact.user, was=fact.was, asked=fact.asked))
        for receiver in told:
            receiver.send(frame)

    def _typing(self, _: Event, fact: UserTyping) -> None:
        if room := self._rooms.get(fact.room):
            self._touched.add(room)
            room.tell(framed(TypingFrame(room=fact.room, user=fact.user)), held=False)

    def _read(self, _: Event, fact: UserRead) -> None:
        if self._reading.heard(fact):
            self.tell_read(fact.user, fact.room, fact.seq)

    def tell_read(self, user: str, room: str, seq: int, *, but: UserSession | None = None) -> None:
        """Tell a user's sessions here, `but` the one that said so, how far they have read a room."""
        others = [s for s in self._users.get(user, ()) if s is not but]
        if others:
            frame = framed(ReadFrame(room=room, seq=seq))
            for session in others:
                session.send(frame)

    # ---------------------------------------------------------------- presence

    def _tell_in_turn(self, room: Room) -> None:
        """Tell who came and went: at once after a quiet time, else when the interval is over, all in one frame."""
        if room.telling is not None:
            return
        loop = asyncio.get_running_loop()
        wait = room.told + self._settings.presence_interval - loop.time()
        if wait <= 0:
            self._tell_people(room)
        else:
            room.telling = loop.call_later(wait, self._tell_late, room)

    def _tell_late(self, room: Room) -> None:
        room.telling = None
        self._tell_people(room)
        room.flush()

    def _tell_people(self, room: Room) -> None:
        people = room.people
        if not people.changed:
            return
        room.told = asyncio.get_running_loop().time()
        listed = self._settings.lists(people.count)
        if listed and not people.listed:
            self._mending.refresh_soon(room)  # the room was large: its clients have no list that could change
            return
        room.tell(framed(people.frame(room.name, listed=listed)))
        self._touched.add(room)

    # -------------------------------------------------------------------- life

    async def run(self) -> None:
        """Compare all rooms with chat and presence from time to time, and at once after each reset of the feed."""
        await self.feed.bind(EVENTS, UserRenamed.KEY)  # these belong to users, wherever they are
        await self.feed.bind(EPHEMERAL, UserRead.KEY)
        while True:
            try:
                async with asyncio.timeout(self._settings.reconcile_seconds):
                    await self._compare.wait()
            except TimeoutError:
                pass  # nothing happened: time for the regular comparison
            self._compare.clear()
            await self.feed.link.connection()
            await self._mending.compare()

    async def drain(self) -> None:
        """Nothing to finish."""

    # ----------------------------------------------------------------- helpers

    def _key(self, room: str) -> str:
        return room_key("room", room, self._settings.partitions)

    async def _unbind(self, key: str) -> None:
        if key not in self._in_partition:
            await self.feed.unbind(EVENTS, key)
            await self.feed.unbind(EPHEMERAL, key)
