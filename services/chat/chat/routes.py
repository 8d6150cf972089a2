"""HTTP side of the log: history for gateways."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from chat.handlers import Partition
from chat.model import Entry
from chat.repository import Entries
from warren.contracts import rfc3339
from warren.contracts.frames import MAX_SEQ
from warren.envelope import TRACEPARENT, trace_id_of
from warren.topology import partition

MAX_PAGE = 200
MAX_ROOMS = 5000


class HeadsQuery(BaseModel):
    """Rooms whose heads are wanted."""

    rooms: Annotated[list[str], Field(max_length=MAX_ROOMS)]


def frame(entry: Entry) -> dict[str, Any]:
    """Return an entry as the `message` frame that tells of it."""
    return {
        "type": "message",
        "room": entry.room,
        "seq": entry.seq,
        "id": entry.id,
        "user": {"id": entry.user.id, "name": entry.user.name},
        "body": entry.body,
        "time": rfc3339(entry.time),
        "trace": trace_id_of({TRACEPARENT: entry.traceparent}),
    }


def router(entries: Entries, partitions: list[Partition], guard: Callable[..., None]) -> APIRouter:
    """Return the routes, open to holders of the service token."""
    routes = APIRouter(dependencies=[Depends(guard)], tags=["rooms"])

    @routes.get("/rooms", summary="Rooms, the most recently active first")
    async def rooms(limit: Annotated[int, Query(ge=1, le=1000)] = 200) -> dict[str, Any]:
        found = await entries.rooms(limit)
        return {"rooms": [{"room": r, "seq": seq, "time": rfc3339(e.time)} for r, seq, e in found]}

    @routes.get("/rooms/{room:path}/entries", summary="A page of a room's log")
    async def page(
        room: str,
        after: Annotated[int | None, Query(ge=0, le=MAX_SEQ)] = None,
        before: Annotated[int | None, Query(ge=1, le=MAX_SEQ)] = None,
        limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
    ) -> dict[str, Any]:
        found = await entries.page(room, after=after, before=before, limit=limit)
        return {"entries": [frame(e) for e in found.entries], "seq": found.seq, "truncated": found.truncated}

    @routes.post("/heads", summary="The highest seq of each room")
    async def heads(query: HeadsQuery) -> dict[str, dict[str, int]]:
        known = {r: partitions[partition(r, len(partitions))].head(r) for r in query.rooms}
        missing = [r for r, head in known.items() if head is None]
        return {"heads": {**{r: h for r, h in known.items() if h is not None}, **await entries.heads(missing)}}

    return routes
