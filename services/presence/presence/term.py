"""What one process knows in memory while it is the active one: from taking over to the first failure.

Between applying a batch and storing it, memory is ahead of the store. Readers then see what was before the batch: a
`rev` must never be shown that a crash could give to another change.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from presence.changes import Changes, Diff
from presence.lease import Leases
from presence.model import State
from presence.records import Stored, StoredSession, Write
from warren.contracts.events import Member

log = logging.getLogger(__name__)

MAX_REVS = 20_000
"""Rooms whose `rev` is kept in memory."""


class Term:
    """State, revs and leases of the active process."""

    def __init__(self, stored: Stored, leases: Leases, now: float, *, unique_names: bool = False) -> None:
        self.state = State(stored.sessions, stored.dead, unique_names=unique_names)
        self.revs: dict[str, int] = {}
        self.leases = leases
        for gateway in self.state.gateways:
            leases.renew(gateway, now)
        self._number = stored.number
        self._changes: Changes | None = None
        self._unheard: set[str] = set()

    @contextmanager
    def changing(self) -> Iterator[Changes]:
        """Begin a batch; its changes are shown from `committed` on."""
        if len(self.revs) > MAX_REVS:
            self.revs.clear()
        changes = self._changes = Changes()
        yield changes
        self._changes = None

    def heard(self, gateway: str, now: float) -> None:
        """Renew a gateway's lease, unless it is dead."""
        if gateway not in self.state.dead:
            self.leases.renew(gateway, now)
        elif gateway not in self._unheard:
            self._unheard.add(gateway)
            log.warning("a dead gateway is not heard before its whole table", extra={"fields": {"gateway": gateway}})

    def learn_revs(self, stored: Mapping[str, int]) -> None:
        """Take in what was read from the store; what is known is newer."""
        for room, rev in stored.items():
            self.revs.setdefault(room, rev)

    def write(self, diffs: Sequence[Diff], changes: Changes) -> Write | None:
        """Return what the store has to know, None if nothing."""
        state = self.state
        new: list[StoredSession] = []
        changed: list[StoredSession] = []
        removed: list[str] = []
        for session, was_stored in changes.sessions.items():
            now = state.stored(session)
            if now is not None:
                (changed if was_stored else new).append(now)
            elif was_stored:
                removed.append(session)
        renames = {user: rename for user in changes.names if (rename := state.names[user]) is not None}
        seen = {user: gone for user, gone in changes.gone.items() if user not in state.people}
        if not (diffs or new or changed or removed or renames or seen or changes.gateways):
            return None
        return Write(
            self._number + 1,
            {d.room: self.revs[d.room] + 1 for d in diffs},
            new,
            changed,
            removed,
            renames,
            seen,
            [g for g in changes.gateways if g in state.dead],
            [g for g in changes.gateways if g not in state.dead],
        )

    def committed(self, write: Write) -> None:
        """Show what is stored now."""
        self._number = write.number
        self.revs.update(write.revs)
        self._changes = None

    def members(self, room: str, limit: int) -> tuple[list[Member] | None, int]:
        """Return the members of a room as it is stored, None if there are more than `limit`, and how many there are."""
        if self._changes is not None and room in self._changes.rooms:
            count = self.state.count_before(room, self._changes)
            return (list(self.state.before(room, self._changes).values()) if count <= limit else None), count
        count = self.state.count(room)
        return (self.state.members(room) if count <= limit else None), count
