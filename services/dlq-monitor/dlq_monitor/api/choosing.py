"""Which letters a request is about: the same words for replays and discardings."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import HTTPException
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from dlq_monitor.decisions import Decisions, UnknownLetterError
from dlq_monitor.desk import Desk
from dlq_monitor.fingerprint import Kind, kind_of
from dlq_monitor.groups import Choice
from dlq_monitor.model import OPEN

MAX_IDS = 1000

Text = Annotated[str, StringConstraints(min_length=1, max_length=300)]


class Which(BaseModel):
    """Letters: by ids, or by all else that is given; of those, the open ones. `all` where nothing else is."""

    model_config = ConfigDict(extra="forbid")
    ids: Annotated[list[Annotated[str, Field(pattern="^[0-9a-f]{1,32}$")]], Field(max_length=MAX_IDS)] | None = None
    queue: Text | None = None
    type: Text | None = None
    cause: Text | None = None
    group: Annotated[str, Field(pattern="^[0-9a-f]{1,12}$")] | None = None
    status: Literal["new", "held", "retrying", "open"] | None = None
    since: datetime | None = None
    all: bool = False

    @model_validator(mode="after")
    def _said(self) -> Which:
        given = self.model_dump(exclude={"ids", "all"}, exclude_none=True)
        if bool(self.ids) + bool(given) + self.all != 1:
            raise ValueError("say which letters: ids, or what they have in common, or all")
        return self

    @property
    def choice(self) -> Choice:
        """Return it as a choice of open letters."""
        statuses = frozenset(OPEN if self.status in {None, "open"} else (self.status,))
        since = self.since.replace(tzinfo=UTC) if self.since and self.since.tzinfo is None else self.since
        return Choice(self.queue, self.type, self.cause, self.group, statuses, since)  # type: ignore[arg-type]


async def chosen(which: Which, desk: Desk, decisions: Decisions) -> list[tuple[Kind, list[int]]]:
    """Return the numbers of these letters by what they are; raises 404 and 409 for ids of none that is open."""
    if not which.ids:
        return desk.chosen(which.choice)
    found: list[tuple[Kind, list[int]]] = []
    for id_ in dict.fromkeys(which.ids):
        try:
            letter = await decisions.letter(id_)
        except UnknownLetterError as e:
            raise HTTPException(404, f"{id_}: {e}") from None
        if not letter.is_open:
            raise HTTPException(409, f"{id_}: it is {letter.status}")
        found.append((kind_of(letter), [letter.number]))
    return found
