"""A dead letter: what died, where, why, and what was decided. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, get_args

from warren.contracts import now
from warren.contracts.events import DeadLetter, DeadLetterDiscarded, DeadLetterParked, DeadLetterReplayed
from warren.envelope import Event

Status = Literal["new", "held", "retrying", "replayed", "resolved", "returned", "discarded", "edited", "replaced"]
"""`new`: nothing was decided. `held`: it waits for people. `retrying`: a rule will send it. `replayed`: it was sent,
its outcome is awaited. `resolved`: its effect was seen. `returned`: it died again, and is open as a letter of its own.
`discarded`: it was given up. `edited`: it is an edited copy that does not yet take its original's place. `replaced`: an
edited copy took its place."""

OPEN: tuple[Literal["new", "held", "retrying"], ...] = ("new", "retrying", "held")
"""Those that something is still to be done about, the most urgent first."""

STATUSES: tuple[Status, ...] = get_args(Status)
Telling = type[DeadLetterParked | DeadLetterReplayed | DeadLetterDiscarded]
"""A contract that tells of a step in a letter's life."""


@dataclass(frozen=True, slots=True)
class Cause:
    """Why: the class of the error (or the broker's reason), its words, `file.py:function`."""

    type: str
    message: str = ""
    where: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One entry of a letter's history."""

    action: str
    actor: str
    reason: str
    time: datetime
    letter: str = ""
    """Another letter that it tells of."""


@dataclass(frozen=True, slots=True)
class Body:
    """A body as it came; `data` is only its beginning if it was longer than may be kept."""

    data: bytes
    size: int
    sha256: str

    @classmethod
    def of(cls, data: bytes, limit: int) -> Body:
        """Keep at most `limit` bytes."""
        return cls(data[:limit], len(data), hashlib.sha256(data).hexdigest())

    @property
    def complete(self) -> bool:
        """Whether nothing was cut off."""
        return len(self.data) == self.size


@dataclass(frozen=True, slots=True)
class Letter:
    """A parked message. `queue` is where it died; `exchange` and `routing_key` are those it had been sent with."""

    id: str
    queue: str
    dead_queue: str
    service: str
    message_id: str
    type: str
    cause: Cause
    attempt: int
    died_at: datetime
    exchange: str
    routing_key: str
    properties: Mapping[str, Any]
    headers: Mapping[str, Any]
    body: Body
    trace: str = ""
    status: Status = "new"
    first: datetime = field(default_factory=now)
    last: datetime = field(default_factory=now)
    seen: int = 1
    """How often it came out of the dead queue: more than once if this service died while parking it."""
    history: tuple[Step, ...] = ()
    replays: int = 0
    """How often it had been sent again before it died this time, by our own count."""
    group: str = ""
    number: int = 0
    """Letters are numbered in the order of parking."""
    due: datetime | None = None
    """When a rule acts on it, or looks at it again."""
    version: int = 0
    """Changes with each decision, so that two can't be made at once."""

    @property
    def is_open(self) -> bool:
        """Whether something is still to be done about it."""
        return self.status in OPEN

    @property
    def tells_of_letters(self) -> bool:
        """Whether it is itself one of the facts below: telling of its death would go round in circles."""
        return self.type.startswith("deadletter.")

    @property
    def replaces(self) -> str:
        """The letter that it is an edited copy of, or nothing."""
        return self._named_by("edited")

    @property
    def replaced_by(self) -> str:
        """The edited copy that took its place, or nothing."""
        return self._named_by("replaced")

    def _named_by(self, action: str) -> str:
        return next((s.letter for s in reversed(self.history) if s.action == action), "")

    @property
    def origin_known(self) -> bool:
        """Whether it is known which queue it died in."""
        return self.queue != self.dead_queue


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of a letter as it was read: its next status, and the steps that lead there."""

    letter: Letter
    status: Status
    steps: tuple[Step, ...]


PROPERTIES = ("message_id", "type", "timestamp", "app_id", "correlation_id", "content_type")


def properties_of(event: Event) -> dict[str, Any]:
    """Return all AMQP properties of a message that was read as one event."""
    time = event.time if event.timed else None
    own = (event.id, event.type, time, event.app, event.correlation_id, event.content_type)
    return {k: v for k, v in zip(PROPERTIES, own, strict=True) if v} | dict(event.extra)


def fact(letter: Letter, kind: Telling, step: Step) -> DeadLetter:
    """Return the fact that tells of a step."""
    return kind(
        letter=letter.id,
        message_id=letter.message_id or None,
        queue=letter.queue,
        type=letter.type or None,
        cause=letter.cause.type,
        actor=step.actor,
        reason=step.reason or None,
        time=step.time,
    )
