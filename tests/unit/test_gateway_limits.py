"""Limits on what comes from outside."""

from __future__ import annotations

from gateway.limits import MAX_KEYS, Places, Rates


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_passes_then_the_rate_counts() -> None:
    clock = Clock()
    rates = Rates(rate=10, burst=3, clock=clock)
    assert [rates.take("ann") for _ in range(3)] == [0, 0, 0]
    wait = rates.take("ann")
    assert 0.09 < wait <= 0.1
    clock.now += wait
    assert rates.take("ann") == 0


def test_a_wait_is_never_told_as_none() -> None:
    clock = Clock()
    rates = Rates(rate=50, burst=1, clock=clock)
    assert rates.take("ann") == 0
    clock.now += 0.01999
    assert rates.take("ann") == 0.001


def test_one_user_does_not_use_up_anothers_tokens() -> None:
    rates = Rates(rate=1, burst=1, clock=Clock())
    assert rates.take("ann") == 0
    assert rates.take("ann") > 0
    assert rates.take("bob") == 0


def test_a_rate_of_zero_means_none() -> None:
    rates = Rates(rate=0, burst=1, clock=Clock())
    assert not any(rates.take("ann") for _ in range(1000))


def test_memory_is_bounded_however_many_addresses_come() -> None:
    rates = Rates(rate=1, burst=1, clock=Clock())
    for n in range(MAX_KEYS + 100):
        rates.take(n)
    assert len(rates._buckets) == MAX_KEYS


def test_places_are_given_back() -> None:
    places = Places(2)
    assert places.take("a")
    assert places.take("a")
    assert not places.take("a")
    assert places.take("b")
    places.give_back("a")
    assert places.take("a")


def test_a_ceiling_of_zero_means_none() -> None:
    places = Places(0)
    assert all(places.take("a") for _ in range(1000))
