"""Gathering: lone events pass, a steady trickle comes together, what cannot gather does not wait."""

from __future__ import annotations

from audit.pace import LARGE, Pace
from audit.recent import Recent


class Clock:
    """A clock that moves only when someone sleeps or a test says so."""

    def __init__(self) -> None:
        self.time = 100.0
        self.slept = 0.0

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += seconds
        self.slept += seconds


def paced(interval: float = 0.1) -> tuple[Pace, Clock]:
    clock = Clock()
    return Pace(interval, clock.now, clock.sleep), clock


async def test_lone_events_never_wait() -> None:
    pace, clock = paced()
    for _ in range(10):
        await pace.wait(1)
    assert clock.slept == 0


async def test_small_batches_in_quick_succession_wait_for_their_turn() -> None:
    pace, clock = paced()
    for events in (2, 5, 20, 20):
        await pace.wait(events)
        clock.time += 0.01
    assert 0.26 < clock.slept < 0.28


async def test_a_large_batch_goes_at_once() -> None:
    pace, clock = paced()
    await pace.wait(5)
    await pace.wait(LARGE)
    assert clock.slept == 0


async def test_after_a_pause_nothing_waits() -> None:
    pace, clock = paced()
    await pace.wait(5)
    clock.time += 60
    await pace.wait(1)
    assert clock.slept == 0


async def test_what_comes_one_by_one_waits_once_and_no_more() -> None:
    pace, clock = paced()
    await pace.wait(5)
    for _ in range(100):
        await pace.wait(1)
    assert 0 < clock.slept <= 0.1 + 1e-9


def test_recent_forgets_the_oldest_only() -> None:
    recent = Recent(10)
    for number in range(35):
        recent.add(str(number))
    assert all(str(n) in recent for n in range(25, 35))
    assert "5" not in recent
