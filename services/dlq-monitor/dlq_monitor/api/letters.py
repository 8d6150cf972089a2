"""HTTP side of the letters, for operators."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, HTTPException, Query
from pydantic import BaseModel, ConfigDict, StringConstraints, model_validator

from dlq_monitor.access.door import Caller, Calling
from dlq_monitor.api.choosing import Which, chosen
from dlq_monitor.decisions import Decisions, RefusedError, UnknownLetterError
from dlq_monitor.desk import Desk
from dlq_monitor.groups import Choice
from dlq_monitor.model import OPEN, Body, Letter, Status, Step
from dlq_monitor.resending import own_headers
from dlq_monitor.tagging import shown, tagged
from warren.contracts import rfc3339

MAX_PAGE = 1000

Actor = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=128)]
Reason = Annotated[str, StringConstraints(strip_whitespace=True, max_length=1000)]
Text = Annotated[str | None, Query(max_length=300)]


class Replay(BaseModel):
    """Who sends it again, and perhaps why."""

    model_config = ConfigDict(extra="forbid")
    actor: Actor | None = None
    reason: Reason = ""


class Discard(BaseModel):
    """Who gives it up, and why."""

    model_config = ConfigDict(extra="forbid")
    actor: Actor | None = None
    reason: Annotated[Reason, StringConstraints(min_length=1)]


class DiscardMany(BaseModel):
    """Who gives which letters up, and why; a dry run needs no reason."""

    model_config = ConfigDict(extra="forbid")
    actor: Actor | None = None
    reason: Reason = ""
    letters: Which
    dry_run: bool = False

    @model_validator(mode="after")
    def _reasoned(self) -> DiscardMany:
        if not self.reason and not self.dry_run:
            raise ValueError("say why")
        return self


def choice(
    queue: Text = None,
    type: Text = None,  # noqa: A002 - the name in the query
    cause: Text = None,
    group: Annotated[str | None, Query(pattern="^[0-9a-f]{1,12}$")] = None,
    status: Annotated[Status | Literal["open"] | None, Query(description="open: new, held or retrying")] = None,
    since: datetime | None = None,
) -> Choice:
    """Read a choice of letters from a query."""
    moment = since.replace(tzinfo=UTC) if since and since.tzinfo is None else since
    statuses = None if status is None else frozenset(OPEN if status == "open" else (status,))
    return Choice(queue, type, cause, group, statuses, moment)


def row(letter: Letter) -> dict[str, Any]:
    """Return a letter as one line of a list."""
    return {
        "id": letter.id,
        "message_id": letter.message_id or None,
        "queue": letter.queue,
        "type": letter.type or None,
        "cause": letter.cause.type,
        "group": letter.group,
        "status": letter.status,
        "time": rfc3339(letter.died_at),
    }


def whole(letter: Letter, *, data: bool = True) -> dict[str, Any]:
    """Return all that is known of a letter, or all but the `data` of its body.

    Values of types that JSON has not are tagged (see `tagging`). `headers` are as people read them, `editable` has
    those that an edit may give back, with their types.
    """
    return {
        **row(letter),
        "cause": {"type": letter.cause.type, "message": letter.cause.message, "where": letter.cause.where},
        "dead_queue": letter.dead_queue,
        "service": letter.service,
        "attempt": letter.attempt,
        "replays": letter.replays,
        "exchange": letter.exchange,
        "routing_key": letter.routing_key,
        "trace": letter.trace,
        "due": rfc3339(letter.due) if letter.due else None,
        "first": rfc3339(letter.first),
        "last": rfc3339(letter.last),
        "seen": letter.seen,
        "properties": shown(letter.properties),
        "headers": shown(letter.headers),
        "editable": {"headers": tagged(own_headers(letter.headers))},
        "body": _body(letter.body, data=data),
        "replaces": letter.replaces or None,
        "replaced_by": letter.replaced_by or None,
        "history": steps(letter.history),
    }


def steps(history: Sequence[Step]) -> list[dict[str, Any]]:
    """Return a history, the oldest step first."""
    return [
        {"action": s.action, "actor": s.actor, "reason": s.reason, "time": rfc3339(s.time), "letter": s.letter or None}
        for s in history
    ]


def _body(body: Body, *, data: bool) -> dict[str, Any]:
    about = {"size": body.size, "sha256": body.sha256, "complete": body.complete}
    if not data:
        return about
    try:
        return {**about, "encoding": "utf-8", "data": body.data.decode()}
    except UnicodeDecodeError:
        return {**about, "encoding": "base64", "data": base64.b64encode(body.data).decode()}


def router(desk: Desk, decisions: Decisions, guard: Callable[..., Any]) -> APIRouter:
    """Return the routes, open to whoever holds a token."""
    routes = APIRouter(prefix="/letters", dependencies=[Depends(guard)], tags=["letters"])

    @routes.get("", summary="Letters, the newest first; `next` of one page is `before` of the next")
    async def page(
        choice: Annotated[Choice, Depends(choice)],
        limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
        before: Annotated[int | None, Query(ge=0)] = None,
    ) -> dict[str, Any]:
        found = await desk.page(choice, limit=limit, before=before)
        return {"total": found.total, "items": [row(x) for x in found.letters], "next": found.next}

    @routes.get("/{prefix}", summary="One letter, whole; the beginning of its id is enough if no other has it")
    async def one(
        prefix: str, body: Annotated[bool, Query(description="with what is in its body")] = True
    ) -> dict[str, Any]:
        try:
            return whole(await decisions.letter(prefix), data=body)
        except UnknownLetterError as e:
            raise HTTPException(404, str(e)) from None

    @routes.post("/discard", summary="Give many letters up; `dry_run` only counts them")
    async def discard_many(wanted: DiscardMany, caller: Calling) -> dict[str, Any]:
        actor = caller.actor(wanted.actor)
        numbers = sorted(n for _, some in await chosen(wanted.letters, desk, decisions) for n in some)
        free = [n for n in numbers if n not in desk.claimed]
        gone = 0 if wanted.dry_run else await decisions.discard_all(free, actor, wanted.reason)
        return {"total": len(free), "busy": len(numbers) - len(free), "discarded": gone}

    @routes.post("/{prefix}/replay", summary="Send it to the queue it died in")
    async def replay(prefix: str, who: Replay, caller: Calling) -> dict[str, Any]:
        return await _decided(decisions.replay, prefix, who, caller)

    @routes.post("/{prefix}/discard", summary="Give it up; it stays on record")
    async def discard(prefix: str, who: Discard, caller: Calling) -> dict[str, Any]:
        return await _decided(decisions.discard, prefix, who, caller)

    @routes.post("/{prefix}/restore", summary="Take its discarding back")
    async def restore(prefix: str, who: Replay, caller: Calling) -> dict[str, Any]:
        return await _decided(decisions.restore, prefix, who, caller)

    return routes


async def _decided(decide: Callable[..., Any], prefix: str, who: Replay | Discard, caller: Caller) -> dict[str, Any]:
    try:
        return whole(await decide(prefix, caller.actor(who.actor), who.reason))
    except UnknownLetterError as e:
        raise HTTPException(404, str(e)) from None
    except RefusedError as e:
        raise HTTPException(409, str(e)) from None
