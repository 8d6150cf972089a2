"""The log of rooms in the store (database `warren_chat`).

Collection `entries`: one document per entry, unique by `(room, seq)` and by `(room, user.id, id)` for ever.
Collection `rooms`: one document per room, written when its first entry is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.errors import BulkWriteError, DuplicateKeyError

from chat.model import Entry, Key
from warren.contracts import User
from warren.errors import DeposedError
from warren.storage import Database, Document, store_errors

_DUPLICATE = 11000


@dataclass(frozen=True, slots=True)
class Page:
    """Entries in order of `seq`; `truncated`: there are more in the direction that was asked for."""

    entries: tuple[Entry, ...]
    seq: int
    truncated: bool


class Entries:
    """Reads and appends the logs of rooms."""

    def __init__(self, database: Database) -> None:
        self._entries = database["entries"]
        self._rooms = database["rooms"]

    async def prepare(self) -> None:
        """Create the indexes that order and identity rest on."""
        with store_errors():
            await self._entries.create_indexes(
                [
                    IndexModel([("room", ASCENDING), ("seq", ASCENDING)], name="order", unique=True),
                    IndexModel(
                        [("room", ASCENDING), ("user.id", ASCENDING), ("id", ASCENDING)], name="identity", unique=True
                    ),
                ]
            )

    async def known(self, keys: Iterable[Key]) -> dict[Key, Entry]:
        """Return the entries that exist of these identities."""
        wanted: dict[tuple[str, str], list[str]] = {}
        for room, user, message in keys:
            wanted.setdefault((room, user), []).append(message)
        queries = [{"room": r, "user.id": u, "id": {"$in": ids}} for (r, u), ids in wanted.items()]
        with store_errors():
            found = await self._entries.find({"$or": queries} if len(queries) > 1 else queries[0]).to_list(None)
        return {e.key: e for e in map(_entry, found)}

    async def head(self, room: str) -> int:
        """Return the highest `seq` of a room, 0 for one without entries."""
        with store_errors():
            last = await self._entries.find_one({"room": room}, {"seq": 1}, sort=[("seq", DESCENDING)])
        return int(last["seq"]) if last else 0

    async def heads(self, rooms: Iterable[str]) -> dict[str, int]:
        """Return the highest `seq` of each room."""
        names = list(rooms)
        return dict(zip(names, await asyncio.gather(*map(self.head, names)), strict=True))

    async def append(self, entries: Sequence[Entry]) -> None:
        """Store new entries in order, durably; `DeposedError` if another process has written there meanwhile."""
        opened = [e for e in entries if e.seq == 1]
        with store_errors():
            for entry in opened:
                await self._open_room(entry)
            try:
                await self._entries.insert_many([_document(e) for e in entries], ordered=True)
            except BulkWriteError as e:
                errors = e.details.get("writeErrors", [])
                if any(x.get("code") == _DUPLICATE for x in errors):
                    raise DeposedError(f"another process writes to room {errors[0].get('keyValue')}") from e
                raise

    async def _open_room(self, entry: Entry) -> None:
        try:
            await self._rooms.insert_one({"_id": entry.room, "time": entry.time})
        except DuplicateKeyError:
            return  # a former try got this far

    async def page(self, room: str, *, after: int | None, before: int | None, limit: int) -> Page:
        """Return a page: the first entries after `after`, else the last before `before`, else the newest."""
        forward = after is not None
        between = {k: v for k, v in (("$gt", after), ("$lt", before)) if v is not None}
        query: Document = {"room": room, **({"seq": between} if between else {})}
        with store_errors():
            order = ASCENDING if forward else DESCENDING
            found = await self._entries.find(query).sort("seq", order).limit(limit + 1).to_list(None)
            head = await self.head(room)
        truncated = len(found) > limit
        entries = sorted(map(_entry, found[:limit]), key=lambda e: e.seq)
        return Page(tuple(entries), max(head, entries[-1].seq if entries else 0), truncated)

    async def rooms(self, limit: int) -> list[tuple[str, int, Entry]]:
        """Return rooms with their head and newest entry, the most recently active first."""
        with store_errors():
            names = [d["_id"] for d in await self._rooms.find({}).sort("_id", ASCENDING).limit(limit).to_list(None)]
            newest = await asyncio.gather(*[self._newest(n) for n in names])
        found = [(e.room, e.seq, e) for e in newest if e is not None]
        return sorted(found, key=lambda row: row[2].time, reverse=True)

    async def _newest(self, room: str) -> Entry | None:
        found = await self._entries.find_one({"room": room}, sort=[("seq", DESCENDING)])
        return _entry(found) if found else None


def _document(entry: Entry) -> Document:
    return {
        "room": entry.room,
        "seq": entry.seq,
        "id": entry.id,
        "user": {"id": entry.user.id, "name": entry.user.name},
        "body": entry.body,
        "time": entry.time,
        "traceparent": entry.traceparent,
    }


def _entry(document: Document) -> Entry:
    return Entry(
        room=document["room"],
        seq=document["seq"],
        id=document["id"],
        user=User.model_construct(**document["user"]),
        body=document["body"],
        time=document["time"],
        traceparent=document.get("traceparent", ""),
    )
