"""What others may ask, right in every process: from memory where this is the active one, else from the store.

A process that was cut off takes itself for the active one until its connection is found lost, after some two and a
half heartbeats; till then it may answer with an older, but consistent, state.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import nsmallest
from typing import Protocol

from presence.handlers import Presence
from presence.repository import Repository
from presence.term import Term
from warren.contracts.events import Member


@dataclass(frozen=True, slots=True)
class RoomView:
    """A room as of `rev`: `count` are there; `members` is None where that are too many to list."""

    members: Sequence[Member] | None
    count: int
    rev: int


class Active(Protocol):
    """Says whether this process has the queue, as far as it knows (see `warren.messaging.Consumer`)."""

    @property
    def consuming(self) -> bool: ...


class Views:
    """Answers questions."""

    def __init__(self, presence: Presence, repository: Repository, queue: Active) -> None:
        self._presence = presence
        self._repository = repository
        self._queue = queue

    async def room(self, room: str, limit: int) -> RoomView:
        """Return who is in a room, their number only if there are more than `limit`."""
        if (term := self._term) is not None:
            await self._learn(term, [room])
            if term is self._term:
                members, count = term.members(room, limit)
                return RoomView(members, count, term.revs[room])
        rev, everyone = await self._repository.room(room)
        return RoomView(everyone if len(everyone) <= limit else None, len(everyone), rev)

    async def page(self, room: str, after: str, limit: int) -> tuple[RoomView, bool]:
        """Return the first `limit` members whose ids come after `after`, and whether there are more."""
        whole = await self.room(room, sys.maxsize)
        found = nsmallest(limit + 1, (m for m in whole.members or () if m.id > after), key=lambda m: m.id)
        return RoomView(found[:limit], whole.count, whole.rev), len(found) > limit

    async def people(self, users: Sequence[str]) -> dict[str, Member]:
        """Return how each user is; one who was in no room for long is not known."""
        term = self._term
        here = {user: found for user in users if (found := term.state.user(user))} if term else {}
        return await self._repository.people([u for u in users if u not in here]) | here

    async def revs(self, rooms: Sequence[str]) -> dict[str, int]:
        """Return the `rev` of each room, 0 for one where nobody ever was."""
        if (term := self._term) is not None:
            await self._learn(term, rooms)
            if term is self._term:
                return {room: term.revs[room] for room in rooms}
        return await self._repository.revs(rooms)

    async def names(self, users: Sequence[str]) -> dict[str, str]:
        """Return the names of those who were ever renamed; for the others the token's name holds."""
        return {user: rename.name for user, rename in (await self._repository.renames(users)).items() if rename}

    @property
    def _term(self) -> Term | None:
        return self._presence.term if self._queue.consuming else None

    async def _learn(self, term: Term, rooms: Sequence[str]) -> None:
        if missing := [room for room in rooms if room not in term.revs]:
            term.learn_revs(await self._repository.revs(missing))
