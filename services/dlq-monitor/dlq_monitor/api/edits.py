"""HTTP side of edited replays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, HTTPException
from pydantic import BaseModel, ConfigDict, Field

from dlq_monitor.access.door import Calling
from dlq_monitor.api.letters import Actor, Reason, whole
from dlq_monitor.decisions import Decisions, RefusedError, UnknownLetterError
from dlq_monitor.editing import Draft, Edit
from dlq_monitor.tagging import shown
from dlq_monitor.transfer import Base64, Table


class Text(BaseModel):
    """A body that is text."""

    model_config = ConfigDict(extra="forbid")
    encoding: Literal["utf-8"]
    data: str

    @property
    def bytes(self) -> bytes:
        """Return the body."""
        return self.data.encode()


class Binary(BaseModel):
    """A body of any bytes."""

    model_config = ConfigDict(extra="forbid")
    encoding: Literal["base64"]
    data: Base64

    @property
    def bytes(self) -> bytes:
        """Return the body."""
        return self.data


class EditedReplay(BaseModel):
    """What is to be otherwise, who wants it and why; what is left out stays as it is.

    `headers` take the place of all the sender's. A property of null goes. `dry_run` only checks, and shows
    what would go where.
    """

    model_config = ConfigDict(extra="forbid")
    actor: Actor | None = None
    reason: Reason = ""
    body: Annotated[Text | Binary, Field(discriminator="encoding")] | None = None
    headers: Table | None = None
    properties: dict[str, str | None] | None = None
    dry_run: bool = False

    @property
    def edit(self) -> Edit:
        """Return the edit."""
        return Edit(self.body.bytes if self.body else None, self.headers, self.properties)


def router(decisions: Decisions, guard: Callable[..., Any]) -> APIRouter:
    """Return the routes, open to those whom the guard lets in."""
    routes = APIRouter(prefix="/letters", dependencies=[Depends(guard)], tags=["letters"])

    @routes.post("/{prefix}/edit", summary="Send an edited copy in its place, once the contract takes it")
    async def edit(prefix: str, wanted: EditedReplay, caller: Calling) -> dict[str, Any]:
        actor, copy = caller.actor(wanted.actor), None
        try:
            if wanted.dry_run:
                letter, found = await decisions.draft(prefix, wanted.edit, actor, wanted.reason)
            else:
                letter, copy, found = await decisions.edit(prefix, wanted.edit, actor, wanted.reason)
        except UnknownLetterError as e:
            raise HTTPException(404, str(e)) from None
        except RefusedError as e:
            raise HTTPException(409, str(e)) from None
        return {"plan": _shown(found), "original": whole(letter), "letter": whole(copy) if copy else None}

    return routes


def _shown(found: Draft) -> dict[str, Any]:
    event = found.event
    return {
        "queue": found.way.queue,
        "exchange": event.exchange,
        "routing_key": event.routing_key,
        "type": event.type or None,
        "message_id": event.id,
        "checked": found.checked or None,
        "outcome": found.way.outcome,
        "at_least_once": found.way.at_least_once,
        "headers": shown(event.headers),
    }
