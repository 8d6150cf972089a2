"""HTTP side of export and import."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from dlq_monitor.access.door import Calling
from dlq_monitor.api.letters import Actor, Reason, choice
from dlq_monitor.desk import Desk
from dlq_monitor.groups import Choice
from dlq_monitor.model import Step
from dlq_monitor.transfer import Line, exported
from warren.contracts import now

MAX_LINES = 100


class Import(BaseModel):
    """Letters from a file, and who brings them."""

    model_config = ConfigDict(extra="forbid")
    actor: Actor | None = None
    reason: Reason = ""
    letters: Annotated[list[Line], Field(min_length=1, max_length=MAX_LINES)]


def router(desk: Desk, guard: Callable[..., Any]) -> APIRouter:
    """Return the routes, open to whoever holds a token."""
    routes = APIRouter(prefix="/letters", dependencies=[Depends(guard)], tags=["letters"])

    @routes.get(
        "/export", summary="Letters whole, one line of JSON each, the oldest first; none that arrives meanwhile"
    )
    async def export(choice: Annotated[Choice, Depends(choice)]) -> StreamingResponse:
        desk.counts()  # an answer that has begun can't say any more that the letters are still being counted
        chosen = desk.export(choice)

        async def lines() -> AsyncIterator[bytes]:
            async for letter in chosen:
                yield orjson.dumps(exported(letter), option=orjson.OPT_APPEND_NEWLINE)

        return StreamingResponse(lines(), media_type="application/x-ndjson")

    @routes.post("/import", summary="Take letters in again; those that are here already stay as they are")
    async def take(given: Import, caller: Calling) -> dict[str, Any]:
        step = Step("imported", caller.actor(given.actor), given.reason, now())
        letters = [replace(x.letter, history=(*x.letter.history, step)) for x in given.letters]
        known = await desk.take(letters)
        return {"imported": len(letters) - known, "known": known}

    return routes
