"""What becomes of an event that failed: one pure function, the same for every service."""

from __future__ import annotations

from dataclasses import dataclass

from warren.errors import TransientError
from warren.topology import FailurePolicy


@dataclass(frozen=True, slots=True)
class Retry:
    """Try it again after `delay` seconds."""

    delay: int


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """Park it; `cause` is the class of the error."""

    cause: str


Verdict = Retry | DeadLetter


def _with_subclasses(error: type[BaseException]) -> set[str]:
    return {error.__name__}.union(*map(_with_subclasses, error.__subclasses__()))


_TRANSIENT = _with_subclasses(TransientError) | _with_subclasses(ConnectionError) | {TimeoutError.__name__}


def is_transient(cause: str) -> bool:
    """Whether a dead letter's cause (see `DeadLetter`) is one that passes by itself, so that sending it again helps."""
    return cause in _TRANSIENT


def decide(attempt: int, error: BaseException, policy: FailurePolicy) -> Verdict:
    """Judge a failed `attempt` (from 1).

    A permanent error is dead at once. Everything else, a bug of ours included, may be passing: it is tried again after
    each of the policy's delays, then dead.
    """
    permanent = any(kind.__name__ in policy.permanent for kind in type(error).__mro__)
    if permanent or attempt > len(policy.delays):
        return DeadLetter(type(error).__name__)
    return Retry(policy.delays[attempt - 1])
