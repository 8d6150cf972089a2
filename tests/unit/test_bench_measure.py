"""The benchmark's figures: percentiles, what metrics have added, stages, the comparison of two results."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from bench.compare import lines, show_comparison
from bench.measure import Latency, percentile
from bench.scrape import Samples, changes
from bench.show import show
from bench.stages import Stage, stages, way

BEFORE = """
# TYPE warren_batch_events histogram
warren_batch_events_bucket{le="1.0",queue="a"} 1
warren_batch_events_count{queue="a"} 10
warren_batch_events_sum{queue="a"} 10
# TYPE warren_spent_seconds_total counter
warren_spent_seconds_total{stage="queued"} 1.5
# TYPE python_gc_objects_collected_total counter
python_gc_objects_collected_total{generation="0"} 7
"""
AFTER = """
# TYPE warren_batch_events histogram
warren_batch_events_bucket{le="1.0",queue="a"} 1
warren_batch_events_count{queue="a"} 12
warren_batch_events_sum{queue="a"} 30
warren_batch_events_count{queue="b"} 3
warren_batch_events_sum{queue="b"} 5
# TYPE warren_spent_seconds_total counter
warren_spent_seconds_total{stage="queued"} 2.0
warren_spent_seconds_total{stage="write"} 9.0
"""


def test_percentiles_are_nearest_ranks() -> None:
    hundred = [n / 1000 for n in range(100, 0, -1)]
    assert Latency.of(hundred) == Latency(50, 95, 99)
    assert Latency.of([0.003]) == Latency(3, 3, 3)
    assert Latency.of([]) == Latency(0, 0, 0)
    assert percentile([1.0, 2.0, 3.0], 0.5) == 2


def test_what_metrics_have_added_between_two_looks() -> None:
    added = changes({"chat": Samples.parse(AFTER)}, {"chat": Samples.parse(BEFORE)})["chat"]
    assert added.total("warren_batch_events_sum") == 25
    assert added.total("warren_batch_events_sum", queue="b") == 5
    assert added.mean("warren_batch_events") == 5
    assert added.total("warren_spent_seconds_total", stage="queued") == 0.5
    assert added.mean("warren_write_events") is None
    assert not added.total("python_gc_objects_collected_total")
    assert Samples.sum([added, added]).total("warren_batch_events_sum") == 50


def test_stages_and_the_way_of_a_message() -> None:
    chat = Samples.parse(
        """
warren_batch_events_count{queue="a"} 10
warren_batch_events_sum{queue="a"} 100
warren_write_events_count 5
warren_write_events_sum 100
warren_write_seconds_count 5
warren_write_seconds_sum 0.02
warren_spent_seconds_total{stage="queued"} 0.3
warren_spent_seconds_total{stage="turn"} 0.1
warren_spent_seconds_total{stage="write"} 0.5
"""
    )
    nothing = Samples()
    found = {s.name: s for s in stages({"gateways": nothing, "chat": chat, "audit": nothing, "presence": nothing})}
    assert found["chat"] == Stage("chat", 100, 10, pytest.approx(3))
    assert found["store"] == Stage("store", 100, 20, pytest.approx(1), pytest.approx(4))
    assert found["audit"] == Stage("audit", 0)
    parts = way({"late": 0.001, "accept": 0.002, "delivery": 0.015}, chat)
    assert sum(parts.values()) == pytest.approx(15)
    assert parts["fact out"] == pytest.approx(3)


def result(**changed: Any) -> dict[str, Any]:
    """A result of one shape, some figures of which are others."""
    row = {
        "about": "one",
        "loop": "closed loop",
        "rate": 0,
        "fixed_rate": False,
        "seconds": 1.0,
        "tail": 0.0,
        "audit_s": 0.0,
        "accepted_rate": 100.0,
        "everywhere_rate": 100.0,
        "delivered_rate": 100.0,
        "ack": {"p50": 10.0, "p95": 10.0, "p99": 10.0},
        "delivery": {"p50": 10.0, "p95": 10.0, "p99": 10.0},
        "cpu_s": {"chat": 0.1, "load generator": 0.1},
        "us_per_message": {"chat": 100.0, "load generator": 100.0},
        "us_per_delivery": {"chat": 100.0, "load generator": 100.0},
        "stages": [{"name": "chat", "events": 1.0, "size": None, "waited": 1.0, "took": 1.0}],
        "way": {"write": 1.0},
        "errors": [],
    }
    shapes = {name: {**row, **(changed if name == "idle" else {})} for name in ("raw-one", "raw-many", "idle")}
    return {"time": "2026-11-23T05:00:00+00:00", "commit": "abc", "background": {"chat": 0.01}, "shapes": shapes}


def test_a_comparison_judges_beside_the_raw_broker() -> None:
    before = result()
    after = result(everywhere_rate=150.0, us_per_message={"chat": 150.0, "load generator": 100.0, "audit": 20.0})
    for name in ("raw-one", "raw-many"):
        after["shapes"][name]["accepted_rate"] = 120.0
    found = {(line.shape, line.what): line for line in lines(before, after)}
    rate = found["idle", "everywhere/s"]
    assert (rate.change, rate.beside_raw, rate.verdict) == (1.5, 1.25, "better")
    assert found["idle", "chat µs/message"].verdict == "worse"
    assert found["idle", "all µs/message"].after == 270
    assert found["idle", "delivery p50 ms"].verdict == "same"
    assert found["raw-one", "acked/s"].change == pytest.approx(1.2)
    assert ("idle", "audit µs/message") not in found


def test_a_comparison_leaves_out_what_says_nothing() -> None:
    before, after = result(fixed_rate=True), result(fixed_rate=True)
    before["shapes"]["fanout"] = before["shapes"]["idle"]
    for one in (before, after):
        one["shapes"]["idle"]["us_per_message"] = {"chat": 100.0, "presence": 1.0}
    found = {(line.shape, line.what) for line in lines(before, after)}
    assert not any(shape == "fanout" for shape, _ in found)
    assert ("idle", "acked/s") not in found
    assert ("idle", "presence µs/message") not in found
    assert {what for shape, what in found if shape == "idle"} >= {"delivery p99 ms", "chat µs/message"}


def test_tables_fit_a_narrow_terminal_and_name_what_is_wrong() -> None:
    console = Console(file=io.StringIO(), width=80)
    assert show(result(), console)
    assert not show(result(errors=["lost one"]), console)
    show_comparison(result(), result(everywhere_rate=150.0), console)
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert "idle: lost one" in text
    assert "…" not in text
