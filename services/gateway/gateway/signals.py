"""What this gateway tells presence: sessions and rooms as they come and go, and beats that keep them alive.

Signals go out in rounds, each confirmed before the next: sessions opened, then rooms by partition, then who went away
or came back, then sessions closed. So no signal of a session overtakes another, and each kind is bundled. A round that
fails is not repeated: the whole table of sessions is sent instead, as at the start, after each reconnect, and from time
to time in any case. It is sent, too, when beats were late, be it that the gateway was frozen or its network: presence
may have taken it for dead, and hears it only by a whole table.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from gateway.settings import GatewaySettings
from warren.contracts import Contract, User, now
from warren.contracts.signals import (
    GatewayBeat,
    RoomJoined,
    RoomLeft,
    SessionClosed,
    SessionOpened,
    SessionRow,
    SessionState,
    SessionStatus,
    SessionTable,
)
from warren.envelope import Event, event
from warren.errors import DependencyDownError
from warren.ids import uuid7
from warren.messaging import Link, Publisher
from warren.topology import EVENTS, room_key

log = logging.getLogger(__name__)

ROUND_SECONDS = 0.1
"""Between two rounds, unless someone enters or leaves a room: those who only come and go are told of together."""

ROWS_PER_PART = 500
LATE_BEATS = 2.5
"""A beat that comes after so many intervals is late; a lease lasts four."""


class Signals:
    """Collects signals and publishes them in order; `table` gives all sessions of this moment."""

    def __init__(
        self,
        settings: GatewaySettings,
        link: Link,
        publisher: Publisher,
        table: Callable[[], Sequence[SessionRow]],
    ) -> None:
        self._settings = settings
        self._link = link
        self._publisher = publisher
        self._table = table
        self._opened: list[Event] = []
        self._rooms: list[Event] = []
        self._statuses: list[Event] = []
        self._closed: list[Event] = []
        self._wake = asyncio.Event()
        self._urgent = asyncio.Event()
        self._generation = 0
        self._table_due = 0.0
        self._beaten = 0.0
        self._began = (now(), time.monotonic())
        self._one_round = asyncio.Lock()

    def opened(self, session: str, user: User) -> None:
        """Tell that a session began."""
        signal = SessionOpened(gateway=self._gateway, session=session, user=user, time=self._now())
        self._add(self._opened, signal, "session.opened", urgent=False)

    def closed(self, session: str, user: User) -> None:
        """Tell that a session ended, and with it all its rooms."""
        signal = SessionClosed(gateway=self._gateway, session=session, user=user, time=self._now())
        self._add(self._closed, signal, "session.closed", urgent=False)

    def status(self, session: str, user: User, status: SessionState) -> None:
        """Tell that whoever holds a session went away or came back."""
        signal = SessionStatus(gateway=self._gateway, session=session, user=user, status=status, time=self._now())
        self._add(self._statuses, signal, "session.status")

    def joined(self, session: str, user: User, room: str, status: SessionState) -> None:
        """Tell that a session entered a room."""
        signal = RoomJoined(
            gateway=self._gateway, session=session, user=user, room=room, status=status, time=self._now()
        )
        self._add(self._rooms, signal, room_key("signal", room, self._settings.partitions))

    def left(self, session: str, user: User, room: str) -> None:
        """Tell that a session left a room."""
        signal = RoomLeft(gateway=self._gateway, session=session, user=user, room=room, time=self._now())
        self._add(self._rooms, signal, room_key("signal", room, self._settings.partitions))

    async def run(self) -> None:
        """Publish signals as they come and a beat every few seconds, until cancelled."""
        while True:
            await self._link.connection()
            try:
                if self._generation != self._link.generation or time.monotonic() > self._table_due:
                    await self._publish_table()
                else:
                    await self._publish(self._beat(None))
                self._note_beat()
                await self._rounds_until_next_beat()
            except DependencyDownError as e:
                self._generation = 0
                log.warning("signals failed, the whole table follows", extra={"fields": {"reason": str(e)}})
                await asyncio.sleep(self._settings.beat_seconds / 4)  # not at once: it may fail at once

    async def drain(self) -> None:
        """Publish what is left."""
        if self._generation == self._link.generation and self._link.connected:
            await self._round()

    def _now(self) -> datetime:
        """Return the time by a clock that never steps back: presence puts signals in order by it."""
        started, began = self._began
        return started + timedelta(seconds=time.monotonic() - began)

    @property
    def _gateway(self) -> str:
        return self._settings.incarnation

    def _add(self, to: list[Event], signal: Contract, key: str, *, urgent: bool = True) -> None:
        to.append(event(signal, EVENTS, key))
        self._wake.set()
        if urgent:
            self._urgent.set()

    async def _rounds_until_next_beat(self) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + self._settings.beat_seconds
        while True:
            try:
                async with asyncio.timeout_at(end):
                    await self._wake.wait()
            except TimeoutError:
                return
            await self._round()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ROUND_SECONDS):
                    await self._urgent.wait()

    async def _round(self) -> None:
        async with self._one_round:
            self._wake.clear()
            self._urgent.clear()
            phases = self._opened, self._rooms, self._statuses, self._closed
            self._opened, self._rooms, self._statuses, self._closed = [], [], [], []
            for phase in phases:
                await self._publisher.publish_all(phase)

    async def _publish_table(self) -> None:
        generation = self._link.generation
        rows = list(self._table())
        for pending in (self._opened, self._rooms, self._statuses, self._closed):
            pending.clear()  # the table has it all
        parts = max(1, -(-len(rows) // ROWS_PER_PART))
        name = uuid7()
        for part in range(parts):
            some = tuple(rows[part * ROWS_PER_PART : (part + 1) * ROWS_PER_PART])
            await self._publish(self._beat(SessionTable(id=name, part=part + 1, parts=parts, sessions=some)))
        self._generation = generation
        self._table_due = time.monotonic() + self._settings.table_seconds
        log.info("told presence of all sessions", extra={"fields": {"sessions": len(rows), "parts": parts}})

    def _note_beat(self) -> None:
        """Make the table due when this beat came so late that a lease may have run out."""
        before, self._beaten = self._beaten, time.monotonic()
        if self._beaten - before > LATE_BEATS * self._settings.beat_seconds:
            self._table_due = 0.0

    def _beat(self, table: SessionTable | None) -> GatewayBeat:
        return GatewayBeat(gateway=self._gateway, sessions=len(self._table()), time=now(), table=table)

    async def _publish(self, beat: GatewayBeat) -> None:
        await self._publisher.publish(event(beat, EVENTS, "gateway.beat"))
