"""Which letters there are, in memory: numbers by group and status, 24 bytes a letter. Pure.

Letters are numbered as they are parked. The numbers of one group and status stand in one sorted array, so that how many
there are, the newest page of any choice of groups, and what is older than a time are known without asking the store;
it is only asked for the letters of a page, by their numbers.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Collection, Iterable, Iterator

from dlq_monitor.model import Status

Cell = tuple[str, Status]
"""A group's id and a status."""


class Ledger:
    """Numbers of letters by cell, and when each was parked (Unix time)."""

    def __init__(self) -> None:
        self._cells: dict[str, dict[Status, array[int]]] = {}
        self._numbers = array("q")
        self._times = array("d")

    def add(self, number: int, group: str, status: Status, time: float) -> bool:
        """Enter a letter; says whether it was not there."""
        if self.status(number, group):
            return False
        insort(self._cells.setdefault(group, {}).setdefault(status, array("q")), number)
        self._note_time(number, time)
        return True

    def _note_time(self, number: int, time: float) -> None:
        """Keep times in the order of numbers: clocks step back, a search must not."""
        place = bisect_left(self._numbers, number)
        before = self._times[place - 1] if place else time
        after = self._times[place] if place < len(self._times) else max(time, before)
        if place == len(self._numbers) or self._numbers[place] != number:
            self._numbers.insert(place, number)
            self._times.insert(place, min(max(time, before), after))

    def status(self, number: int, group: str) -> Status | None:
        """Return the status of a letter of a group, None if it is not there."""
        return next((s for s, found in self._cells.get(group, {}).items() if _has(found, number)), None)

    def move(self, number: int, group: str, status: Status) -> None:
        """Give a letter another status."""
        if self.remove(number, group):
            insort(self._cells.setdefault(group, {}).setdefault(status, array("q")), number)

    def remove(self, number: int, group: str) -> bool:
        """Strike a letter out; says whether it was there."""
        status = self.status(number, group)
        if status is None:
            return False
        cell = self._cells[group][status]
        del cell[bisect_left(cell, number)]
        if not cell:
            del self._cells[group][status]
        if not self._cells[group]:
            del self._cells[group]
        return True

    def __len__(self) -> int:
        return sum(self.by_status().values())

    @property
    def groups(self) -> list[str]:
        """Groups that have letters."""
        return list(self._cells)

    def by_status(self, groups: Iterable[str] | None = None) -> Counter[Status]:
        """Return how many letters of these groups (of all) have each status."""
        found: Counter[Status] = Counter()
        for group in self._cells if groups is None else groups:
            found.update({s: len(cell) for s, cell in self._cells.get(group, {}).items()})
        return found

    def count(self, groups: Iterable[str], statuses: Collection[Status], since: float | None) -> int:
        """Return how many letters of these groups and statuses were parked not before `since` (Unix time)."""
        first = self.first_since(since)
        return sum(len(c) - bisect_left(c, first) for c in self._chosen(groups, statuses))

    def newest(
        self,
        groups: Iterable[str],
        statuses: Collection[Status],
        *,
        since: float | None,
        before: int | None,
        limit: int,
    ) -> list[int]:
        """Return at most `limit` numbers below `before`, the highest first."""
        first = self.first_since(since)
        found: list[int] = []
        for cell in self._chosen(groups, statuses):
            end = len(cell) if before is None else bisect_left(cell, before)
            found += cell[max(end - limit, bisect_left(cell, first)) : end]
        return sorted(found, reverse=True)[:limit]

    def oldest(self, statuses: Collection[Status], *, above: int, below: int | None, limit: int) -> list[int]:
        """Return at most `limit` numbers above `above` and below `below`, the lowest first."""
        found: list[int] = []
        for cell in self._chosen(self._cells, statuses):
            begin = bisect_right(cell, above)
            end = len(cell) if below is None else bisect_left(cell, below)
            found += cell[begin : min(end, begin + limit)]
        return sorted(found)[:limit]

    def among(self, numbers: Collection[int]) -> Counter[Status]:
        """Return how many of these letters have each status."""
        wanted = frozenset(numbers)
        found: Counter[Status] = Counter()
        for group in self._cells.values():
            for status, cell in group.items():
                if both := len(wanted.intersection(cell)):
                    found[status] += both
        return found

    def first_since(self, time: float | None) -> int:
        """Return the number of the first letter that was parked not before a time; above all if there is none."""
        if time is None:
            return 0
        place = bisect_left(self._times, time)
        return self._numbers[place] if place < len(self._numbers) else _ABOVE

    def _chosen(self, groups: Iterable[str], statuses: Collection[Status]) -> Iterator[array[int]]:
        for group in groups:
            for status, cell in self._cells.get(group, {}).items():
                if status in statuses:
                    yield cell


_ABOVE = 2**62


def _has(cell: array[int], number: int) -> bool:
    place = bisect_left(cell, number)
    return place < len(cell) and cell[place] == number
