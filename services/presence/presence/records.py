"""What presence keeps in the store, as values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from warren.contracts import User
from warren.contracts.signals import SessionState


@dataclass(frozen=True, slots=True)
class StoredSession:
    """A session as it is stored, its status as of `since`.

    The name is the user's present one and `seen` when the user, now away, was last online: the same in all sessions
    of a user.
    """

    id: str
    gateway: str
    user: User
    rooms: Mapping[str, datetime]
    status: SessionState
    since: datetime
    seen: datetime | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """When a user who is gone was last online, and under which name."""

    name: str
    time: datetime


@dataclass(frozen=True, slots=True)
class Rename:
    """The last rename of a user; `ids` are those of the events that renamed, the last one last."""

    name: str
    was: str
    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Stored:
    """All that was stored; `number` is that of the journal, now this process's own."""

    number: int
    sessions: Sequence[StoredSession]
    dead: Sequence[str]


@dataclass(frozen=True, slots=True)
class Write:
    """What a batch has changed: batch `number` of the journal.

    All sessions of gateways that `died` are gone; they are not listed in `removed`.
    """

    number: int
    revs: Mapping[str, int] = field(default_factory=dict)
    new: Sequence[StoredSession] = ()
    changed: Sequence[StoredSession] = ()
    removed: Sequence[str] = ()
    renames: Mapping[str, Rename] = field(default_factory=dict)
    seen: Mapping[str, Seen] = field(default_factory=dict)
    died: Sequence[str] = ()
    revived: Sequence[str] = ()
