"""Faults during a conversation, each sampled once: kills, cuts, a rolling restart; `make chaos` does it many times.

On the stack of all end-to-end tests: those that follow find it as if nothing had happened.
"""

from __future__ import annotations

import asyncio
import random

import pytest

from tests.support.cuts import Victim
from tests.support.stack import Stack
from tests.support.talk import Talk
from tests.support.waiting import eventually

VICTIMS = ("chat", "presence", "audit", "gateway-1", "store", "broker")


@pytest.mark.timeout(180)
@pytest.mark.parametrize("victim", VICTIMS)
async def test_a_kill_loses_nothing_doubles_nothing_and_presence_recovers(stack: Stack, victim: str) -> None:
    async with Talk(stack.gateways) as talk:
        await talk.said(300)
        pid = stack.kill(victim)
        await talk.said(400)
        await talk.presence_is_right()
        await talk.finish()
        await talk.reckon()
    await eventually(lambda: _is_whole(stack, victim, pid), 30, what=f"{victim} is back and all is ready")


def _is_whole(stack: Stack, victim: str, former: int) -> bool:
    return stack.run("status", "--json").returncode == 0 and stack.pid(victim) != former


@pytest.mark.timeout(120)
async def test_a_client_cut_off_again_and_again_has_exactly_the_rooms_entries(stack: Stack) -> None:
    async with Talk(stack.gateways, members=10, rooms=1, rate=40, changes=0.3) as talk:
        victim = Victim(stack, talk, random.Random(2))
        kinds = {"closed": 5, "frozen": 3, "frozen, then closed": 3, "gateway killed": 1}
        await victim.suffer(5, kinds)


@pytest.mark.timeout(120)
async def test_a_rolling_restart_loses_nothing_and_everyone_is_back(stack: Stack) -> None:
    async with Talk([stack.status()["balancer"]], members=30, rate=100, changes=0.1) as talk:
        restarted = await asyncio.to_thread(stack.run, "restart", "gateways")
        assert restarted.returncode == 0, restarted.stdout + restarted.stderr
        await talk.all_are_back(10)
        await talk.finish()
        assert len(talk.absences) >= talk.members / 2
        assert max(talk.absences) < 10
        await talk.reckon()
