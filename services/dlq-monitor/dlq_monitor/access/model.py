"""An entry of the record: who wanted to change what, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from dlq_monitor.access.tokens import Role
from warren.contracts import now
from warren.ids import uuid7

UNKNOWN = "unknown"
SERVICE_TOKEN = "service token"  # noqa: S105 - a name

Outcome = Literal["allowed", "denied"]
"""`denied`: the answer was 4xx. `allowed`: anything else; the status says whether it worked."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One change that was asked for; `actor` and `reason` are what the caller said, `who` is what the token says.

    `count` is how many alike it stands for: denials of unknown callers are told together, the last one in full.
    """

    who: str
    role: Role | None
    method: str
    path: str
    outcome: Outcome
    status: int
    actor: str | None = None
    reason: str | None = None
    count: int = 1
    time: datetime = field(default_factory=now)
    id: str = field(default_factory=uuid7)
    number: int = 0
