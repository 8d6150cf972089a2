"""Leases: silence counts only where a gateway could have been heard."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from presence.lease import LeaseKeeper, Leases
from warren.errors import DependencyDownError

LEASE = 8.0


@dataclass
class World:
    """Clock, broker, queue and the sessions that expire, as the keeper sees them."""

    now: float = 0
    term: object | None = "term"
    consuming: bool = True
    delivered: int = 0
    worked: int = 0
    waiting: int = 0
    confirms: bool = True
    leases: Leases = field(default_factory=lambda: Leases(LEASE))
    dead: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.keeper = LeaseKeeper(self, self, self.probe, lease=LEASE, clock=lambda: self.now)

    def renew_all(self) -> None:
        if self.term is not None:
            self.leases.renew_all(self.now)

    async def expire(self, at: float) -> None:
        self.dead += self.leases.take_expired(at)

    async def backlog(self) -> int:
        return self.waiting

    async def probe(self) -> None:
        if not self.confirms:
            raise DependencyDownError("broker", "alarm")

    def beat(self, *gateways: str) -> None:
        self.delivered += 1
        self.worked += 1
        for gateway in gateways:
            self.leases.renew(gateway, self.now)

    async def seconds(self, count: int, *beating: str) -> None:
        for _ in range(count):
            self.now += 1
            if beating:
                self.beat(*beating)
            await self.keeper.tick()


@pytest.fixture
def world() -> World:
    world = World()
    world.beat("silent", "alive")
    return world


async def test_the_silent_one_is_dead_after_its_lease_and_not_before(world: World) -> None:
    await world.seconds(8, "alive")
    assert world.dead == []
    await world.seconds(1, "alive")
    assert world.dead == ["silent"]
    await world.seconds(30, "alive")
    assert world.dead == ["silent"]


async def test_an_outage_expires_nobody_and_gives_all_a_whole_lease(world: World) -> None:
    await world.seconds(7)
    world.consuming = False
    await world.seconds(60)
    world.consuming = True
    await world.seconds(8)
    assert world.dead == []
    await world.seconds(2)
    assert sorted(world.dead) == ["alive", "silent"]


async def test_publishers_that_are_blocked_expire_nobody(world: World) -> None:
    world.confirms = False
    await world.seconds(60)
    world.confirms = True
    await world.seconds(8)
    assert world.dead == []


async def test_what_waits_at_the_broker_may_be_a_beat(world: World) -> None:
    world.waiting = 1
    await world.seconds(60)
    assert world.dead == []
    world.waiting = 0
    world.beat("alive")
    await world.seconds(2, "alive")
    assert world.dead == ["silent"]


async def test_what_was_delivered_must_be_worked_first(world: World) -> None:
    world.delivered += 2  # two beats, and a store that does not get on
    await world.seconds(60)
    assert world.dead == []
    world.worked += 2
    for gateway in ("silent", "alive"):
        world.leases.renew(gateway, world.now)
    await world.seconds(2, "alive")
    assert world.dead == []


async def test_a_steady_stream_does_not_hold_judgement_up(world: World) -> None:
    """There is always something in work, but what had come by the last look is worked."""
    world.delivered += 5
    for _ in range(10):
        world.now += 1
        world.delivered += 5
        world.worked += 5
        world.leases.renew("alive", world.now)
        await world.keeper.tick()
    assert world.dead == ["silent"]


async def test_a_process_that_slept_judges_nobody_by_its_sleep(world: World) -> None:
    await world.seconds(3, "alive", "silent")
    world.now += 3600
    await world.keeper.tick()  # the beats that came meanwhile are not read yet, but counted as delivered with the look
    world.beat("alive", "silent")
    await world.seconds(5, "alive", "silent")
    assert world.dead == []


async def test_a_process_that_is_not_active_judges_nobody(world: World) -> None:
    await world.seconds(6)
    world.term = None
    await world.seconds(60)
    world.term, world.leases = "next term", Leases(LEASE)
    world.beat("silent")
    await world.seconds(8)
    assert world.dead == []
    await world.seconds(1)
    assert world.dead == ["silent"]


async def test_a_look_of_a_former_term_counts_for_nothing(world: World) -> None:
    await world.seconds(20, "alive", "silent")
    world.term, world.leases = "next term", Leases(LEASE)
    world.leases.renew("silent", world.now - LEASE - 1)
    await world.keeper.tick()
    assert world.dead == []


async def test_nobody_is_judged_any_more_once_it_drains(world: World) -> None:
    await world.seconds(8, "alive")
    await world.keeper.drain()
    await world.keeper.tick()
    assert world.dead == []
