"""dlq-monitor, the broker and the store killed and restarted while letters are parked and replayed. Seeded."""

from __future__ import annotations

import asyncio
import logging
import os
from pathlib import Path

import pytest

from tests.support.letters import Ward
from warren.stack.broker import Broker
from warren.stack.process import Process
from warren.stack.store import Store

SEED = int(os.environ.get("WARREN_CHAOS_SEED", "20261123"))

log = logging.getLogger(__name__)

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(580)]


@pytest.mark.parametrize("run", range(5))
async def test_kills_of_dlq_monitor(tmp_path: Path, own_broker: Broker, own_store: Store, run: int) -> None:
    async with Ward.open(tmp_path, own_broker, own_store, f"{SEED} kills {run}") as ward:
        await ward.feed(500)
        async with ward.busy(rate=20):
            await ward.wounded(10, within=3)
        await ward.settle(200)
        await said(ward, "10 kills of dlq-monitor", 10)


@pytest.mark.parametrize("node", ["broker", "store"])
@pytest.mark.parametrize("kill", [True, False], ids=["killed", "restarted"])
async def test_nodes(tmp_path: Path, own_broker: Broker, own_store: Store, node: str, kill: bool) -> None:
    async with Ward.open(tmp_path, own_broker, own_store, f"{SEED} {node} {kill}") as ward:
        victim: Process = own_broker if node == "broker" else own_store
        await ward.feed(300)
        async with ward.busy(rate=20):
            for _ in range(5):
                await asyncio.sleep(ward.rng.uniform(0, 4))  # the moment is what is random here
                await ward.restarted(victim, kill=kill)
        await ward.settle(200)
        await said(ward, f"5 times the {node}", 5)


async def said(ward: Ward, what: str, faults: int) -> None:
    """Reckon, and say how many came twice."""
    doubled = await ward.reckon()
    assert doubled <= 200 * faults, "a fault makes no more than one wave come twice"
    log.warning("%s: of %d messages %d arrivals were more than needed", what, ward.fed, doubled)
