"""HTTP side of the rules: those in force."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Depends

from dlq_monitor.rules import Rules


def router(rules: Rules, guard: Callable[..., Any]) -> APIRouter:
    """Return the routes, open to whoever holds a token; times are in seconds."""
    routes = APIRouter(prefix="/rules", dependencies=[Depends(guard)], tags=["rules"])

    @routes.get("", summary="The rules in force, in the order in which they are tried")
    async def show() -> dict[str, Any]:
        return rules.model_dump(mode="json", exclude_none=True)

    return routes
