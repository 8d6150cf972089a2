"""HTTP side of the door: whose token it is, and the record of changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from dlq_monitor.access.door import Calling
from dlq_monitor.access.model import Entry
from dlq_monitor.access.record import Record
from warren.contracts import rfc3339

MAX_PAGE = 1000


def row(entry: Entry) -> dict[str, Any]:
    """Return an entry as JSON."""
    return {
        "time": rfc3339(entry.time),
        "who": entry.who,
        "role": entry.role,
        "method": entry.method,
        "path": entry.path,
        "outcome": entry.outcome,
        "status": entry.status,
        "actor": entry.actor,
        "reason": entry.reason,
        "count": entry.count,
    }


def router(record: Record, guard: Callable[..., Any]) -> APIRouter:
    """Return the routes, open to whoever holds a token."""
    routes = APIRouter(dependencies=[Depends(guard)], tags=["access"])

    @routes.get("/session", summary="Whose token this is; no name: the service token's")
    async def session(caller: Calling) -> dict[str, Any]:
        return {"name": caller.name, "role": caller.role}

    @routes.get(
        "/record", summary="Changes that were allowed or denied, the newest first; `next` is `before` of the next"
    )
    async def entries(
        limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
        before: Annotated[int | None, Query(ge=0)] = None,
    ) -> dict[str, Any]:
        found = await record.page(limit + 1, before)
        more = len(found) > limit
        return {"items": [row(e) for e in found[:limit]], "next": found[limit - 1].number if more else None}

    return routes
