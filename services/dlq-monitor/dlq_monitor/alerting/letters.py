"""Letters that wait for people, as a source of alerts: one for each group of which a rule wants it said."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from dlq_monitor.alerting.model import Condition
from dlq_monitor.desk import Waiting

MAX_GROUPS = 100
"""Groups that are told of one by one; of further ones it is only said that they are there."""


class Shelf(Protocol):
    """Where letters are (see `dlq_monitor.desk.Desk`)."""

    @property
    def loaded(self) -> bool: ...
    def waiting(self) -> list[Waiting]: ...


class WaitingLetters:
    """Finds groups with letters that wait."""

    name = "letters"

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    async def conditions(self) -> Sequence[Condition] | None:
        """Return one condition per group; None before the letters are read."""
        if not self._shelf.loaded:
            return None
        waiting = self._shelf.waiting()
        conditions = [_condition(w) for w in waiting[:MAX_GROUPS]]
        if len(waiting) > MAX_GROUPS:
            more = f"letters of {len(waiting):,} groups wait for a decision"
            conditions.append(Condition("letters_of_many_kinds", "warning", more))
        return conditions


def _condition(waiting: Waiting) -> Condition:
    kind = waiting.kind
    letters = "a letter waits" if waiting.count == 1 else f"{waiting.count:,} letters wait"
    words = f"{letters} for a decision: died in {kind.queue} of {kind.cause}"
    labels = {"group": kind.id, "queue": kind.queue, "cause": kind.cause}
    return Condition("letters_waiting", waiting.severity, words, labels)
