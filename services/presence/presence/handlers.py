"""Signals in, `presence.changed` and `user.renamed` out: apply a batch, store what it changed, tell it, then the ack.

What is known in memory (a term) is loaded at the first delivery on each channel, for another process may have been
active before, and dropped at any failure: then the store may hold more than memory, and the broker delivers again.
What was stored before the failure makes no difference the second time, so its facts are not sent again. They are
not missed: its revs are stored, and gateways compare revs every few seconds and after each reconnect and fetch the
members of a room whose rev they do not have. A rename, which has no rev, is told again when its signal comes again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from time import monotonic
from typing import Protocol

from presence.changes import Changes, Diff
from presence.lease import Clock, Leases
from presence.metrics import GATEWAYS, ROOMS, SESSIONS
from presence.records import Rename, Stored, Write
from presence.tables import Table, Tables
from presence.term import Term
from warren.contracts import now
from warren.contracts.events import PresenceChanged, UserRenamed
from warren.contracts.signals import (
    GatewayBeat,
    RenameUser,
    RoomJoined,
    RoomLeft,
    SessionClosed,
    SessionSignal,
    SessionStatus,
)
from warren.envelope import Event, event
from warren.observability.tracing import event_spans
from warren.topology import EVENTS, room_key

log = logging.getLogger(__name__)


class Store(Protocol):
    """What presence needs of the store (see `presence.repository.Repository`)."""

    async def load(self) -> Stored: ...
    async def commit(self, write: Write) -> None: ...
    async def renames(self, users: Iterable[str]) -> dict[str, Rename | None]: ...
    async def revs(self, rooms: Iterable[str]) -> dict[str, int]: ...


class Facts(Protocol):
    """Where facts go (see `warren.messaging.Publisher`)."""

    async def publish_all(self, events: Sequence[Event]) -> None: ...


class Presence:
    """All signals, in order. `term` is what is known in memory, None while another process may be the active one."""

    def __init__(
        self,
        store: Store,
        facts: Facts,
        *,
        partitions: int,
        lease: float,
        unique_names: bool = False,
        clock: Clock = monotonic,
    ) -> None:
        self.term: Term | None = None
        self._store = store
        self._facts = facts
        self._partitions = partitions
        self._lease = lease
        self._unique_names = unique_names
        self._clock = clock
        self._tables = Tables()
        self._lock = asyncio.Lock()

    def forget(self) -> None:
        """Drop what is in memory: on a new channel another process may have been active."""
        self.term = None

    def renew_all(self) -> None:
        """Give every gateway a whole lease."""
        if self.term is not None:
            self.term.leases.renew_all(self._clock())

    async def handle(self, events: Sequence[Event]) -> None:
        """Work a batch of signals."""
        with event_spans("presence", events):
            tables = [self._tables.add(e.data) if isinstance(e.data, GatewayBeat) else None for e in events]
            whole = [table for table in tables if table is not None]
            async with self._lock:
                with self._forgetting():
                    term = self.term = self.term or await self._take_over()
                    await self._learn_names(term, events, whole)
                    with term.changing() as changes:
                        facts = [self._apply(term, e, t, changes) for e, t in zip(events, tables, strict=True)]
                        await self._finish(term, changes, [fact for some in facts for fact in some])
            for table in whole:
                self._tables.done(table.gateway)

    async def expire(self, at: float) -> None:
        """End the sessions of gateways whose lease had run out at that time of the clock."""
        async with self._lock:
            term = self.term
            if term is None:  # whoever is active now has leases of its own
                return
            with self._forgetting(), term.changing() as changes:
                for gateway, heard in term.leases.take_expired(at).items():
                    silent = timedelta(seconds=self._clock() - heard)
                    sessions = term.state.expire(gateway, now() - silent, changes)
                    self._tables.done(gateway)
                    log.warning("a gateway is dead", extra={"fields": {"gateway": gateway, "sessions": sessions}})
                await self._finish(term, changes, [])

    @contextmanager
    def _forgetting(self) -> Iterator[None]:
        """After a failure memory and store may differ: drop what is in memory."""
        try:
            yield
        except BaseException:
            self.term = None
            raise

    async def _take_over(self) -> Term:
        stored = await self._store.load()
        term = Term(stored, Leases(self._lease), self._clock(), unique_names=self._unique_names)
        log.info("active", extra={"fields": {"sessions": len(stored.sessions), "gateways": len(term.leases)}})
        return term

    async def _learn_names(self, term: Term, events: Sequence[Event], tables: Iterable[Table]) -> None:
        state = term.state
        state.trim()
        wanted = {e.data.user.id for e in events if isinstance(e.data, RenameUser)}
        wanted |= {
            e.data.user.id for e in events if isinstance(e.data, RoomJoined) and e.data.session not in state.sessions
        }
        wanted |= {row.user.id for t in tables for row in t.rows if row.session not in state.sessions}
        wanted -= state.names.keys()
        if wanted:
            state.names.update(await self._store.renames(wanted))

    def _apply(self, term: Term, signal: Event, table: Table | None, changes: Changes) -> list[Event]:
        """Apply one signal; returns the facts that it causes besides those of rooms."""
        state, data, changes.cause = term.state, signal.data, signal
        facts: list[UserRenamed | None] = []
        match data:
            case RoomJoined():
                state.joined(data, changes)
                facts.append(state.distinguish(data.user.id, signal.id, changes))
            case RoomLeft():
                state.left(data, changes)
            case SessionStatus():
                state.status(data, changes)
            case SessionClosed():
                state.closed(data, changes)
            case RenameUser():
                fact = state.rename(data.user, data.name, signal.id, changes)
                if fact is not None and fact.was != fact.user.name:
                    # whoever joins, renames and leaves at once was seen by these all the same
                    fact = fact.model_copy(update={"rooms": tuple(dict.fromkeys((*fact.rooms, *data.rooms)))})
                facts.append(fact)
        if table is not None:
            state.table(table, changes)
            facts += [state.distinguish(row.user.id, signal.id, changes) for row in table.rows]
        if isinstance(data, SessionSignal | GatewayBeat):
            term.heard(data.gateway, self._clock())
        return [event(fact, EVENTS, "user.renamed", cause=signal) for fact in facts if fact is not None]

    async def _finish(self, term: Term, changes: Changes, facts: list[Event]) -> None:
        """Store and tell what has changed; `facts` are told beside it."""
        diffs = term.state.diffs(changes)
        if missing := [d.room for d in diffs if d.room not in term.revs]:
            term.learn_revs(await self._store.revs(missing))
        if write := term.write(diffs, changes):
            await self._store.commit(write)
            term.committed(write)
        SESSIONS.set(len(term.state.sessions))
        ROOMS.set(term.state.room_count)
        GATEWAYS.set(len(term.leases))
        told = [self._fact(term, d, changes.causes.get(d.room)) for d in diffs]
        _say([*told, *facts])
        await self._facts.publish_all([*told, *facts])

    def _fact(self, term: Term, changed: Diff, cause: Event | None) -> Event:
        key = room_key("room", changed.room, self._partitions)
        return event(changed.fact(term.revs[changed.room]), EVENTS, key, cause=cause)


def _say(facts: Sequence[Event]) -> None:
    """Log what is told, with the traces of the signals that caused it."""
    if not facts or not log.isEnabledFor(logging.INFO):
        return
    rooms = {e.data.room: e.data.rev for e in facts if isinstance(e.data, PresenceChanged)}
    renamed = [e.data.user.id for e in facts if isinstance(e.data, UserRenamed)]
    traces = [e.trace_id for e in facts if e.trace_id]
    log.info("presence changed", extra={"fields": {"revs": rooms, "renamed": renamed, "traces": traces}})
