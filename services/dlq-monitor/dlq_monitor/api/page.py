"""What the page shows beside every view: how much asks for attention, and how the page is set up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Depends

from dlq_monitor.alerting.alerting import Alerting
from dlq_monitor.desk import Desk
from dlq_monitor.model import OPEN
from dlq_monitor.replaying.model import ENDED
from dlq_monitor.replaying.replaying import Replaying
from dlq_monitor.settings import DlqSettings
from dlq_monitor.watching.watcher import Watcher


def router(
    desk: Desk,
    replays: Replaying,
    alerting: Alerting,
    watcher: Watcher,
    settings: DlqSettings,
    guard: Callable[..., Any],
) -> APIRouter:
    """Return the route, open to whoever holds a token; it asks neither broker nor store."""
    routes = APIRouter(dependencies=[Depends(guard)], tags=["session"])

    @routes.get("/summary", summary="What asks for attention, in numbers; and how the page is set up")
    async def summary() -> dict[str, Any]:
        counts = desk.counts()
        return {
            "open": sum(counts.get(s, 0) for s in OPEN),
            "replays": sum(r.state not in ENDED for r in replays.all()),
            "alerts": sum(a.firing for a in alerting.book.alerts),
            "alarms": [f"{a.resource} of {a.node}" for a in watcher.look.alarms],
            "trace_url": settings.trace_url or None,
            "settle_seconds": settings.dlq_settle,
        }

    return routes
