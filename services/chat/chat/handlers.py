"""Commands in, entries and facts out: dedupe, give `seq`, store in one write, publish, and only then the ack."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from prometheus_client import Gauge

from chat.model import Command, Entry, Key, KnownError, Place, Plan, Refused, plan, rooms_of
from warren.contracts.commands import DeleteMessage, EditMessage, PostMessage
from warren.contracts.events import MessageRejected
from warren.envelope import TRACEPARENT, Event, event, trace_id_of
from warren.errors import DeposedError
from warren.observability.tracing import event_spans
from warren.topology import EVENTS, room_key

log = logging.getLogger(__name__)

MAX_CACHED_ROOMS = 10_000

ACTIVE = Gauge("warren_chat_partition_active", "1 while this process works the partition", ["partition"])


_COMMANDS = (PostMessage, EditMessage, DeleteMessage)


class Log(Protocol):
    """What a partition needs of the store (see `chat.committing.GroupCommit`)."""

    async def known(self, keys: Sequence[Key]) -> dict[Key, Entry]: ...
    async def heads(self, rooms: Sequence[str]) -> dict[str, int]: ...
    async def at(self, places: Iterable[Place]) -> dict[Place, Entry]: ...
    async def append(self, entries: Sequence[Entry]) -> None: ...
    async def amend(self, changes: Sequence[Entry]) -> None: ...


class Facts(Protocol):
    """Where facts go (see `warren.messaging.Publisher`)."""

    async def publish_all(self, events: Sequence[Event]) -> None: ...


class Partition:
    """The commands of one partition, in order. What it remembers holds only while it is the active consumer."""

    def __init__(self, number: int, partitions: int, entries: Log, facts: Facts) -> None:
        self.number = number
        self._partitions = partitions
        self._entries = entries
        self._facts = facts
        self._heads: dict[str, int] = {}
        self._times: dict[str, datetime] = {}
        self._active = False
        self.term = 0
        """Changes whenever what was remembered is forgotten."""
        ACTIVE.labels(number).set(0)

    def forget(self) -> None:
        """Forget all heads: on a new channel another process may have written meanwhile."""
        self._heads.clear()
        self._times.clear()
        self.term += 1

    def give_up(self) -> None:
        """Forget all heads, as from now on another process may write."""
        self.forget()
        self._turn(active=False)

    def head(self, room: str) -> int | None:
        """Return the head of a room if this process is the one that writes to it."""
        return self._heads.get(room)

    def newest(self, room: str) -> tuple[int, datetime] | None:
        """Return the head of a room and when it was written, if this process is the one that writes to it and knows."""
        return (self._heads[room], self._times[room]) if room in self._times else None

    def learn(self, newest: Entry, term: int) -> None:
        """Remember the newest entry of a room, as the store has it since this `term`."""
        if self._active and term == self.term and self._heads.setdefault(newest.room, newest.seq) == newest.seq:
            self._times[newest.room] = newest.time

    async def handle(self, events: Sequence[Event]) -> None:
        """Work a batch of commands."""
        self._turn(active=True)  # the broker delivers to the active consumer only
        commands = [Command(e.data, e.headers.get(TRACEPARENT, "")) for e in events if isinstance(e.data, _COMMANDS)]
        causes = {c.key: e for c, e in zip(commands, events, strict=True)}
        with event_spans("chat", events):
            try:
                planned = await self._store(commands)
            except DeposedError:
                # Perhaps only what a process that is gone had under way: the heads are read again. Should that
                # process live, order holds all the same, as both begin with the first command that is not acked.
                planned = await self._store(commands)
            if changes := [entry for _, entry in planned.told if entry.target]:
                await self._entries.amend(changes)
            told = [self._fact(causes[c.key], entry) for c, entry in planned.told]
            await self._facts.publish_all([*told, *[self._rejected(causes[r.command.key], r) for r in planned.refused]])

    def _turn(self, *, active: bool) -> None:
        if active != self._active:
            self._active = active
            ACTIVE.labels(self.number).set(active)
            words = "partition taken" if active else "partition given up"
            log.info(words, extra={"fields": {"partition": self.number}})

    async def _store(self, commands: Sequence[Command]) -> Plan:
        """Store what is new; the trick: ask which posts are known only when the store refuses one.

        Changes are few, and judged by what they find: one that is known must not be judged again.
        """
        changes = [c for c in commands if c.target]
        try:
            known = await self._entries.known([c.key for c in changes]) if changes else {}
            return await self._append(commands, known)
        except KnownError:
            known = await self._entries.known([c.key for c in commands])
            try:
                return await self._append(commands, known)
            except KnownError as e:
                raise DeposedError(str(e)) from e  # it was stored between the two: by someone else

    async def _append(self, commands: Sequence[Command], known: Mapping[Key, Entry]) -> Plan:
        await self._learn_heads(rooms_of(commands))
        wanted = {c.target for c in commands if c.target}
        planned = plan(commands, known, self._heads, await self._entries.at(wanted) if wanted else None)
        if planned.new:
            try:
                await self._entries.append(planned.new)
            except BaseException:
                self.forget()  # how much of it was stored is not known
                raise
            self._heads.update({e.room: e.seq for e in planned.new})
            self._times.update({e.room: e.time for e in planned.new})
            _say(planned.new)
        return planned

    async def _learn_heads(self, rooms: Sequence[str]) -> None:
        if len(self._heads) > MAX_CACHED_ROOMS:
            self.forget()
        missing = [r for r in rooms if r not in self._heads]
        if missing:
            self._heads.update(await self._entries.heads(missing))

    def _rejected(self, cause: Event, refused: Refused) -> Event:
        data, why = refused.command.data, refused.why
        fact = MessageRejected(room=data.room, id=data.id, user=data.user, code=why.code, message=why.meaning)
        return event(fact, EVENTS, room_key("room", data.room, self._partitions), cause=cause)

    def _fact(self, cause: Event, entry: Entry) -> Event:
        key = room_key("room", entry.room, self._partitions)
        return event(entry.fact(), EVENTS, key, cause=cause, traceparent=entry.traceparent or None)


def _say(entries: Sequence[Entry]) -> None:
    if not log.isEnabledFor(logging.INFO):
        return
    traces = [trace_id_of({TRACEPARENT: e.traceparent}) for e in entries]
    where = {e.room: e.seq for e in entries}
    log.info("entries stored", extra={"fields": {"count": len(entries), "heads": where, "traces": traces}})
