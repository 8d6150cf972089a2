"""Prometheus' Alertmanager, by its API version 2. It forgets what is not repeated each few minutes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx

from dlq_monitor.alerting.channels.base import post
from dlq_monitor.alerting.model import Alert, Kind, Notice
from warren.contracts import now, rfc3339

VALID = timedelta(minutes=5)
"""How long an alert counts without being repeated, from when it is sent."""


class AlertmanagerChannel:
    """POSTs alerts to `<url>/api/v2/alerts`; grouping and repeating are its job, so it gets no reminders."""

    name = "alertmanager"
    kinds: frozenset[Kind] = frozenset({"raised", "cleared", "refresh", "test"})

    def __init__(self, http: httpx.AsyncClient, url: str) -> None:
        self._http = http
        self._url = f"{url.rstrip('/')}/api/v2/alerts"

    async def send(self, notice: Notice) -> None:
        """Post them all at once."""
        await post(self._http, self._url, json=[_shaped(a) for a in notice.alerts])


def _shaped(alert: Alert) -> dict[str, Any]:
    c = alert.condition
    labels = {**dict(c.labels), "alertname": c.alert, "severity": c.severity, "job": "warren"}
    return {
        "labels": {_name(k): v for k, v in labels.items()},
        "annotations": {"summary": c.summary},
        "startsAt": rfc3339(alert.raised or alert.since),
        "endsAt": rfc3339(alert.cleared or now() + VALID),
    }


def _name(label: str) -> str:
    """Names of labels are letters, digits and underscores there."""
    name = "".join(c if c.isascii() and (c.isalnum() or c == "_") else "_" for c in label)
    return f"_{name}" if name[:1].isdigit() else name
