"""Which chat process works which partition. Pure.

Every process subscribes to every partition; the broker makes the one that subscribed first the active consumer. So a
partition belongs to its owner when all others stand behind it in that line, and whoever does not subscribes again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

NOBODY = ""
LEASE = 4
"""Beats without which a process counts as gone."""
SETTLED = 1.5
"""Beats for which nobody must have come or gone before the shares are changed."""


@dataclass(frozen=True, slots=True)
class Member:
    """One life of a chat process. `beat` rises as long as it lives.

    `subscriptions` has for each partition the number of its present subscription, 0 for none.
    """

    incarnation: str
    name: str
    beat: int
    subscriptions: tuple[int, ...]


def share_out(owners: Sequence[str], members: Collection[str]) -> tuple[str, ...]:
    """Return the owners of all partitions, evenly and with as few changes as that takes.

    The shares of any two members differ by one at the most. Raises `ValueError` if there are no members.
    """
    if not members:
        raise ValueError("nobody to share the partitions")
    held = Counter(owners)
    least, odd = divmod(len(owners), len(members))
    largest_first = sorted(members, key=lambda m: (-held[m], m))
    room = {m: least + (place < odd) for place, m in enumerate(largest_first)}
    shared: list[str] = []
    for owner in owners:
        keeps = room.get(owner, 0) > 0
        shared.append(owner if keeps else NOBODY)
        if keeps:
            room[owner] -= 1
    for number, owner in enumerate(shared):
        if owner == NOBODY:
            poorest = max(largest_first, key=lambda m: room[m])
            shared[number] = poorest
            room[poorest] -= 1
    return tuple(shared)


@dataclass(slots=True)
class _Seen:
    beat: int
    at: float
    rose: bool = False


class Roll:
    """Who is there, as this process sees it: whose beat rises, by its own clock and nobody else's.

    `beat` is the time between two beats, in seconds; so are all times of the monotonic clock.
    """

    def __init__(self, beat: float) -> None:
        self._lease = LEASE * beat
        self._settled = SETTLED * beat
        self._seen: dict[str, _Seen] = {}
        self._present: frozenset[str] = frozenset()
        self._since = 0.0
        self._called = 0.0

    @property
    def present(self) -> frozenset[str]:
        """Those whose beat has risen within the lease."""
        return self._present

    def call(self, beats: Mapping[str, int], now: float) -> None:
        """Take note of all beats."""
        if now - self._called > self._lease / 2:  # we were blind: nobody may be blamed for that
            for seen in self._seen.values():
                seen.at = now
        self._called = now
        self._seen = {m: self._look(m, beat, now) for m, beat in beats.items()}
        recent = {m: s for m, s in self._seen.items() if now - s.at < self._lease}
        present = frozenset(m for m, s in recent.items() if s.rose)
        if present != self._present or len(recent) > len(present):  # of a newcomer it is not known whether it lives
            self._since = now
        self._present = present

    def settled(self, now: float) -> bool:
        """Say whether nobody has come or gone for a moment."""
        return now - self._since >= self._settled

    def gone(self, now: float) -> list[str]:
        """Return those who have been silent for many leases: traces of a crash."""
        return [m for m, s in self._seen.items() if now - s.at > 10 * self._lease]

    def _look(self, member: str, beat: int, now: float) -> _Seen:
        seen = self._seen.get(member)
        if seen is None:
            return _Seen(beat, now)
        return seen if seen.beat == beat else _Seen(beat, now, rose=True)


class Line:
    """Where this process stands in each partition's line of subscribers, as far as it can know.

    It is behind another one if it had heard of that one's present subscription before its own began.
    """

    def __init__(self, partitions: int) -> None:
        self._opened = [0] * partitions
        self._heard: Mapping[str, Sequence[int]] = {}
        self._heard_before: list[Mapping[str, Sequence[int]]] = [{}] * partitions

    def look(self, opened: Sequence[int], heard: Mapping[str, Sequence[int]]) -> None:
        """Take note of the subscriptions that this process has begun, and of those it hears that others have."""
        for number, (before, present) in enumerate(zip(self._opened, opened, strict=True)):
            if present != before:
                self._heard_before[number] = self._heard
        self._opened = list(opened)
        self._heard = heard

    def must_give_way(self, number: int, owner: str) -> bool:
        """Say whether the owner of a partition is subscribed, and perhaps behind this process."""
        theirs = _of(self._heard, owner, number)
        return theirs != 0 and theirs != _of(self._heard_before[number], owner, number)


def _of(heard: Mapping[str, Sequence[int]], member: str, number: int) -> int:
    subscriptions = heard.get(member, ())
    return subscriptions[number] if number < len(subscriptions) else 0
