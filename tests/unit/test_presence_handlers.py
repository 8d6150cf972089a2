"""Presence's handler: apply, store, tell, in this order, and what a failure between any two of them leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import pytest

from presence.handlers import Presence
from presence.records import Rename, Seen, Stored, StoredSession, Write
from tests.support.presence import at, beat, closed, joined, left, rename, row, table, turned
from warren.contracts import Contract, now
from warren.contracts.events import PresenceChanged, UserRenamed
from warren.envelope import TRACEPARENT, Event, event
from warren.errors import DependencyDownError, DeposedError
from warren.topology import EVENTS, room_key

LEASE = 8.0
TRACE = "00-" + "a" * 32 + "-" + "b" * 16 + "-00"


@dataclass
class MemoryStore:
    """The store's behaviour in memory; `down` makes writes fail before they do anything."""

    sessions: dict[str, StoredSession] = field(default_factory=dict)
    rooms: dict[str, int] = field(default_factory=dict)
    users: dict[str, Rename] = field(default_factory=dict)
    seen: dict[str, Seen] = field(default_factory=dict)
    dead: set[str] = field(default_factory=set)
    number: int = 0
    loads: int = 0
    commits: int = 0
    down: bool = False
    gate: asyncio.Event | None = None

    async def load(self) -> Stored:
        self.number += 1
        self.loads += 1
        return Stored(self.number, list(self.sessions.values()), sorted(self.dead))

    async def commit(self, write: Write) -> None:
        if self.gate is not None:
            await self.gate.wait()
        if self.down:
            raise DependencyDownError("store", "down")
        if write.number != self.number + 1:
            raise DeposedError("another one")
        self.number = write.number
        self.commits += 1
        self.sessions = {i: s for i, s in self.sessions.items() if s.gateway not in write.died}
        self.sessions.update({s.id: s for s in [*write.new, *write.changed]})
        for gone in write.removed:
            del self.sessions[gone]
        self.rooms.update(write.revs)
        self.users.update(write.renames)
        self.seen.update(write.seen)
        self.dead = (self.dead | set(write.died)) - set(write.revived)

    async def renames(self, users: Iterable[str]) -> dict[str, Rename | None]:
        return {u: self.users.get(u) for u in users}

    async def revs(self, rooms: Iterable[str]) -> dict[str, int]:
        return {r: self.rooms.get(r, 0) for r in rooms}


@dataclass
class Published:
    """Where facts go."""

    events: list[Event] = field(default_factory=list)
    down: bool = False

    async def publish_all(self, events: Sequence[Event]) -> None:
        if self.down:
            raise DependencyDownError("broker", "down")
        self.events += events

    def take(self) -> list[Contract]:
        taken, self.events = self.events, []
        return [e.data for e in taken if e.data is not None]


class Rig:
    """A service on a store that lives longer than it."""

    def __init__(self) -> None:
        self.store, self.facts, self.now = MemoryStore(), Published(), 0.0
        self.unique_names = False
        self.presence = self.restart()

    def restart(self) -> Presence:
        self.presence = Presence(
            self.store,
            self.facts,
            partitions=4,
            lease=LEASE,
            unique_names=self.unique_names,
            clock=lambda: self.now,
        )
        return self.presence

    async def send(self, *signals: Contract) -> list[Contract]:
        await self.presence.handle(wrap(*signals))
        return self.facts.take()

    def members(self, room: str) -> tuple[set[str], int, int]:
        assert self.presence.term is not None
        members, count = self.presence.term.members(room, 1000)
        return {m.id for m in members or ()}, count, self.presence.term.revs.get(room, 0)


def wrap(*signals: Contract) -> list[Event]:
    return [event(s, EVENTS, "signal", traceparent=TRACE) for s in signals]


@pytest.fixture
def rig() -> Rig:
    return Rig()


async def test_one_fact_per_room_and_batch_with_the_next_rev(rig: Rig) -> None:
    facts = await rig.send(
        joined("s1", "ann", "general", 1), joined("s2", "bob", "general", 2), joined("s1", "ann", "random", 3)
    )
    assert [type(f) for f in facts] == [PresenceChanged, PresenceChanged]
    general = next(f for f in facts if isinstance(f, PresenceChanged) and f.room == "general")
    assert (general.rev, general.count, [m.id for m in general.joined]) == (1, 2, ["ann", "bob"])
    [fact] = await rig.send(left("s1", "ann", "general", 4))
    assert isinstance(fact, PresenceChanged)
    assert (fact.rev, fact.count, [m.id for m in fact.left]) == (2, 1, ["ann"])


async def test_facts_go_to_the_rooms_partition_in_the_signals_trace(rig: Rig) -> None:
    await rig.presence.handle(wrap(joined("s1", "ann", "general", 1)))
    [fact] = rig.facts.events
    assert (fact.exchange, fact.routing_key) == (EVENTS, room_key("room", "general", 4))
    assert fact.headers[TRACEPARENT] == TRACE


async def test_duplicates_and_plain_beats_write_and_tell_nothing(rig: Rig) -> None:
    signals = [joined("s1", "ann", "general", 1), beat("g1", 2)]
    await rig.send(*signals)
    commits = rig.store.commits
    assert await rig.send(*signals, beat("g2", 3)) == []
    assert rig.store.commits == commits


