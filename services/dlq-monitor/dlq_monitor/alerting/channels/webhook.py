"""A webhook with all there is in plain JSON, and one in Slack's shape (which Mattermost and others take too)."""

from __future__ import annotations

from typing import Any

import httpx

from dlq_monitor.alerting import wording
from dlq_monitor.alerting.channels.base import FOR_PEOPLE, bearer, post
from dlq_monitor.alerting.model import Alert, Notice
from warren.contracts import rfc3339

MAX_LINES = 30
"""Alerts in one message of Slack's shape; it refuses long ones."""

MAX_LINE = 300


class WebhookChannel:
    """POSTs `{"kind", "time", "first", "title", "alerts": […]}`, with a bearer token if one is set."""

    name = "webhook"
    kinds = FOR_PEOPLE

    def __init__(self, http: httpx.AsyncClient, url: str, token: str = "") -> None:
        self._http = http
        self._url = url
        self._headers = bearer(token)

    async def send(self, notice: Notice) -> None:
        """Post it."""
        content = {
            "kind": notice.kind,
            "time": rfc3339(notice.time),
            "first": notice.first,
            "title": wording.title(notice),
            "alerts": [plain(a) for a in notice.alerts],
        }
        await post(self._http, self._url, json=content, headers=self._headers)


class SlackChannel:
    """POSTs `{"text": …}` in Slack's mark-up to an incoming webhook."""

    name = "slack"
    kinds = FOR_PEOPLE

    def __init__(self, http: httpx.AsyncClient, url: str) -> None:
        self._http = http
        self._url = url

    async def send(self, notice: Notice) -> None:
        """Post it."""
        lines = [f"*{_escaped(wording.title(notice))}*"]
        lines += [f"{wording.mark(a)} {_escaped(wording.line(a)[:MAX_LINE])}" for a in notice.alerts[:MAX_LINES]]
        if len(notice.alerts) > MAX_LINES:
            lines.append(f"and {len(notice.alerts) - MAX_LINES} more")
        await post(self._http, self._url, json={"text": "\n".join(lines)})


def plain(alert: Alert) -> dict[str, Any]:
    """Return an alert as JSON; the HTTP API shows the same."""
    c = alert.condition
    return {
        "id": alert.id,
        "alert": c.alert,
        "severity": c.severity,
        "summary": c.summary,
        "labels": dict(c.labels),
        "state": alert.state,
        "since": rfc3339(alert.since),
        "raised": rfc3339(alert.raised) if alert.raised else None,
        "cleared": rfc3339(alert.cleared) if alert.cleared else None,
    }


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
