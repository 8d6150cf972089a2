"""HTTP side of the door."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Depends

from dlq_monitor.access.door import Calling


def router(guard: Callable[..., Any]) -> APIRouter:
    """Return the routes, open to whoever holds a token."""
    routes = APIRouter(dependencies=[Depends(guard)], tags=["access"])

    @routes.get("/session", summary="Whose token this is; no name: the service token's")
    async def session(caller: Calling) -> dict[str, Any]:
        return {"name": caller.name, "role": caller.role}

    return routes
