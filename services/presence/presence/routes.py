"""HTTP side of presence: members, revs and names for gateways."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from presence.views import RoomView, Views

MAX_MEMBERS = 10_000
MAX_ROOMS = 5000
MAX_AT_ONCE = 100


class MembersQuery(BaseModel):
    """Rooms whose members are wanted; those of more than `limit` are only counted."""

    rooms: Annotated[list[str], Field(max_length=MAX_AT_ONCE)]
    limit: Annotated[int, Field(ge=1, le=MAX_MEMBERS)] = MAX_MEMBERS


class PageQuery(BaseModel):
    """The first `limit` members of a room whose ids come after `after`."""

    room: str
    after: str = ""
    limit: Annotated[int, Field(ge=1, le=1000)] = 200


class UsersQuery(BaseModel):
    """Users about whom something is wanted."""

    users: Annotated[list[str], Field(max_length=MAX_AT_ONCE)]


class RevsQuery(BaseModel):
    """Rooms whose revs are wanted."""

    rooms: Annotated[list[str], Field(max_length=MAX_ROOMS)]


def router(views: Views, guard: Callable[..., Awaitable[None]]) -> APIRouter:
    """Return the routes, open to holders of the service token."""
    routes = APIRouter(dependencies=[Depends(guard)], tags=["presence"])

    @routes.post("/members", summary="Who is in each room, as of its rev")
    async def members(query: MembersQuery) -> dict[str, dict[str, Any]]:
        return {"rooms": {room: _row(await views.room(room, query.limit)) for room in query.rooms}}

    @routes.post("/members/page", summary="Who is in a room, by user id, page by page")
    async def page(query: PageQuery) -> dict[str, Any]:
        found, more = await views.page(query.room, query.after, query.limit)
        return {**_row(found), "truncated": more}

    @routes.post("/revs", summary="The rev of each room: it grows with each change of its members")
    async def revs(query: RevsQuery) -> dict[str, dict[str, int]]:
        return {"revs": await views.revs(query.rooms)}

    @routes.post("/names", summary="The names of those users who were ever renamed")
    async def names(query: UsersQuery) -> dict[str, dict[str, str]]:
        return {"names": await views.names(query.users)}

    @routes.post("/people", summary="How users are: online, away, or when they were last seen")
    async def people(query: UsersQuery) -> dict[str, dict[str, Any]]:
        found = await views.people(query.users)
        return {"people": {user: member.model_dump(mode="json") for user, member in found.items()}}

    return routes


def _row(room: RoomView) -> dict[str, Any]:
    members = None if room.members is None else [m.model_dump(mode="json") for m in room.members]
    return {"members": members, "count": room.count, "rev": room.rev}
