"""Sentry, by its envelope endpoint: one event per alert. Its library would bring threads and hooks for one POST."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlsplit

import httpx
import orjson

from dlq_monitor.alerting import wording
from dlq_monitor.alerting.channels.base import FOR_PEOPLE, post
from dlq_monitor.alerting.model import Alert, Notice
from warren import __version__
from warren.contracts import rfc3339


@dataclass(frozen=True, slots=True)
class Dsn:
    """Where a project of Sentry takes events, and the key for it."""

    url: str
    key: str

    @classmethod
    def of(cls, text: str) -> Self:
        """Read `https://KEY@HOST[/PATH]/PROJECT`; raises `ValueError` for anything else."""
        parts = urlsplit(text)
        path, _, project = parts.path.rpartition("/")
        if parts.scheme not in {"http", "https"} or not parts.hostname or not parts.username or not project:
            raise ValueError("must be https://KEY@HOST/PROJECT")
        host = parts.netloc.rpartition("@")[2]
        return cls(f"{parts.scheme}://{host}{path}/api/{project}/envelope/", parts.username)


class SentryChannel:
    """Sends raised alerts as events of one issue each; what is cleared is an event of level info in that issue."""

    name = "sentry"
    kinds = FOR_PEOPLE

    def __init__(self, http: httpx.AsyncClient, dsn: Dsn) -> None:
        self._http = http
        self._dsn = dsn

    async def send(self, notice: Notice) -> None:
        """Post one envelope per alert; the same notice sent again is the same events."""
        key = f"Sentry sentry_version=7, sentry_client=warren/{__version__}, sentry_key={self._dsn.key}"
        headers = {"X-Sentry-Auth": key, "Content-Type": "application/x-sentry-envelope"}
        for alert in notice.alerts:
            await post(self._http, self._dsn.url, content=self._envelope(notice, alert), headers=headers)

    def _envelope(self, notice: Notice, alert: Alert) -> bytes:
        event = self._event(notice, alert)
        parts = ({"event_id": event["event_id"], "sent_at": rfc3339(notice.time)}, {"type": "event"}, event)
        return b"\n".join(orjson.dumps(p) for p in parts) + b"\n"

    def _event(self, notice: Notice, alert: Alert) -> dict[str, Any]:
        c = alert.condition
        identity = f"{alert.id} {notice.kind} {rfc3339(notice.time)}"
        return {
            "event_id": hashlib.sha256(identity.encode()).hexdigest()[:32],
            "timestamp": rfc3339(notice.time),
            "platform": "other",
            "level": "info" if alert.cleared else c.severity,
            "logger": "warren.alerts",
            "release": f"warren@{__version__}",
            "message": {"formatted": f"{notice.kind}: {wording.line(alert)}"},
            "fingerprint": ["warren", c.alert, *(f"{k}={v}" for k, v in sorted(c.labels.items()))],
            "tags": {**dict(c.labels), "alert": c.alert, "notice": notice.kind},
        }
