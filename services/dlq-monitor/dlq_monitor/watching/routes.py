"""HTTP side of watching: queues now, and over time for charts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Query

from dlq_monitor.watching.figures import Figures
from dlq_monitor.watching.findings import estimate
from dlq_monitor.watching.samples import History, Sample
from dlq_monitor.watching.watcher import Watcher
from warren.contracts import now, rfc3339

RECENT_SECONDS = 600
RECENT_POINTS = 40


def queue_row(name: str, history: History, found: Figures, limit: int) -> dict[str, Any]:
    """Return a queue as it is now; null is what is not known. `recent` are its depths of ten minutes, oldest first."""
    sample, traits = found.sample, history.traits
    return {
        "name": name,
        "kind": traits.kind or None,
        "delay": traits.delay,
        "depth": sample.depth,
        "ready": sample.ready,
        "unacked": sample.unacked,
        "consumers": sample.consumers,
        "rate_in": found.rate_in,
        "rate_out": found.rate_out,
        "trend_in": found.trend_in,
        "trend_out": found.trend_out,
        "growth": found.growth,
        "growing": found.growing,
        "drain_seconds": found.drain,
        "limit_seconds": found.fills,
        "estimate": "empty" if not sample.depth else estimate(found, limit),
        "oldest_seconds": found.age,
        "oldest_by": found.age_by,
        "recent": recent(history),
        "time": _moment(sample.time),
    }


def recent(history: History) -> list[int]:
    """Return some depths of the last ten minutes, evenly chosen, the newest last."""
    depths = [s.depth for s in history.since(history.last.time - RECENT_SECONDS)]
    every = -(-len(depths) // RECENT_POINTS)
    return depths[::-1][::every][::-1]


def router(watcher: Watcher, limit: int, guard: Callable[..., Any]) -> APIRouter:
    """Return the routes, open to whoever holds a token; they read what was seen last and ask nobody."""
    routes = APIRouter(dependencies=[Depends(guard)], tags=["queues"])

    @routes.get("/queues", summary="All queues now: depth, rates, estimate; and how the broker is")
    async def queues() -> dict[str, Any]:
        look = watcher.look
        return {
            "time": _moment(look.time) if look.time else None,
            "management": watcher.management,
            "broker": {
                "version": look.version or None,
                "nodes": [asdict(n) for n in look.nodes],
                "alarms": [asdict(a) for a in look.alarms],
                "blocked": list(look.blocked),
            },
            "missing": list(look.missing),
            "left_out": watcher.left_out,
            "items": [queue_row(name, h, f, limit) for name, (h, f) in watcher.figures().items()],
        }

    @routes.get("/queues/{name:path}/history", summary="One queue over time, the oldest first")
    async def history(
        name: str, seconds: Annotated[int, Query(ge=1, le=24 * 3600, description="how far back")] = 3600
    ) -> dict[str, Any]:
        found = watcher.history(name)
        if found is None:
            raise HTTPException(404, f"no queue {name} is watched")
        samples = found.since(now().timestamp() - seconds)
        return {"name": name, "samples": [_sample(s) for s in samples]}

    return routes


def _sample(sample: Sample) -> dict[str, Any]:
    return {
        "time": _moment(sample.time),
        "ready": sample.ready,
        "unacked": sample.unacked,
        "consumers": sample.consumers,
        "published": sample.published,
        "taken": sample.taken,
    }


def _moment(time: float) -> str:
    return rfc3339(datetime.fromtimestamp(time, UTC))
