"""Letters that wait for a decision, as a source of alerts: one for each queue and cause."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from dlq_monitor.alerting.model import Condition
from dlq_monitor.model import Letter

MAX_KINDS = 100
"""Kinds that are watched one by one; of further ones it is only said that they are there."""

Kind = tuple[str, str]
"""Queue and cause."""


class Shelf(Protocol):
    """Where letters are kept (see `dlq_monitor.repository.Letters`)."""

    async def park(self, parked: Sequence[Letter]) -> None: ...
    async def waiting(self) -> dict[Kind, int]: ...
    async def waits(self, queue: str, cause: str) -> bool: ...


class WaitingLetters:
    """A shelf that notices what is parked, and finds what of it still waits.

    The store is asked for all kinds once, and then only whether one letter of each known kind still waits: to count
    100,000 letters every `interval` seconds would be the heaviest thing that this service does.
    """

    name = "letters"

    def __init__(self, shelf: Shelf, interval: float) -> None:
        self._shelf = shelf
        self._interval = interval
        self._kinds: Counter[Kind] | None = None
        self._early: Counter[Kind] = Counter()
        self._clock = time.monotonic
        self._due = 0.0

    async def park(self, parked: Sequence[Letter]) -> None:
        """Park letters and take note."""
        await self._shelf.park(parked)
        noticed = self._early if self._kinds is None else self._kinds
        noticed.update((x.queue, x.cause.type) for x in parked)

    async def conditions(self) -> Sequence[Condition]:
        """Return one condition per kind that has letters waiting."""
        if self._kinds is None:
            self._early.clear()
            found = Counter(await self._shelf.waiting())
            self._kinds = found + self._early  # some may have been counted already: the number is no promise
        kinds = self._kinds
        if self._clock() >= self._due:
            self._due = self._clock() + self._interval
            for kind, count in list(kinds.items())[:MAX_KINDS]:
                if not await self._shelf.waits(*kind) and kinds[kind] == count:  # none was parked meanwhile
                    del kinds[kind]
        conditions = [_condition(kind, count) for kind, count in list(kinds.items())[:MAX_KINDS]]
        if len(kinds) > MAX_KINDS:
            more = f"letters of more than {MAX_KINDS} kinds of queue and cause wait for a decision"
            conditions.append(Condition("letters_of_many_kinds", "warning", more))
        return conditions


def _condition(kind: Kind, count: int) -> Condition:
    queue, cause = kind
    letters = "a letter waits" if count == 1 else f"up to {count} letters wait"
    words = f"{letters} for a decision: died in {queue} of {cause}"
    return Condition("letters_waiting", "warning", words, {"queue": queue, "cause": cause})
