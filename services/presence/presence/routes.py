"""HTTP side of presence: members, revs and names for gateways."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Query
from pydantic import BaseModel, Field

from presence.views import Views

MAX_MEMBERS = 10_000
MAX_ROOMS = 5000


class RevsQuery(BaseModel):
    """Rooms whose revs are wanted."""

    rooms: Annotated[list[str], Field(max_length=MAX_ROOMS)]


def router(views: Views, guard: Callable[..., None]) -> APIRouter:
    """Return the routes, open to holders of the service token."""
    routes = APIRouter(dependencies=[Depends(guard)], tags=["presence"])

    @routes.get("/rooms/{room:path}/members", summary="Who is in a room, as of its rev")
    async def members(room: str, limit: Annotated[int, Query(ge=1, le=MAX_MEMBERS)] = 1000) -> dict[str, Any]:
        found = await views.room(room, limit)
        return {"members": [m.model_dump() for m in found.members], "count": found.count, "rev": found.rev}

    @routes.post("/revs", summary="The rev of each room: it grows with each change of its members")
    async def revs(query: RevsQuery) -> dict[str, dict[str, int]]:
        return {"revs": await views.revs(query.rooms)}

    @routes.get("/users/{user:path}", summary="A user's name since the last rename")
    async def user(user: str) -> dict[str, str]:
        name = await views.name(user)
        if name is None:
            raise HTTPException(404, "this user was never renamed")
        return {"id": user, "name": name}

    return routes
