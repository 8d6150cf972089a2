"""HTTP side of the record: search, chains, verification."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response, StreamingResponse

from audit import search
from audit.repository import Records
from audit.verifying import verify

MAX_PAGE = 1000

Moment = Annotated[datetime | None, Query(description="RFC 3339; UTC where no offset is given")]
Token = Annotated[str | None, Query(min_length=1, max_length=255)]


def router(records: Records, guard: Callable[..., Awaitable[None]]) -> APIRouter:
    """Return the routes, open to holders of the service token."""
    routes = APIRouter(dependencies=[Depends(guard)], tags=["audit"])

    @routes.get("/records", summary="Records by what they are about; all that is given must hold")
    async def find(
        trace: Token = None,
        room: Token = None,
        user: Token = None,
        type: Token = None,  # noqa: A002 - the name of the parameter in the URL
        message: Annotated[Token, Query(description="The client's id of a message, or an AMQP message_id")] = None,
        since: Moment = None,
        until: Moment = None,
        limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 100,
        order: Literal["newest", "oldest"] = "newest",
    ) -> Response:
        chains = await records.chains()
        query = search.Query(
            trace=trace,
            room=room,
            user=user,
            type=type,
            message=message,
            since=_utc(since),
            until=_utc(until),
            newest_first=order == "newest",
            limit=limit,
        )
        found = await search.search(records, query, datetime.fromisoformat(chains[0].opened)) if chains else []
        return _json({"records": found})

    @routes.get("/chains", summary="Every chain: how far it goes, how far it is sealed")
    async def chains() -> Response:
        found = [
            {
                **asdict(await records.head(c.sealed)),
                "opened": c.opened,
                "writer": c.writer,
                "sealed": c.sealed.n,
            }
            for c in await records.chains()
        ]
        return _json({"chains": found})

    @routes.get("/verify", summary="Walk the chains; with progress=true one JSON line per step, the result last")
    async def walk(chain: Token = None, progress: bool = False) -> Response:
        if progress:
            return StreamingResponse(_lines(records, chain), media_type="application/x-ndjson")
        result: dict[str, Any] = {}
        async for report in verify(records, chain):
            result = report.result()
        return _json(result)

    return routes


async def _lines(records: Records, chain: str | None) -> AsyncIterator[bytes]:
    result: dict[str, Any] = {}
    async for report in verify(records, chain):
        result = report.result()
        yield orjson.dumps(report.progress(), option=orjson.OPT_APPEND_NEWLINE)
    yield orjson.dumps(result, option=orjson.OPT_APPEND_NEWLINE)


def _json(content: Any) -> Response:
    """Answer without a second validation of what may be a thousand records."""
    return Response(orjson.dumps(content), media_type="application/json")


def _utc(moment: datetime | None) -> datetime | None:
    if moment is None or moment.tzinfo is not None:
        return moment
    return moment.replace(tzinfo=UTC)
