"""HTTP side of replays, for operators."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from dlq_monitor.access.door import Calling
from dlq_monitor.api.choosing import Which, chosen
from dlq_monitor.api.letters import Actor, Reason
from dlq_monitor.decisions import Decisions
from dlq_monitor.desk import Desk
from dlq_monitor.model import OPEN
from dlq_monitor.replaying.model import Replay, Wish
from dlq_monitor.replaying.planning import Plan, planned
from dlq_monitor.replaying.replaying import RefusedReplayError, Replaying, UnknownReplayError
from dlq_monitor.resending import Target
from warren.contracts import rfc3339
from warren.topology import Topology

Name = Annotated[str, StringConstraints(max_length=255)]


class Elsewhere(BaseModel):
    """Another exchange and key than those that lead to the queue a letter died in."""

    model_config = ConfigDict(extra="forbid")
    exchange: Name
    key: Name


class NewReplay(BaseModel):
    """Which letters, how, who asks for it and why. `rate`: letters a second; none: full speed."""

    model_config = ConfigDict(extra="forbid")
    actor: Actor | None = None
    reason: Reason = ""
    letters: Which
    to: Elsewhere | None = None
    rate: Annotated[float, Field(gt=0, le=100_000)] | None = None
    canary: bool = True
    max_failures: Annotated[int, Field(ge=0)] = 10
    dry_run: bool = False


class By(BaseModel):
    """Who does it, and perhaps why."""

    model_config = ConfigDict(extra="forbid")
    actor: Actor | None = None
    reason: Reason = ""


def shown_plan(plan: Plan) -> dict[str, Any]:
    """Return a plan as JSON."""
    return {
        "total": len(plan.numbers),
        "parts": [
            {
                "queue": p.queue or None,
                "exchange": p.exchange,
                "type": p.type or None,
                "count": p.count,
                "outcome": p.outcome,
                "at_least_once": p.at_least_once,
            }
            for p in plan.parts
        ],
        "at_least_once": sum(p.count for p in plan.parts if p.at_least_once),
        "busy": plan.busy,
        "unsendable": plan.unsendable,
    }


def router(
    desk: Desk,
    decisions: Decisions,
    replaying: Replaying,
    topology: Topology,
    dead_queues: Collection[str],
    guard: Callable[..., Any],
) -> APIRouter:
    """Return the routes, open to whoever holds a token."""
    routes = APIRouter(prefix="/replays", dependencies=[Depends(guard)], tags=["replays"])

    def shown(replay: Replay) -> dict[str, Any]:
        wish = replay.wish
        counts = replay.counts or desk.statuses_of(replay.plan)
        return {
            "id": replay.id,
            "state": replay.state,
            "why": replay.why or None,
            "actor": wish.actor,
            "reason": wish.reason or None,
            "letters": dict(wish.choice),
            "to": {"exchange": wish.to.exchange, "key": wish.to.key} if wish.to else None,
            "rate": wish.rate,
            "canary": wish.canary,
            "max_failures": wish.max_failures,
            "made": rfc3339(replay.made),
            "ended": rfc3339(replay.ended) if replay.ended else None,
            "total": len(replay.plan),
            "sent": replay.sent,
            "awaited": counts.get("replayed", 0),
            "resolved": counts.get("resolved", 0),
            "returned": counts.get("returned", 0),
            "refused": len(replay.refused),
            "open": sum(counts.get(s, 0) for s in OPEN),
        }

    def known(end: str) -> Replay:
        try:
            return replaying.one(end)
        except UnknownReplayError as e:
            raise HTTPException(404, str(e)) from None

    @routes.post("", summary="Send letters again; `dry_run` only says what would go where")
    async def begin(wanted: NewReplay, caller: Calling) -> dict[str, Any]:
        actor = caller.actor(wanted.actor)
        to = Target(wanted.to.exchange, wanted.to.key) if wanted.to else None
        letters = await chosen(wanted.letters, desk, decisions)
        plan = planned(letters, topology, to=to, dead_queues=dead_queues, busy=desk.claimed)
        if wanted.dry_run:
            return {"plan": shown_plan(plan), "replay": None}
        if not plan.numbers:
            raise HTTPException(409, "no open letters of that kind can be sent")
        choice = wanted.letters.model_dump(mode="json", exclude_defaults=True)
        wish = Wish(actor, wanted.reason, choice, to, wanted.rate, wanted.canary, wanted.max_failures)
        replay = await replaying.begin(plan, wish)
        return {"plan": shown_plan(plan), "replay": shown(replay)}

    @routes.get("", summary="Replays, the newest first")
    async def listed() -> dict[str, Any]:
        found = replaying.all()
        return {"total": len(found), "items": [shown(r) for r in found]}

    @routes.get("/{end}", summary="One replay; the end of its id is enough if no other has it")
    async def one(end: str) -> dict[str, Any]:
        return shown(known(end))

    @routes.post("/{end}/cancel", summary="Send no more; what was sent is sent")
    async def cancel(end: str, by: By, caller: Calling) -> dict[str, Any]:
        replay = known(end)
        try:
            await replaying.cancel(replay, caller.actor(by.actor), by.reason)
        except RefusedReplayError as e:
            raise HTTPException(409, str(e)) from None
        return shown(replay)

    @routes.post("/{end}/resume", summary="Go on with one that was cancelled, or stopped by itself")
    async def resume(end: str, by: By, caller: Calling) -> dict[str, Any]:
        replay = known(end)
        try:
            await replaying.resume(replay, caller.actor(by.actor))
        except RefusedReplayError as e:
            raise HTTPException(409, str(e)) from None
        return shown(replay)

    return routes
