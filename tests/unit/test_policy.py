"""The failure policy: a pure function from attempt and error to a verdict."""

from __future__ import annotations

import pytest

from warren.errors import ContractError, PermanentError, TransientError, WarrenError
from warren.messaging.policy import DeadLetter, Retry, decide
from warren.topology import RETRY_DELAYS


@pytest.mark.parametrize("error", [PermanentError("no"), ContractError("no")])
def test_a_permanent_error_is_dead_at_the_first_attempt(error: WarrenError) -> None:
    assert decide(1, error) == DeadLetter(type(error).__name__)


@pytest.mark.parametrize("error", [TransientError("not now"), ValueError("a bug"), KeyError("another")])
def test_any_other_error_is_tried_again_after_each_delay_and_then_dead(error: Exception) -> None:
    verdicts = [decide(attempt, error) for attempt in range(1, len(RETRY_DELAYS) + 2)]
    assert verdicts == [*map(Retry, RETRY_DELAYS), DeadLetter(type(error).__name__)]


def test_an_attempt_beyond_all_counts_is_dead() -> None:
    assert decide(1_000_000, TransientError("x")) == DeadLetter("TransientError")


def test_without_delays_the_first_failure_is_the_last() -> None:
    assert decide(1, TransientError("x"), delays=()) == DeadLetter("TransientError")
