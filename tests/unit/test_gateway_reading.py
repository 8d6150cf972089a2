"""Positions go out coalesced, come back never, and are few in memory."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from gateway import reading
from gateway.reading import Reading
from gateway.settings import GatewaySettings
from warren.contracts.events import UserRead
from warren.envelope import Event
from warren.errors import PublishError


class Broker:
    """Takes what is published, unless it is `away`."""

    def __init__(self) -> None:
        self.away = False
        self.told: list[tuple[str, str, int]] = []

    async def publish_all(self, events: Sequence[Event]) -> None:
        if self.away:
            raise PublishError("broker", "away")
        for event in events:
            assert isinstance(event.data, UserRead)
            self.told.append((event.data.user, event.data.room, event.data.seq))


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
def positions(broker: Broker) -> Reading:
    return Reading(GatewaySettings(jwt_secret="x" * 32), broker)  # type: ignore[arg-type]  # all of it that is used


async def test_many_moves_are_one_event_and_none_goes_back(positions: Reading, broker: Broker) -> None:
    assert [positions.moved("ann", "r", seq) for seq in (1, 5, 3, 5)] == [True, True, False, False]
    positions.moved("ann", "s", 2)
    await positions.drain()
    await positions.drain()
    assert broker.told == [("ann", "r", 5), ("ann", "s", 2)]


async def test_what_the_broker_did_not_take_goes_out_later_but_no_lower(positions: Reading, broker: Broker) -> None:
    broker.away = True
    positions.moved("ann", "r", 5)
    positions.moved("bob", "r", 1)
    await positions.drain()
    positions.moved("bob", "r", 2)
    broker.away = False
    await positions.drain()
    assert sorted(broker.told) == [("ann", "r", 5), ("bob", "r", 2)]


def test_what_other_gateways_tell_is_news_once(positions: Reading) -> None:
    assert positions.heard(UserRead(gateway="other", user="ann", room="r", seq=5))
    assert not positions.heard(UserRead(gateway="other", user="ann", room="r", seq=4))
    assert positions.known("ann", "r") == 5
    assert not positions.moved("ann", "r", 5)


def test_memory_is_bounded(positions: Reading, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_KNOWN", 3)
    for number in range(5):
        positions.moved("ann", f"r{number}", 1)
    assert [positions.known("ann", f"r{number}") for number in range(5)] == [0, 0, 1, 1, 1]
