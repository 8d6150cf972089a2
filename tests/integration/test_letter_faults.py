"""Faults while letters are parked and replayed, one of each; in full counts in tests/chaos/test_letters.py."""

from __future__ import annotations

from pathlib import Path

from tests.support.letters import Ward
from warren.stack.broker import Broker
from warren.stack.store import Store


async def test_kills_while_parking_and_replaying_lose_nothing(
    tmp_path: Path, own_broker: Broker, own_store: Store
) -> None:
    async with Ward.open(tmp_path, own_broker, own_store, "a sample") as ward:
        await ward.feed(200)
        async with ward.busy(rate=30):
            await ward.wounded(1, within=1)
            await ward.restarted(own_store, kill=True)
            await ward.restarted(own_broker, kill=True)
        await ward.settle(60)
        assert await ward.reckon() <= 200 * 3, "a fault makes no more than one wave come twice"
