"""Groups of letters: what people know of one, and what its letters say. Pure.

A group's counts come from its letters alone, so they can't drift from them; only what people said, and when it came
back, is kept in the store.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Literal

from dlq_monitor.fingerprint import Kind
from dlq_monitor.model import OPEN, Status, Step

HOUR = 3600
HOURS = 7 * 24
"""Hours whose counts are kept."""

MAX_HISTORY = 100

GroupStatus = Literal["new", "held", "retrying", "resolved", "discarded"]
Verdict = Literal["held", "resolved", "discarded"]
"""What people say of a whole group."""

_WORKED: tuple[Status, ...] = ("replayed", "resolved", "replaced")
_CLOSED: frozenset[Verdict] = frozenset({"resolved", "discarded"})


@dataclass(frozen=True, slots=True)
class Said:
    """What people said of a group, and its history; kept in the store."""

    note: str = ""
    owner: str = ""
    verdict: Verdict | None = None
    since: datetime | None = None
    """When the verdict was given: a letter that was parked later reopens a closed group."""
    history: tuple[Step, ...] = ()

    def with_step(self, step: Step) -> Said:
        """Return it with one more step of history; the oldest go when there are too many."""
        return replace(self, history=(*self.history, step)[-MAX_HISTORY:])


@dataclass(slots=True)
class Group:
    """A group; `first` and `last` are when its first and last letter were parked, `hours` counts them by Unix hour."""

    kind: Kind
    first: datetime
    last: datetime
    hours: Counter[int] = field(default_factory=Counter)
    said: Said = field(default_factory=Said)

    @property
    def id(self) -> str:
        """Return the fingerprint."""
        return self.kind.id

    def count(self, time: datetime) -> None:
        """Count a letter that was parked at `time`."""
        self.first, self.last = min(self.first, time), max(self.last, time)
        self.hours[math.floor(time.timestamp() / HOUR)] += 1
        if len(self.hours) > 2 * HOURS:
            oldest = max(self.hours) - HOURS
            self.hours = Counter({h: n for h, n in self.hours.items() if h > oldest})

    def reopened(self, time: datetime, actor: str, *, done: bool = False) -> bool:
        """Note that the group came back with a letter that was parked at `time`; says whether it did.

        It does if a verdict had closed it before, which is taken back, or if all its letters were dealt with (`done`).
        """
        said = self.said
        closed = said.verdict in _CLOSED and said.since is not None and time > said.since
        if not closed and not (done and said.verdict is None):
            return False
        words = f"it came back after it was {said.verdict}" if closed else "it came back after all was dealt with"
        self.said = replace(said, verdict=None, since=None).with_step(Step("reopened", actor, words, time))
        return True

    def status(self, counts: Mapping[Status, int]) -> GroupStatus:
        """Return what people said, else what its letters say: the most urgent of them."""
        if self.said.verdict:
            return self.said.verdict
        for status in OPEN:
            if counts.get(status):
                return status
        return "resolved" if any(counts.get(s) for s in _WORKED) else "discarded"

    def series(self, now: datetime, step: int) -> list[int]:
        """Return the counts of the last seven days in steps of so many hours, the newest step last."""
        last = math.floor(now.timestamp() / HOUR)
        counts = [0] * (HOURS // step)
        for hour, count in self.hours.items():
            place = len(counts) - 1 - (last - hour) // step
            if 0 <= place < len(counts):
                counts[place] += count
        return counts

    def chart(self, now: datetime) -> list[tuple[datetime, int]]:
        """Return the hours of the last seven days in which letters were parked, with their counts, oldest first."""
        first = math.floor((now - timedelta(hours=HOURS)).timestamp() / HOUR) + 1
        return [(datetime.fromtimestamp(h * HOUR, UTC), n) for h, n in sorted(self.hours.items()) if h >= first]


@dataclass(frozen=True, slots=True)
class Choice:
    """Which letters, in plain words; all that is given must hold.

    `queue` and `type` may have wildcards (`chat.*`); `cause` is a part of the cause's name in any case, or with
    wildcards the whole; `since` is the time of parking.
    """

    queue: str | None = None
    type: str | None = None
    cause: str | None = None
    group: str | None = None
    statuses: frozenset[Status] | None = None
    since: datetime | None = None

    def takes(self, group: Group) -> bool:
        """Whether letters of a group may be among them."""
        return self.takes_kind(group.kind.queue, group.kind.type, group.kind.cause, group.id)

    def takes_kind(self, queue: str, type: str, cause: str, group: str) -> bool:  # noqa: A002 - the message's type
        """Whether letters of a kind may be among them."""
        return (
            _fits(self.queue, queue)
            and _fits(self.type, type)
            and (self.group is None or group.startswith(self.group))
            and (self.cause is None or _cause_fits(self.cause, cause))
        )


def glob(pattern: str) -> Callable[[str], bool]:
    """Return a test of names: `*` stands for any characters, `?` for one."""
    return lambda name: fnmatchcase(name, pattern.replace("[", "[[]"))


def _fits(pattern: str | None, name: str) -> bool:
    return pattern is None or glob(pattern)(name)


def _cause_fits(wanted: str, cause: str) -> bool:
    wanted, cause = wanted.lower(), cause.lower()
    return glob(wanted)(cause) if set("*?") & set(wanted) else wanted in cause


def by_last(groups: Iterable[Group]) -> list[Group]:
    """Return groups, the one with the newest letter first."""
    return sorted(groups, key=lambda g: (g.last, g.id), reverse=True)