async def test_nothing_is_told_that_is_not_stored(rig: Rig) -> None:
    rig.store.down = True
    with pytest.raises(DependencyDownError):
        await rig.send(joined("s1", "ann", "general", 1))
    assert rig.facts.events == []
    rig.store.down = False
    [fact] = await rig.send(joined("s1", "ann", "general", 1))
    assert isinstance(fact, PresenceChanged)
    assert fact.rev == 1
    assert rig.members("general") == ({"ann"}, 1, 1)


async def test_a_fact_that_could_not_be_told_shows_as_a_rev(rig: Rig) -> None:
    rig.facts.down = True
    with pytest.raises(DependencyDownError):
        await rig.send(joined("s1", "ann", "general", 1))
    rig.facts.down = False
    assert await rig.send(joined("s1", "ann", "general", 1)) == []
    assert rig.store.rooms == {"general": 1}
    assert rig.members("general")[0] == {"ann"}


async def test_a_rename_that_could_not_be_told_is_told_when_it_comes_again(rig: Rig) -> None:
    await rig.send(joined("s1", "ann", "general", 1))
    signal = wrap(rename("ann", "ann", "Queen", 2))
    rig.facts.down = True
    with pytest.raises(DependencyDownError):
        await rig.presence.handle(signal)
    rig.facts.down = False
    rig.restart()
    await rig.presence.handle(signal)
    [fact] = rig.facts.take()
    assert isinstance(fact, UserRenamed)
    assert (fact.user.name, fact.was, fact.rooms) == ("Queen", "ann", ("general",))
    assert rig.store.rooms == {"general": 2}


async def test_a_rename_is_told_to_all_and_to_each_room(rig: Rig) -> None:
    await rig.send(joined("s1", "ann", "general", 1))
    facts = await rig.send(rename("ann", "ann", "Queen", 2))
    changed = next(f for f in facts if isinstance(f, PresenceChanged))
    assert (changed.rev, [m.name for m in changed.changed], changed.count) == (2, ["Queen"], 1)
    assert [f.user.name for f in facts if isinstance(f, UserRenamed)] == ["Queen"]
    assert await rig.send(rename("ann", "Queen", "Queen", 3)) == []
    await rig.send(closed("s1", "ann", 4))
    [back] = await rig.send(joined("s2", "ann", "general", 5, name="ann"))
    assert isinstance(back, PresenceChanged)
    assert back.joined[0].name == "Queen"


async def test_readers_see_a_batch_only_when_it_is_stored(rig: Rig) -> None:
    await rig.send(joined("s1", "ann", "general", 1))
    rig.store.gate = asyncio.Event()
    work = asyncio.create_task(
        rig.presence.handle(wrap(left("s1", "ann", "general", 2), joined("s2", "bob", "general", 3)))
    )
    await asyncio.sleep(0)
    assert rig.members("general") == ({"ann"}, 1, 1)
    rig.store.gate.set()
    await work
    assert rig.members("general") == ({"bob"}, 1, 2)


async def test_who_was_deposed_forgets_all(rig: Rig) -> None:
    await rig.send(joined("s1", "ann", "general", 1))
    await rig.store.load()  # another process takes over
    with pytest.raises(DeposedError):
        await rig.send(joined("s2", "bob", "general", 2))
    assert rig.presence.term is None
    await rig.send(joined("s2", "bob", "general", 2))
    assert rig.members("general") == ({"ann", "bob"}, 2, 2)


async def test_a_table_in_parts_over_several_batches_brings_back_the_dead(rig: Rig) -> None:
    await rig.send(joined("s1", "ann", "general", 1), beat("g1", 2))
    rig.now = LEASE
    await rig.presence.expire(rig.now)
    [gone] = rig.facts.take()
    assert isinstance(gone, PresenceChanged)
    assert [m.id for m in gone.left] == ["ann"]
    assert rig.store.dead == {"g1"}
    rig.restart()
    assert await rig.send(joined("s1", "ann", "general", 3), beat("g1", 4)) == [], "late signals of the dead"
    first, second = table("g1", 5, [row("s1", "ann", "general"), row("s2", "bob", "general")], parts=2)
    assert await rig.send(first) == []
    rig.presence.forget()
    [back] = await rig.send(second)
    assert isinstance(back, PresenceChanged)
    assert {m.id for m in back.joined} == {"ann", "bob"}
    assert rig.store.dead == set()
    assert await rig.send(left("s1", "ann", "general", 6)) != []


async def test_a_dead_gateway_has_no_lease_to_lose_again(rig: Rig) -> None:
    await rig.send(joined("s1", "ann", "general", 1))
    rig.now = LEASE
    await rig.presence.expire(rig.now)
    commits = rig.store.commits
    await rig.send(beat("g1", 2))
    rig.now = 3 * LEASE
    await rig.presence.expire(rig.now)
    assert rig.store.commits == commits


