"""Seals: few under load, the last one always, again after an outage."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from audit.chain import Head
from audit.sealing import Sealer
from warren.contracts.events import AuditSealed
from warren.envelope import Event
from warren.errors import DependencyDownError


def head(n: int) -> Head:
    return Head("c", n, f"{n:064x}", 10 * n, "2026-11-23T05:00:00.000Z")


class World:
    """Store, broker and clock of a sealer."""

    def __init__(self) -> None:
        self.stored: list[int] = []
        self.told: list[AuditSealed] = []
        self.down = False
        self.tick = asyncio.Event()
        self.sleeping = asyncio.Event()

    async def seal(self, head: Head) -> None:
        if self.down:
            raise DependencyDownError("store", "down")
        self.stored.append(head.n)

    async def publish(self, event: Event) -> None:
        assert isinstance(event.data, AuditSealed)
        self.told.append(event.data)

    async def sleep(self, _: float) -> None:
        self.sleeping.set()
        await self.tick.wait()
        self.tick.clear()

    async def next_interval(self) -> None:
        """Let the sealer finish its turn and begin the next."""
        await self.sleeping.wait()
        self.sleeping.clear()
        self.tick.set()


@asynccontextmanager
async def running() -> AsyncIterator[tuple[Sealer, World]]:
    world = World()
    sealer = Sealer(world, world, 1.0, world.sleep)
    task = asyncio.create_task(sealer.run())
    yield sealer, world
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_one_seal_covers_all_before_it() -> None:
    async with running() as (sealer, world):
        sealer.offer(head(1))
        await world.sleeping.wait()
        for n in (2, 3, 4):
            sealer.offer(head(n))
        await world.next_interval()
        await world.sleeping.wait()

        assert [s.n for s in world.told] == world.stored == [1, 4]
        assert (world.told[1].hash, world.told[1].count) == (head(4).hash, 40)


async def test_a_seal_that_failed_comes_later() -> None:
    async with running() as (sealer, world):
        world.down = True
        sealer.offer(head(1))
        await world.sleeping.wait()
        assert world.told == []
        world.down = False
        await world.next_interval()
        await world.sleeping.wait()

        assert [s.n for s in world.told] == [1]


async def test_drain_seals_what_waits_and_nothing_twice() -> None:
    async with running() as (sealer, world):
        sealer.offer(head(1))
        await world.sleeping.wait()
        await sealer.drain()
        assert [s.n for s in world.told] == [1]
        sealer.offer(head(2))
        await sealer.drain()
        assert [s.n for s in world.told] == [1, 2]
