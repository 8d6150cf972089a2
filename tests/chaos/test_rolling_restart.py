"""Three gateways behind HAProxy restarted one by one under 500 clients and 200 messages/s."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.support.stack import running_stack
from tests.support.talk import Talk

CONNECT_RATE = 100
"""Handshakes/s that a gateway takes from one address."""

BACK_SECONDS = 10


@pytest.mark.chaos
@pytest.mark.timeout(580)
async def test_a_rolling_restart_is_invisible_but_for_reconnects(tmp_path: Path) -> None:
    with running_stack(tmp_path, 3, "--balancer") as stack:
        door = stack.status()["balancer"]
        async with Talk([door], members=500, rooms=50, rate=200, changes=0.1) as talk:
            await talk.said(1000)
            restarted = await asyncio.to_thread(stack.run, "restart", "gateways", within=280)
            assert restarted.returncode == 0, restarted.stdout + restarted.stderr
            await talk.all_are_back(60)
            await talk.said(1000)
            await talk.finish(120)
            figures = f"{len(talk.absences)} reconnects, the longest {max(talk.absences):.1f} s"
            print(figures, talk.busiest_second(), "handshakes in the busiest second", talk.count, "acked")  # noqa: T201
            await talk.reckon(120)
            assert len(talk.absences) >= talk.members * 2 / 3
            assert talk.busiest_second() <= 2 * CONNECT_RATE, "while one restarts, two are there for all"
            assert max(talk.absences) < BACK_SECONDS
