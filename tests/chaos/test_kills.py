"""Kills in numbers: random processes at random moments, broker and store included, under steady load. Seeded."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Iterator

import pytest

from tests.support.stack import Stack, running_stack
from tests.support.talk import Talk
from tests.support.waiting import eventually

SERVICES = ("chat", "presence", "audit", "gateway-1", "gateway-2", "dlq-monitor")
NODES = ("broker", "store")
SEED = int(os.environ.get("WARREN_CHAOS_SEED", "20261123"))

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(580)]


@pytest.fixture(scope="module")
def fragile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack that may be hurt."""
    with running_stack(tmp_path_factory.mktemp("chaos")) as stack:
        yield stack


async def wound(stack: Stack, talk: Talk, rng: random.Random, victims: tuple[str, ...], times: int) -> list[str]:
    """Kill one of `victims` again and again, at random moments of a conversation that goes on."""
    killed = []
    for _ in range(times):
        await asyncio.sleep(rng.uniform(0, 2))  # the moment is what is random here
        victim = rng.choice(victims)
        await eventually(lambda: stack.runs(victim), 30, what=f"{victim} runs")  # noqa: B023 - awaited in this round
        stack.kill(victim)
        killed.append(victim)
        await talk.said(rng.randint(50, 400), within=90)
    return killed


@pytest.mark.parametrize("run", range(2))
async def test_services_killed_at_random(fragile: Stack, run: int) -> None:
    rng = random.Random(f"{SEED} services {run}")
    async with Talk(fragile.gateways) as talk:
        await wound(fragile, talk, rng, SERVICES, 12)
        await talk.finish(120)
        await talk.presence_is_right()
        await talk.reckon(120)
    await eventually(lambda: fragile.run("status", "--json").returncode == 0, 60, what="all is ready again")


@pytest.mark.parametrize("run", range(2))
async def test_broker_and_store_killed_at_random(fragile: Stack, run: int) -> None:
    rng = random.Random(f"{SEED} nodes {run}")
    async with Talk(fragile.gateways) as talk:
        await wound(fragile, talk, rng, (*NODES, *NODES, *SERVICES), 8)
        await talk.finish(120)
        await talk.presence_is_right()
        await talk.reckon(120)
    await eventually(lambda: fragile.run("status", "--json").returncode == 0, 60, what="all is ready again")
