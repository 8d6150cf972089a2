from __future__ import annotations

import random

from warren.stack.backoff import Backoff


def test_delays_double_up_to_the_cap() -> None:
    backoff = Backoff(chance=random.Random(1))
    delays = [backoff.after(alive=0.1) for _ in range(50)]
    for n, delay in enumerate(delays):
        full = min(5.0, 0.2 * 2**n)
        assert 0.75 * full <= delay <= full


def test_jitter_differs() -> None:
    delays = {Backoff(chance=random.Random(seed)).after(0) for seed in range(20)}
    assert len(delays) == 20


def test_a_calm_life_starts_over() -> None:
    backoff = Backoff()
    for _ in range(8):
        backoff.after(alive=1)
    assert backoff.after(alive=30) <= 0.2
    assert backoff.after(alive=1) <= 0.4
