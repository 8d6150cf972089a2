"""HTTP side of alerts, silences and channels, for operators."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, HTTPException, Query
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from dlq_monitor.access.door import Calling
from dlq_monitor.alerting.alerting import Alerting, UnknownError
from dlq_monitor.alerting.channels.base import DeliveryError
from dlq_monitor.alerting.channels.webhook import plain
from dlq_monitor.alerting.model import Alert, Silence
from warren.contracts import now, rfc3339
from warren.ids import uuid7

MAX_SILENCE_SECONDS = 30 * 24 * 3600

Actor = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=128)]
Pattern = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300)]


class By(BaseModel):
    """Who does it."""

    model_config = ConfigDict(extra="forbid")
    actor: Actor | None = None


class NewSilence(By):
    """Which alerts, for how many seconds, and why. `*` stands for anything in names and values."""

    alert: Pattern
    labels: dict[str, Pattern] = Field(default_factory=dict, max_length=10)
    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)]
    seconds: Annotated[int, Field(ge=1, le=MAX_SILENCE_SECONDS)]


def shown(silence: Silence) -> dict[str, Any]:
    """Return a silence as JSON."""
    return {
        "id": silence.id,
        "alert": silence.alert,
        "labels": dict(silence.labels),
        "actor": silence.who,
        "reason": silence.why,
        "since": rfc3339(silence.since),
        "until": rfc3339(silence.until),
        "ended_by": silence.ended_by or None,
    }


def router(alerting: Alerting, guard: Callable[..., Any]) -> APIRouter:
    """Return the routes, open to whoever holds a token."""
    routes = APIRouter(dependencies=[Depends(guard)], tags=["alerts"])

    def row(alert: Alert) -> dict[str, Any]:
        silence = None if alert.cleared else alerting.book.silenced(alert.condition, now())
        more = {"silence": silence.id if silence else None, "owed": sorted(alert.owed)}
        return plain(alert) | more

    @routes.get(
        "/alerts", summary="Alerts that fire (the oldest first), that begin to, or that are over (newest first)"
    )
    async def alerts(
        state: Literal["firing", "pending", "cleared"] = "firing",
        limit: Annotated[int, Query(ge=1, le=1000)] = 200,
    ) -> dict[str, Any]:
        if state == "cleared":
            found = await alerting.past(limit)
        else:
            found = [a for a in alerting.book.alerts if a.state == state]
        return {"total": len(found), "items": [row(a) for a in found[:limit]]}

    @routes.get("/alerts/channels", summary="Who is told, and whether that works")
    async def channels() -> dict[str, Any]:
        items = [
            {"name": name, "status": "warning" if c.reason else "ok", "reason": c.reason, "waiting": c.waiting}
            for name, c in alerting.couriers.items()
        ]
        return {"items": items}

    @routes.post(
        "/alerts/test/{channel}",
        summary="Send a test through a channel now; 502 says why it failed",
        responses={502: {}},
    )
    async def test(channel: str, who: By, caller: Calling) -> dict[str, Any]:
        try:
            await alerting.test(channel, caller.actor(who.actor))
        except UnknownError as e:
            raise HTTPException(404, str(e)) from None
        except DeliveryError as e:
            raise HTTPException(502, f"{channel} failed: {e}") from None
        return {"channel": channel, "delivered": True}

    @routes.get("/silences", summary="Silences that hold now")
    async def silences() -> dict[str, Any]:
        held = [s for s in alerting.book.silences.values() if s.until > now()]
        return {"items": [shown(s) for s in sorted(held, key=lambda s: s.until)]}

    @routes.post("/silences", summary="Keep alerts from being told for a time", status_code=201)
    async def silence(new: NewSilence, caller: Calling) -> dict[str, Any]:
        moment = now()
        until = moment + timedelta(seconds=new.seconds)
        made = Silence(uuid7(), new.alert, new.labels, caller.actor(new.actor), new.reason, moment, until)
        await alerting.silence(made)
        return shown(made)

    @routes.post("/silences/{silence_id}/end", summary="End a silence now; what still fires is told")
    async def end(silence_id: str, who: By, caller: Calling) -> dict[str, Any]:
        try:
            return shown(await alerting.unsilence(silence_id, caller.actor(who.actor)))
        except UnknownError as e:
            raise HTTPException(404, str(e)) from None

    return routes
