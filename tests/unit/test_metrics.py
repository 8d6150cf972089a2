"""How long events have waited, by the time in their ids."""

from __future__ import annotations

import time

import pytest

from warren.envelope import Event
from warren.observability.metrics import queued_seconds

MADE = 1_700_000_000.0


def of(event_id: str) -> Event:
    return Event(type="t", body=b"", routing_key="", id=event_id)


def made_at(moment: float) -> Event:
    digits = f"{int(moment * 1000):012x}"
    return of(f"{digits[:8]}-{digits[8:]}-7abc-8abc-0123456789ab")


def test_a_lone_event_has_waited_since_it_was_made() -> None:
    assert queued_seconds([made_at(MADE)], MADE + 2) == pytest.approx(2, abs=0.001)


def test_first_and_last_stand_for_all() -> None:
    batch = [made_at(MADE), of("mine"), of("mine"), made_at(MADE + 1)]
    assert queued_seconds(batch, MADE + 2) == pytest.approx(4 * 1.5, abs=0.01)


@pytest.mark.parametrize("event_id", ["", "mine", "z" * 36, "01234567-89ab-4abc-8abc-0123456789ab"])
def test_an_id_of_someone_elses_making_tells_nothing(event_id: str) -> None:
    assert queued_seconds([of(event_id)], MADE) == 0
    assert queued_seconds([made_at(MADE), of(event_id)], MADE + 1) == pytest.approx(2, abs=0.01)


def test_clocks_that_differ_do_not_count_backwards() -> None:
    assert queued_seconds([made_at(MADE)], MADE - 5) == 0
    assert queued_seconds([Event(type="t", body=b"", routing_key="")], time.time() - 60) == 0
