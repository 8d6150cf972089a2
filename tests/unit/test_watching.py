"""From samples over time to figures and to what is wrong."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import pytest

from dlq_monitor.watching import findings
from dlq_monitor.watching.figures import figures
from dlq_monitor.watching.findings import Limits
from dlq_monitor.watching.losses import DELAY, Losses
from dlq_monitor.watching.routes import RECENT_POINTS, recent
from dlq_monitor.watching.samples import COARSE, FINE, Alarm, Flow, History, Look, Node, Sample, Traits

LIMITS = Limits(backlog=100, limit=10_000, window=30, stuck=60)
OURS = Traits("quorum", expected=True)


def _history(samples: Iterable[Sample], traits: Traits = OURS) -> History:
    history = History(traits)
    for sample in samples:
        history.add(sample)
    return history


def _found(*histories: History) -> list[str]:
    queues = {f"q{n}": (h, figures(h, window=LIMITS.window, limit=LIMITS.limit)) for n, h in enumerate(histories)}
    return [
        f"{c.alert} {c.labels['queue']}"
        for c in [
            *findings.of_queues(queues, ()),
            *findings.of_backlogs(queues, LIMITS),
            *findings.of_consumers(queues, LIMITS),
        ]
    ]


def _filling(seconds: int = 60, *, a_second: int = 50, out: int = 0, consumers: int = 1) -> History:
    def at(t: int) -> Sample:
        return Sample(t, (a_second - out) * t, consumers, unacked=0, published=a_second * t, taken=out * t)

    return _history(at(t) for t in range(0, seconds + 1, 5))


def test_a_backlog_that_grows_is_found_with_an_estimate() -> None:
    history = _filling()
    now = figures(history, window=30, limit=10_000)
    assert (now.rate_in, now.rate_out, now.growth, now.growing) == (50, 0, 50, True)
    assert now.drain is None
    assert now.fills == 140
    assert _found(history) == ["queue_backlog q0"]
    words = findings.estimate(now, 10_000)
    assert words == "and grows by 50.0/s (50.0/s in, 0.0/s out); it never drains at present rates, 10,000 in 2 min"


def test_a_backlog_that_is_worked_off_is_none() -> None:
    history = _filling(a_second=10, out=0)
    for t in range(65, 130, 5):
        history.add(Sample(t, 600 - 5 * (t - 60), 1, unacked=0, published=10 * t, taken=15 * (t - 60)))
    now = figures(history, window=30, limit=10_000)
    assert (now.growing, now.growth, now.drain) == (False, -5, 55)
    assert now.trend_out == "steady"
    assert _found(history) == []
    assert findings.estimate(now, 10_000) == "and is empty in 55 s at present rates"


def test_a_burst_is_no_backlog() -> None:
    ready = [0, 0, 0, 900, 700, 400, 100]
    assert _found(_history(Sample(5 * n, r, 1) for n, r in enumerate(ready))) == []


def test_a_counter_that_is_set_back_begins_at_nothing() -> None:
    counters = [1000, 1050, 5, 55]
    history = _history(Sample(5 * n, 0, 1, published=c, taken=c) for n, c in enumerate(counters))
    assert figures(history, window=30, limit=1).rate_in == pytest.approx((50 + 5 + 50) / 15)


def test_the_oldest_is_as_old_as_what_came_after_it_says() -> None:
    now = figures(_filling(out=40), window=30, limit=1)  # 600 wait, 10 a second remain; number 2,400 came at 48 s
    assert (now.age, now.age_by) == (10, "estimated")
    first = figures(_history([Sample(0, 30, 1, published=100), Sample(5, 30, 1, published=100)]), window=30, limit=1)
    assert (first.age, first.age_by) == (5, "at least")
    stamped = figures(_history([Sample(100, 1, 1, head=40)]), window=30, limit=1)
    assert (stamped.age, stamped.age_by) == (60, "timestamp")
    fed_by_the_broker = figures(_history([Sample(0, 1, 1, published=0, taken=7)]), window=30, limit=1)
    assert (fed_by_the_broker.age, fed_by_the_broker.age_by) == (None, "unknown")
    assert figures(_history([Sample(0, 0, 1)]), window=30, limit=1).age_by == "empty"


def test_only_queues_that_need_consumers_are_without_them() -> None:
    idle, waiting = Sample(0, 0, 0), Sample(0, 3, 0)
    found = _found(
        _history([idle]),
        _history([idle], Traits("classic")),
        _history([waiting], Traits("classic")),
        _history([waiting], Traits("quorum", delay=True)),
        _history([waiting], Traits("stream")),
        _history([Sample(0, 3, 1)]),
    )
    assert found == ["queue_without_consumers q0", "queue_without_consumers q2"]


def test_a_consumer_that_holds_messages_and_acks_none_is_stuck() -> None:
    def held(acked: Iterable[int]) -> History:
        return _history(Sample(5 * n, 9, 1, unacked=4, taken=a) for n, a in enumerate(acked))

    assert _found(held([7] * 13)) == ["consumer_stuck q0"]
    assert _found(held([7] * 10)) == []
    assert _found(held(range(13))) == []


def test_unacked_that_grows_is_found() -> None:
    growing = _history(Sample(5 * n, 0, 1, unacked=50 * n, taken=n) for n in range(8))
    assert "unacked_grows q0" in _found(growing)


def test_what_the_broker_says_of_itself() -> None:
    look = Look(
        10,
        nodes=(Node("a"), Node("b", running=False)),
        alarms=(Alarm("a", "memory"), Alarm("a", "disk")),
        blocked=("chat@1 facts", "audit@1 facts"),
    )
    names = [c.alert for c in findings.of_broker(look, {})]
    assert names == ["broker_memory_alarm", "broker_disk_alarm", "broker_node_down", "connections_blocked"]
    assert [c.alert for c in findings.reach(Look(10, management="it answers 401"), "refused")] == [
        "broker_away",
        "management_away",
    ]


def test_a_loss_is_what_no_delay_explains() -> None:
    losses = Losses()
    for n in range(20):  # the counter of what was routed lags by one look
        losses.add(Flow(100 * n, 100 * max(0, n - 1)), n)
    assert losses.lost.count == 0
    for n in range(20, 20 + 2 * DELAY):
        losses.add(Flow(2000, 2000), n)
    for n in range(30, 30 + 2 * DELAY):
        losses.add(Flow(2007, 2000), n)
    assert losses.lost.count == 7
    losses.add(Flow(5, 5), 40)
    assert losses.lost.count == 7


def test_recent_depths_are_few_and_end_with_the_newest() -> None:
    history = _history(Sample(5 * n, n, 1) for n in range(300))
    depths = recent(history)
    assert (len(depths) <= RECENT_POINTS, depths[-1]) == (True, 299)
    assert {b - a for a, b in pairwise(depths)} == {3}
    assert recent(_history([Sample(0, 7, 1)])) == [7]


def test_memory_is_bounded_and_the_past_is_kept_by_the_minute() -> None:
    history = _history(Sample(5 * n, n, 1) for n in range(20_000))
    samples = list(history)
    assert len(samples) <= FINE + COARSE
    assert history.last.ready == 19_999
    assert samples[1].time - samples[0].time == 60
    assert [s.ready for s in history.since(5 * 19_990)] == list(range(19_990, 20_000))
