"""Faults while letters are parked and replayed, a few of each; in full counts in tests/chaos/test_letters.py."""

from __future__ import annotations

from pathlib import Path

from tests.support.letters import Ward
from warren.stack.broker import Broker
from warren.stack.store import Store


async def test_kills_of_dlq_monitor_lose_nothing(tmp_path: Path, own_broker: Broker, own_store: Store) -> None:
    async with Ward.open(tmp_path, own_broker, own_store, "sample of kills") as ward:
        await ward.feed(300)
        async with ward.busy(rate=50):
            await ward.wounded(3, within=1.5)
        await ward.settle(25)
        print("twice:", await ward.reckon(), "of", ward.fed)
