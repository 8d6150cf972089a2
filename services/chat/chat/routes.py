"""HTTP side of the log: history for gateways."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from chat.handlers import Partition
from chat.listing import MAX_LISTED, RoomList
from chat.model import Entry
from chat.reading.repository import Positions
from chat.repository import Entries, Page, Wanted
from warren.contracts import rfc3339
from warren.contracts.frames import MAX_SEQ
from warren.envelope import TRACEPARENT, trace_id_of
from warren.recent import Recent
from warren.topology import partition

MAX_PAGE = 200
MAX_PAGES = 50
MAX_ROOMS = 5000
MAX_READERS = 200


class PageQuery(BaseModel):
    """The first entries after `after`, else the last before `before`, else the newest."""

    room: str
    after: Annotated[int, Field(ge=0, le=MAX_SEQ)] | None = None
    before: Annotated[int, Field(ge=1, le=MAX_SEQ)] | None = None
    limit: Annotated[int, Field(ge=1, le=MAX_PAGE)] = 50


class PagesQuery(BaseModel):
    """Pages that are wanted."""

    pages: Annotated[list[PageQuery], Field(max_length=MAX_PAGES)]


class HeadsQuery(BaseModel):
    """Rooms whose heads are wanted."""

    rooms: Annotated[list[str], Field(max_length=MAX_ROOMS)]


class ReadsQuery(BaseModel):
    """Users and rooms whose positions are wanted."""

    readers: Annotated[list[tuple[str, str]], Field(max_length=MAX_READERS)]


def frame(entry: Entry) -> dict[str, Any]:
    """Return an entry as the frame that tells of it: `message`, `edited` or `deleted`."""
    body = {} if entry.kind == "deleted" else {"body": entry.body}
    return {
        "type": entry.kind,
        "room": entry.room,
        "seq": entry.seq,
        "id": entry.id,
        "user": {"id": entry.user.id, "name": entry.user.name},
        **({"target": entry.target} if entry.target else {}),
        **body,
        "time": rfc3339(entry.time),
        "trace": trace_id_of({TRACEPARENT: entry.traceparent}),
    }


def router(
    entries: Entries, positions: Positions, partitions: list[Partition], guard: Callable[..., Awaitable[None]]
) -> APIRouter:
    """Return the routes, open to holders of the service token."""
    routes = APIRouter(dependencies=[Depends(guard)], tags=["rooms"])
    listed = Recent(RoomList(entries, partitions))

    @routes.get("/rooms", summary="Rooms, the most recently active first")
    async def rooms(limit: Annotated[int, Query(ge=1, le=MAX_LISTED)] = 200) -> dict[str, Any]:
        found = (await listed())[:limit]
        return {"rooms": [{"room": r.room, "seq": r.seq, "time": rfc3339(r.time)} for r in found]}

    @routes.post("/reads", summary="The seq up to which each user has read each room, in the order asked for")
    async def reads(query: ReadsQuery) -> dict[str, list[int]]:
        known = await positions.of(query.readers)
        return {"reads": [known[reader] for reader in query.readers]}

    @routes.post("/pages", summary="Pages of rooms' logs, in the order asked for")
    async def pages(query: PagesQuery) -> dict[str, list[dict[str, Any]]]:
        wanted = [Wanted(p.room, p.after, p.before, p.limit) for p in query.pages]
        return {"pages": [_row(page) for page in await entries.pages(wanted)]}

    @routes.post("/heads", summary="The highest seq of each room")
    async def heads(query: HeadsQuery) -> dict[str, dict[str, int]]:
        known = {r: partitions[partition(r, len(partitions))].head(r) for r in query.rooms}
        missing = [r for r, head in known.items() if head is None]
        return {"heads": {**{r: h for r, h in known.items() if h is not None}, **await entries.heads(missing)}}

    return routes


def _row(page: Page) -> dict[str, Any]:
    return {"entries": [frame(e) for e in page.entries], "seq": page.seq, "truncated": page.truncated}
