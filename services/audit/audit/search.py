"""Finds records by what they are about, in order of time, without reading more than it must."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

import orjson

from audit.model import made_at, token
from warren.contracts import now, rfc3339

FIRST_SLICE = timedelta(seconds=10)
GROWTH = 4
"""Each slice of time that is searched is so many times longer than the one before it."""

ID_BEFORE, ID_AFTER = timedelta(seconds=5), timedelta(hours=1)
"""Around the time in a message's id: how far clocks differ, and how late its record may be."""

Found = dict[str, Any]


class Store(Protocol):
    """What a search needs of the store (see `audit.repository.Records`)."""

    def find(
        self, key: str | None, since: str | None, until: str | None, *, newest_first: bool
    ) -> AsyncIterator[dict[str, Any]]: ...


@dataclass(frozen=True, slots=True)
class Query:
    """All that is given must hold. `since` <= time of the record < `until`."""

    trace: str | None = None
    room: str | None = None
    user: str | None = None
    type: str | None = None
    message: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    newest_first: bool = True
    limit: int = 100

    @property
    def key(self) -> str | None:
        """The token that the fewest documents have."""
        for kind in ("trace", "message", "user", "room", "type"):
            if value := getattr(self, kind):
                return token(kind, value)
        return None

    @property
    def is_rare(self) -> bool:
        """Whether few documents can have the token, so that they need not be read slice by slice."""
        return bool(self.trace or self.message)

    def matches(self, entry: Mapping[str, Any]) -> bool:
        """Tell whether a record is wanted."""
        if self.message and self.message not in {entry.get("id"), entry.get("message_id")}:
            return False
        wanted = {"trace": self.trace, "room": self.room, "user": self.user, "type": self.type}
        return all(token(k, v) == f"{k}:{entry.get(k, '')}" for k, v in wanted.items() if v)


async def search(store: Store, query: Query, began: datetime) -> list[Found]:
    """Return what a query finds, at most `query.limit` records; there are none from before `began`."""
    found = [f async for f in _search(store, query, began, query.key)]
    sent = made_at(query.message) if query.message and not found else None
    if sent is not None:  # the AMQP id of a traced message is no token, but says when it was made
        near = replace(query, since=query.since or sent - ID_BEFORE, until=query.until or sent + ID_AFTER)
        key = replace(near, message=None).key
        found = [f async for f in _search(store, near, began, key)]
    return found


async def _search(store: Store, query: Query, began: datetime, key: str | None) -> AsyncIterator[Found]:
    since, until = max(query.since or began, began), min(query.until or _soon(), _soon())
    left = query.limit
    whole = iter([(since, until)])
    parts = whole if query.is_rare and key else slices(since, until, newest_first=query.newest_first)
    for start, end in parts:
        documents = store.find(key, rfc3339(start), rfc3339(end), newest_first=query.newest_first)
        async for document in documents:
            entries = [orjson.loads(text) for text in document["entries"]]
            ordered = reversed(entries) if query.newest_first else entries
            for entry in ordered:
                if query.matches(entry):
                    yield {
                        **entry,
                        "received": document["time"],
                        "chain": document["chain"],
                        "n": document["n"],
                    }
                    left -= 1
                    if left == 0:
                        return


def slices(since: datetime, until: datetime, *, newest_first: bool) -> Iterator[tuple[datetime, datetime]]:
    """Cut a span of time into growing slices, from the end that is wanted first."""
    size = FIRST_SLICE
    while since < until:
        if newest_first:
            start = max(since, until - size) if until - since > size else since
            yield start, until
            until = start
        else:
            end = min(until, since + size) if until - since > size else until
            yield since, end
            since = end
        size *= GROWTH


def _soon() -> datetime:
    """Return a time just after now: what is written this very moment is found too."""
    return now() + timedelta(seconds=1)
