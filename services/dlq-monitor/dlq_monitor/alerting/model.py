"""Conditions, alerts, notices and silences. Pure.

A condition is what a source finds wrong now. An alert is a condition that has lasted; it has a life. A notice is what
channels are told. A silence keeps alerts from being told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Literal, Protocol

from warren.contracts.events import Alert as Fact
from warren.contracts.events import AlertCleared, AlertRaised

Severity = Literal["info", "warning", "error"]
Kind = Literal["raised", "reminder", "cleared", "refresh", "test"]
"""`refresh` repeats all that is firing, for channels that forget it; people are never told that."""

Key = tuple[str, tuple[tuple[str, str], ...]]


@dataclass(frozen=True, slots=True)
class Condition:
    """Something is wrong now. `alert` and `labels` say what; it is raised when it has lasted `hold` seconds."""

    alert: str
    severity: Severity
    summary: str
    labels: Mapping[str, str] = field(default_factory=dict)
    hold: float = 0

    @property
    def key(self) -> Key:
        """Two conditions with the same key are the same alert, whatever their words are."""
        return self.alert, tuple(sorted(self.labels.items()))


class Source(Protocol):
    """Something that finds conditions. Rules, watches and anything else raise alerts by being one."""

    @property
    def name(self) -> str: ...

    async def conditions(self) -> Sequence[Condition] | None:
        """Return all that is wrong now; what is missing has ended.

        None: it is too early to say. Raise if it cannot be known. In both cases all stays as it is.
        """
        ...


@dataclass(slots=True)
class Alert:
    """An alert. `since` is when its condition began, `raised` and `cleared` when that was decided.

    `owed` are the channels that have not been told of its present state yet; `told` is when anyone last was.
    """

    id: str
    source: str
    condition: Condition
    since: datetime
    raised: datetime | None = None
    told: datetime | None = None
    gone: datetime | None = None
    """When its condition was first missing."""
    cleared: datetime | None = None
    owed: set[str] = field(default_factory=set)

    @property
    def firing(self) -> bool:
        """Whether it was raised and not cleared."""
        return self.raised is not None and self.cleared is None

    @property
    def state(self) -> Literal["pending", "firing", "cleared"]:
        """Where in its life it is."""
        return "cleared" if self.cleared else "firing" if self.raised else "pending"

    @property
    def fact(self) -> Fact:
        """The fact that tells of its present state."""
        kind = AlertCleared if self.cleared else AlertRaised
        c = self.condition
        time = self.cleared or self.raised or self.since
        return kind(alert=c.alert, severity=c.severity, summary=c.summary, labels=dict(c.labels), time=time)


@dataclass(frozen=True, slots=True)
class Notice:
    """What channels are told at one time: `alerts` are copies, as they were then; `first` since the start, or not."""

    kind: Kind
    alerts: tuple[Alert, ...]
    time: datetime
    first: bool = False


@dataclass(frozen=True, slots=True)
class Silence:
    """Alerts that match are not told until `until`. `alert` and the values of `labels` may have `*` in them."""

    id: str
    alert: str
    labels: Mapping[str, str]
    who: str
    why: str
    since: datetime
    until: datetime
    ended_by: str = ""

    def covers(self, condition: Condition, now: datetime) -> bool:
        """Whether it keeps this condition quiet now."""
        return (
            self.since <= now < self.until
            and fnmatchcase(condition.alert, self.alert)
            and all(fnmatchcase(condition.labels.get(name, ""), value) for name, value in self.labels.items())
        )
