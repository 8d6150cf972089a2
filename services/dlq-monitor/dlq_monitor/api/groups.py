"""HTTP side of the groups, for operators."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, HTTPException, Path, Query
from pydantic import BaseModel, ConfigDict, StringConstraints

from dlq_monitor.access.door import Calling
from dlq_monitor.api.letters import Actor, Reason, choice, steps
from dlq_monitor.desk import Desk, GroupNow
from dlq_monitor.fingerprint import DIGITS
from dlq_monitor.groups import Choice
from dlq_monitor.model import OPEN, STATUSES, Step
from warren.contracts import now, rfc3339

STEP = 3
"""Hours of one step of the small chart in a list."""

Prefix = Annotated[str, Path(pattern=f"^[0-9a-f]{{1,{DIGITS}}}$")]


class Saying(BaseModel):
    """What a person says of a group; what is left out stays as it is. Status `new` takes an earlier status back."""

    model_config = ConfigDict(extra="forbid")
    actor: Actor | None = None
    reason: Reason = ""
    note: Annotated[str, StringConstraints(max_length=4000)] | None = None
    owner: Annotated[str, StringConstraints(strip_whitespace=True, max_length=128)] | None = None
    status: Literal["new", "held", "resolved", "discarded"] | None = None


def line(found: GroupNow) -> dict[str, Any]:
    """Return a group as one line of a list.

    `count` is of the letters that are kept, `open` of those not dealt with; `series` counts those that were parked in
    the last seven days, in steps of three hours, the newest last.
    """
    group, kind = found.group, found.group.kind
    return {
        "id": group.id,
        "status": group.status(found.counts),
        "count": found.counts.total(),
        "open": sum(found.counts.get(s, 0) for s in OPEN),
        "queue": kind.queue,
        "type": kind.type or None,
        "cause": kind.cause,
        "message": kind.message,
        "where": kind.where or None,
        "first": rfc3339(group.first),
        "last": rfc3339(group.last),
        "owner": group.said.owner or None,
        "note": group.said.note or None,
        "series": group.series(now(), STEP),
    }


def whole(found: GroupNow) -> dict[str, Any]:
    """Return all that is known of a group; `hours` are those of the last seven days in which letters were parked."""
    group = found.group
    return {
        **line(found),
        "counts": {s: found.counts.get(s, 0) for s in STATUSES},
        "hours": [{"time": rfc3339(t), "count": n} for t, n in group.chart(now())],
        "history": steps(group.said.history),
    }


def router(desk: Desk, guard: Callable[..., Any]) -> APIRouter:
    """Return the routes, open to whoever holds a token."""
    routes = APIRouter(prefix="/groups", dependencies=[Depends(guard)], tags=["groups"])

    @routes.get("", summary="Groups of letters, the one with the newest letter first")
    async def groups(
        choice: Annotated[Choice, Depends(choice)], limit: Annotated[int | None, Query(ge=1)] = None
    ) -> dict[str, Any]:
        found = desk.groups(choice)
        return {"total": len(found), "items": [line(g) for g in found[:limit]]}

    @routes.get("/{prefix}", summary="One group; the beginning of its id is enough if no other has it")
    async def one(prefix: Prefix) -> dict[str, Any]:
        return whole(_only(desk, prefix))

    @routes.patch("/{prefix}", summary="Give it a note, an owner, a status")
    async def say(prefix: Prefix, saying: Saying, caller: Calling) -> dict[str, Any]:
        found = _only(desk, prefix)
        said = saying.model_dump(include={"note", "owner", "status"}, exclude_none=True)
        if not said:
            raise HTTPException(422, "say a note, an owner or a status")
        action = saying.status or " and ".join(said)
        await desk.say(
            found.group,
            Step(action, caller.actor(saying.actor), saying.reason, now()),
            note=saying.note,
            owner=saying.owner,
            verdict=None if saying.status == "new" else saying.status,
            clear=saying.status == "new",
        )
        return whole(found)

    return routes


def _only(desk: Desk, prefix: str) -> GroupNow:
    found = desk.groups(Choice(group=prefix))
    if len(found) != 1:
        raise HTTPException(404, "several groups begin with this id" if found else "no group has this id")
    return found[0]
