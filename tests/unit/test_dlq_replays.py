"""What a replay sends, where and how fast, without I/O."""

from __future__ import annotations

import pytest

from dlq_monitor.fingerprint import Kind, overflow
from dlq_monitor.replaying.model import Pace
from dlq_monitor.replaying.planning import Part, planned
from dlq_monitor.resending import Target
from warren.topology import Topology

TOPOLOGY = Topology(2)
CHAT = Kind("chat.commands.0-of-2", "message.post.v1", "ValueError", "", "")
AUDIT = Kind("audit.events", "message.posted.v1", "ValueError", "", "")
FOREIGN = Kind("other.work", "x", "ValueError", "", "")
BY_HAND = Kind("chat.dead", "x", "unknown", "", "")


def test_a_plan_goes_in_the_order_of_parking_and_says_what_can_be_seen() -> None:
    chosen = [(CHAT, [3, 5]), (AUDIT, [1]), (FOREIGN, [2, 4]), (BY_HAND, [6]), (overflow("chat.dead"), [7])]
    plan = planned(chosen, TOPOLOGY, to=None, dead_queues=["chat.dead"], busy={5})
    assert plan.numbers.tolist() == [1, 2, 3, 4, 7]
    assert (plan.busy, plan.unsendable) == (1, 1)
    assert plan.parts == [
        Part("", "", "", 1, "quiet", at_least_once=True),
        Part("audit.events", "audit.again", "message.posted.v1", 1, "quiet", at_least_once=False),
        Part(CHAT.queue, "chat.again", "message.post.v1", 1, "fact", at_least_once=False),
        Part("other.work", "", "x", 2, "quiet", at_least_once=True),
    ]


def test_elsewhere_takes_what_has_no_way_back_and_promises_nothing() -> None:
    plan = planned([(CHAT, [1]), (BY_HAND, [2])], TOPOLOGY, to=Target("ex", "k"), dead_queues=["chat.dead"], busy=())
    assert plan.numbers.tolist() == [1, 2]
    assert {(p.exchange, p.outcome, p.at_least_once) for p in plan.parts} == {("ex", "quiet", True)}


@pytest.mark.parametrize(
    ("rate", "ramp", "seconds", "due"),
    [
        (100, False, 2.5, 250),
        (100, True, 0.5, 5),
        (100, True, 1, 10),
        (100, True, 2, 50),
        (100, True, 3, 150),
        (5, True, 2, 10),
        (None, True, 1.5, 30),
        (None, False, 0.001, float("inf")),
        (None, True, 60, float("inf")),
    ],
)
def test_pace(rate: float | None, ramp: bool, seconds: float, due: float) -> None:
    assert Pace(rate, ramp=ramp).due(seconds) == pytest.approx(due)
