"""The failure policy: a pure function from attempt and error to a verdict."""

from __future__ import annotations

import pytest

from warren.errors import ContractError, PermanentError, TransientError, WarrenError
from warren.messaging.policy import DeadLetter, Retry, decide
from warren.topology import DelayQueue, FailurePolicy, Queue, delay_queues

POLICY = FailurePolicy()


@pytest.mark.parametrize("error", [PermanentError("no"), ContractError("no")])
def test_a_permanent_error_is_dead_at_the_first_attempt(error: WarrenError) -> None:
    assert decide(1, error, POLICY) == DeadLetter(type(error).__name__)


@pytest.mark.parametrize("error", [TransientError("not now"), ValueError("a bug"), KeyError("another")])
def test_any_other_error_is_tried_again_after_each_delay_and_then_dead(error: Exception) -> None:
    verdicts = [decide(attempt, error, POLICY) for attempt in range(1, len(POLICY.delays) + 2)]
    assert verdicts == [*map(Retry, POLICY.delays), DeadLetter(type(error).__name__)]


def test_an_attempt_beyond_all_counts_is_dead() -> None:
    assert decide(1_000_000, TransientError("x"), POLICY) == DeadLetter("TransientError")


def test_without_delays_the_first_failure_is_the_last() -> None:
    assert decide(1, TransientError("x"), FailurePolicy(delays=())) == DeadLetter("TransientError")


def test_a_queue_says_what_no_later_attempt_mends() -> None:
    """By the class or one above it, under the names that dead letters show as their cause."""
    strict = FailurePolicy(delays=(2,), permanent=("LookupError",))
    assert decide(1, KeyError("x"), strict) == DeadLetter("KeyError")
    assert decide(1, PermanentError("x"), strict) == Retry(2)


def test_a_service_has_a_delay_queue_for_each_delay_of_its_queues() -> None:
    queues = [Queue(n, "s", (), on_failure=FailurePolicy(delays)) for n, delays in (("a", (1, 60)), ("b", (1, 5)))]
    assert delay_queues(queues) == tuple(DelayQueue("s", d) for d in (1, 5, 60))
