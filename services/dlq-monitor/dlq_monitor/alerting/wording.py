"""Notices in words, for people. Pure."""

from __future__ import annotations

from dlq_monitor.alerting.model import Alert, Notice
from warren.contracts import rfc3339

_VERBS = {"raised": "raised", "reminder": "still firing", "cleared": "cleared", "refresh": "firing", "test": "test"}
MARKS = {"error": "🔴", "warning": "🟠", "info": "🔵"}
CLEARED = "🟢"

MAX_SUBJECT = 150


def title(notice: Notice) -> str:
    """Say it in one line."""
    verb, count = _VERBS[notice.kind], len(notice.alerts)
    if count == 1:
        alert = notice.alerts[0]
        return _cut(f"{verb}: {named(alert)}")
    names = ", ".join(dict.fromkeys(a.condition.alert for a in notice.alerts))
    since = " since the start of dlq-monitor" if notice.first else ""
    return _cut(f"{count} alerts {verb}{since}: {names}")


def line(alert: Alert) -> str:
    """Say one alert in one line."""
    return f"{named(alert)}: {alert.condition.summary}"


def named(alert: Alert) -> str:
    """Return an alert's name with the values of its labels."""
    values = " ".join(alert.condition.labels.values())
    return f"{alert.condition.alert} {values}".strip()


def mark(alert: Alert) -> str:
    """Return a coloured dot."""
    return CLEARED if alert.cleared else MARKS[alert.condition.severity]


def text(notice: Notice) -> str:
    """Say all of it, one paragraph per alert."""
    parts = []
    for alert in notice.alerts:
        times = f"since {rfc3339(alert.since)}"
        if alert.cleared:
            times += f", cleared {rfc3339(alert.cleared)}"
        parts.append(f"{alert.condition.severity}: {line(alert)}\n  {times}, id {alert.id}")
    return f"{title(notice)}\n\n" + "\n\n".join(parts) + "\n"


def _cut(words: str) -> str:
    plain = " ".join(words.split())
    return plain if len(plain) <= MAX_SUBJECT else plain[: MAX_SUBJECT - 1] + "…"
