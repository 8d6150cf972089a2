"""The life of alerts: raised, still firing, cleared. Pure; time comes from the caller.

What is told: an alert once when it is raised, a reminder after a time, once when it is cleared. All that changes in one
turn is one notice of its kind, so that a broker that goes down is one message with many lines. A silence keeps quiet
what would be raised or reminded of, and what still fires at its end is told then. Whatever was told is also told to be
over. After a start nothing is said for `quiet` seconds: what holds then is told in one notice, what was told before the
restart is not told again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from dlq_monitor.alerting.model import Alert, Condition, Key, Kind, Notice, Silence
from warren.ids import uuid7


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds: between reminders, of silence after a start, before a missing condition ends, between refreshes."""

    reminder: float = 4 * 3600
    quiet: float = 30
    settle: float = 15
    refresh: float = 60


@dataclass(slots=True)
class Turn:
    """What one turn brought: notices to tell, alerts to store."""

    notices: list[Notice] = field(default_factory=list)
    changed: list[Alert] = field(default_factory=list)


class Book:
    """All alerts that are pending or firing, and all silences. `channels` are the names of those who are told."""

    def __init__(self, started: datetime, patience: Patience, channels: Iterable[str] = ()) -> None:
        self._patience = patience
        self._channels = frozenset(channels)
        self._quiet_until = started + timedelta(seconds=patience.quiet)
        self._refreshed = started
        self._first = True
        self._alerts: dict[Key, Alert] = {}
        self.silences: dict[str, Silence] = {}

    @property
    def alerts(self) -> list[Alert]:
        """All that is pending or firing, the oldest first."""
        return sorted(self._alerts.values(), key=lambda a: a.since)

    @property
    def firing(self) -> list[Alert]:
        """All that is firing, the oldest first."""
        return [a for a in self.alerts if a.firing]

    def restore(self, alerts: Iterable[Alert], silences: Iterable[Silence]) -> None:
        """Take over what was firing before a restart."""
        self._alerts |= {a.condition.key: a for a in alerts if a.firing}
        self.silences |= {s.id: s for s in silences}

    def silence(self, silence: Silence) -> None:
        """Add or replace a silence."""
        self.silences[silence.id] = silence

    def silenced(self, condition: Condition, now: datetime) -> Silence | None:
        """Return the silence that keeps a condition quiet now."""
        return next((s for s in self.silences.values() if s.covers(condition, now)), None)

    def turn(self, found: Mapping[str, Sequence[Condition]], now: datetime) -> Turn:
        """Take what each source finds now; a source that is not named could not say, and its alerts stay."""
        turn = Turn()
        for source, conditions in found.items():
            self._see(source, conditions, now)
        if now < self._quiet_until:
            return turn
        self.silences = {k: s for k, s in self.silences.items() if s.until > now}
        cleared = [a for a in self.alerts if self._over(a, now)]
        raised = [a for a in self.alerts if self._due(a, now) and a not in cleared]
        silent = [a for a in raised if self.silenced(a.condition, now)]
        telling = [a for a in raised if a not in silent]
        new = [a for a in raised if a.raised is None]
        reminded = [a for a in self.firing if self._forgotten(a, now) and a not in cleared]
        for alert in raised:
            alert.raised = alert.raised or now
        for alert in cleared:
            self._alerts.pop(alert.condition.key)
            alert.cleared = now
        ended = [a for a in cleared if a.told]
        for alert in (*telling, *reminded, *ended):
            alert.told = now
        for alert in (*telling, *ended):
            alert.owed = set(self._channels)
        turn.changed = [*new, *(a for a in telling if a not in new), *reminded, *cleared]
        self._tell(turn, "raised", telling, now)
        self._tell(turn, "reminder", reminded, now)
        self._tell(turn, "cleared", ended, now)
        self._first = False
        self._refresh(turn, now)
        return turn

    def delivered(self, alerts: Iterable[Alert], channel: str) -> None:
        """Note that a channel was told of these alerts as they were."""
        for told in alerts:
            alert = self._alerts.get(told.condition.key)
            if alert is not None and (alert.id, alert.state) == (told.id, told.state):
                alert.owed.discard(channel)

    def _see(self, source: str, conditions: Sequence[Condition], now: datetime) -> None:
        seen = {c.key: c for c in conditions}
        for key, condition in seen.items():
            alert = self._alerts.get(key)
            if alert is None:
                self._alerts[key] = Alert(uuid7(), source, condition, now)
            else:
                alert.condition, alert.gone = condition, None
        for key, alert in list(self._alerts.items()):
            if alert.source == source and key not in seen:
                alert.gone = alert.gone or now
                if not alert.raised:
                    del self._alerts[key]

    def _due(self, alert: Alert, now: datetime) -> bool:
        return not alert.told and alert.gone is None and (now - alert.since).total_seconds() >= alert.condition.hold

    def _over(self, alert: Alert, now: datetime) -> bool:
        return alert.firing and alert.gone is not None and _seconds(alert.gone, now) >= self._patience.settle

    def _forgotten(self, alert: Alert, now: datetime) -> bool:
        told = alert.told is not None and _seconds(alert.told, now) >= self._patience.reminder
        return told and alert.gone is None and not self.silenced(alert.condition, now)

    def _tell(self, turn: Turn, kind: Kind, alerts: list[Alert], now: datetime) -> None:
        if alerts:
            turn.notices.append(Notice(kind, copies(alerts), now, first=self._first and kind == "raised"))

    def _refresh(self, turn: Turn, now: datetime) -> None:
        told = [a for a in self.firing if a.told]
        if told and _seconds(self._refreshed, now) >= self._patience.refresh:
            self._refreshed = now
            self._tell(turn, "refresh", told, now)


def copies(alerts: Iterable[Alert]) -> tuple[Alert, ...]:
    """Return alerts as they are now: a notice may wait while they change."""
    return tuple(replace(a, owed=set(a.owed)) for a in alerts)


def _seconds(begin: datetime, end: datetime) -> float:
    return (end - begin).total_seconds()