async def test_after_a_restart_all_have_a_whole_lease(rig: Rig) -> None:
    await rig.send(joined("s1", "ann", "general", 1))
    rig.now = 100
    rig.restart()
    await rig.send(beat("g2", 2))
    await rig.presence.expire(rig.now + LEASE - 0.1)
    assert rig.members("general")[0] == {"ann"}
    await rig.presence.expire(rig.now + LEASE)
    assert rig.members("general")[0] == set()


async def test_who_has_lost_the_queue_expires_nobody_and_takes_nothing_over(rig: Rig) -> None:
    await rig.send(joined("s1", "ann", "general", 1))
    rig.store.gate, rig.store.down, rig.now = asyncio.Event(), True, LEASE
    work = asyncio.create_task(rig.presence.handle(wrap(joined("s2", "bob", "general", 2))))
    await asyncio.sleep(0)
    expiry = asyncio.create_task(rig.presence.expire(rig.now))
    await asyncio.sleep(0)
    rig.store.gate.set()
    with pytest.raises(DependencyDownError):
        await work
    await expiry
    assert rig.store.loads == 1
    assert set(rig.store.sessions) == {"s1"}


async def test_away_when_all_devices_are_and_seen_says_since_when(rig: Rig) -> None:
    await rig.send(joined("s1", "ann", "general", 1), joined("s2", "ann", "random", 2, gateway="g2"))
    assert await rig.send(turned("s1", "ann", "away", 3)) == [], "the other device is online"
    facts = await rig.send(turned("s2", "ann", "away", 5, gateway="g2"))
    told = {f.room: f.changed for f in facts if isinstance(f, PresenceChanged)}
    assert {r: [(m.status, m.seen) for m in changed] for r, changed in told.items()} == {
        "general": [("away", at(5))],
        "random": [("away", at(5))],
    }
    rig.restart()
    [fact] = await rig.send(joined("s3", "bob", "general", 6))
    assert [m.id for m in fact.joined] == ["bob"] if isinstance(fact, PresenceChanged) else False
    facts = await rig.send(turned("s1", "ann", "online", 7), turned("s1", "ann", "away", 4))
    assert {m.status for f in facts if isinstance(f, PresenceChanged) for m in f.changed} == {"online"}
    facts = await rig.send(closed("s1", "ann", 8))
    assert [(m.id, m.status, m.seen) for f in facts if isinstance(f, PresenceChanged) for m in f.left] == [
        ("ann", "away", at(8))
    ], "a device that is away is left"
    facts = await rig.send(closed("s2", "ann", 9, gateway="g2"))
    assert [(m.status, m.seen) for f in facts if isinstance(f, PresenceChanged) for m in f.left] == [("offline", at(8))]
    assert rig.store.seen == {"ann": Seen("ann", at(8))}


async def test_who_comes_with_a_session_that_is_away_is_away(rig: Rig) -> None:
    [fact] = await rig.send(joined("s1", "ann", "general", 1).model_copy(update={"status": "away"}))
    assert isinstance(fact, PresenceChanged)
    assert [(m.status, m.seen) for m in fact.joined] == [("away", at(1))]


async def test_a_dead_gateways_users_were_last_seen_when_it_was_heard(rig: Rig) -> None:
    await rig.send(joined("s1", "ann", "general", 1), beat("g1", 2))
    rig.now += 10 * LEASE
    before = now()
    await rig.presence.expire(rig.now)
    [fact] = rig.facts.take()
    assert isinstance(fact, PresenceChanged)
    [member] = fact.left
    assert member.seen is not None
    assert abs((before - member.seen).total_seconds() - 10 * LEASE) < 5


def renames(facts: Sequence[Contract]) -> list[tuple[str, str, str, str | None]]:
    return [(f.user.id, f.was, f.user.name, f.asked) for f in facts if isinstance(f, UserRenamed)]


async def test_the_second_ann_in_a_room_gets_a_number_where_names_are_unique(rig: Rig) -> None:
    rig.unique_names = True
    rig.restart()
    first = joined("s1", "u1", "general", 1, name="Ann")
    second = joined("s2", "u2", "general", 2, name="ann")
    third = joined("s3", "u3", "random", 3, name="Ann")
    assert renames(await rig.send(first, second, third)) == [("u2", "ann", "ann (2)", None)]
    sent = wrap(joined("s3", "u3", "general", 4, name="Ann"))
    await rig.presence.handle(sent)
    assert renames(rig.facts.take()) == [("u3", "Ann", "Ann (3)", None)]
    await rig.presence.handle(sent)
    assert renames(rig.facts.take()) == [("u3", "Ann", "Ann (3)", None)], "come again, it is told again"
    rig.restart()
    assert renames(await rig.send(rename("u3", "Ann (3)", "Ann", 5))) == [("u3", "Ann (3)", "Ann (3)", "Ann")]
    await rig.send(closed("s1", "u1", 6))
    assert renames(await rig.send(rename("u3", "Ann (3)", "Ann", 7))) == [("u3", "Ann (3)", "Ann", None)]
    rows = [row("s4", "u4", "general"), row("s5", "Ann", "general")]
    assert renames(await rig.send(*table("g2", 8, rows))) == [("Ann", "Ann", "Ann (3)", None)]
