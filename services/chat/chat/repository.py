"""The log of rooms in the store (database `warren_chat`).

Collection `entries`: one document per entry. Its `_id` is the message's identity (room, user, the client's id), its
index `order` is unique by `(room, seq)`: both refuse duplicates for ever.
Collection `rooms`: one document per room, written before its first entry; `mark` is a place its log has reached.
Collection `members`: one document per life of a chat process, with its beat. Collection `shares`: one document, the
owner of each partition.

Trick: `seq` is dense, so every page is a range of the index, and the head lies a little beyond the mark. No query
sorts: in a room of 20,000 entries that is 4 ms a page instead of 700 on the embedded store.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pymongo import ASCENDING, IndexModel
from pymongo.errors import BulkWriteError, DuplicateKeyError

from chat.model import Entry, Key, KnownError
from chat.sharing import NOBODY, Member
from warren.contracts import User
from warren.errors import DeposedError
from warren.storage import Database, Document, store_errors

_DUPLICATE = 11000
_SHARES = "partitions"

MAX_IN = 100
"""Values of one `$in`; the embedded store's cost grows with their square."""

MARK_EVERY = 200
"""Entries between two marks of a room: what finding its head has to look through at the most, but for a crash."""


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
        """Create the index that order rests on."""
        with store_errors():
            await self._entries.create_indexes(
                [IndexModel([("room", ASCENDING), ("seq", ASCENDING)], name="order", unique=True)]
            )

    async def known(self, keys: Iterable[Key]) -> dict[Key, Entry]:
        """Return the entries that exist of these identities."""
        ids = [_identity(k) for k in keys]
        parts = [ids[start : start + MAX_IN] for start in range(0, len(ids), MAX_IN)]
        with store_errors():
            found = await asyncio.gather(*[self._entries.find({"_id": {"$in": p}}).to_list(None) for p in parts])
        return {e.key: e for documents in found for e in map(_entry, documents)}

    async def head(self, room: str) -> int:
        """Return the highest `seq` of a room, 0 for one without entries."""
        with store_errors():
            found = await self._rooms.find_one({"_id": room})
            if found is None:
                return 0
            mark: int = found.get("mark", 0)
            beyond = await self._entries.find({"room": room, "seq": {"$gt": mark}}, {"seq": 1}).to_list(None)
        return max((int(d["seq"]) for d in beyond), default=mark)

    async def heads(self, rooms: Iterable[str]) -> dict[str, int]:
        """Return the highest `seq` of each room."""
        names = list(rooms)
        return dict(zip(names, await asyncio.gather(*map(self.head, names)), strict=True))

    async def append(self, groups: Sequence[Sequence[Entry]]) -> list[Exception | None]:
        """Store groups of new entries in one durable write, each in its order; returns how each group fared.

        A group is refused whole by `KnownError` if one of its entries is there already (those before it are stored
        now), or by `DeposedError` if another process has written to the room meanwhile; the others are stored.
        """
        outcomes: list[Exception | None] = [None] * len(groups)
        rest = list(range(len(groups)))
        with store_errors():
            for entry in (e for group in groups for e in group if e.seq == 1):
                await self._open_room(entry.room)
            while rest:
                owners = [g for g in rest for _ in groups[g]]
                try:
                    await self._entries.insert_many([_document(e) for g in rest for e in groups[g]], ordered=True)
                    break
                except BulkWriteError as e:
                    failed = owners[e.details["writeErrors"][0]["index"]] if e.details.get("writeErrors") else rest[0]
                    outcomes[failed] = _refusal(e)
                    rest = [g for g in rest if g > failed]  # an ordered write stored those before
            for entry in (e for group in groups for e in group if e.seq % MARK_EVERY == 0):
                await self._raise_mark(entry)
        return outcomes

    async def _raise_mark(self, entry: Entry) -> None:
        """Note that the room's log has reached this entry, if it has."""
        if await self._entries.find_one({"_id": _identity(entry.key), "seq": entry.seq}, {"seq": 1}):
            await self._rooms.update_one({"_id": entry.room}, {"$max": {"mark": entry.seq}})

    async def _open_room(self, room: str) -> None:
        try:
            await self._rooms.insert_one({"_id": room})
        except DuplicateKeyError:
            return  # a former try got this far

    async def page(self, room: str, *, after: int | None, before: int | None, limit: int) -> Page:
        """Return a page: the first entries after `after`, else the last before `before`, else the newest."""
        head = await self.head(room)
        end = head if before is None else min(head, before - 1)
        if after is not None:
            first, last = after + 1, min(after + limit, end)
            truncated = last < end
        else:
            first, last = max(1, end - limit + 1), end
            truncated = first > 1
        entries: list[Entry] = []
        if first <= last:
            with store_errors():
                found = await self._entries.find({"room": room, "seq": {"$gte": first, "$lte": last}}).to_list(None)
            entries = sorted(map(_entry, found), key=lambda e: e.seq)
        return Page(tuple(entries), head, truncated)

    async def rooms(self, limit: int) -> list[tuple[str, int, Entry]]:
        """Return rooms with their head and newest entry, the most recently active first."""
        with store_errors():
            names = [d["_id"] for d in await self._rooms.find({}, {"_id": 1}).to_list(limit)]
        newest = await asyncio.gather(*[self._newest(n) for n in names])
        found = [(e.room, e.seq, e) for e in newest if e is not None]
        return sorted(found, key=lambda row: row[2].time, reverse=True)

    async def _newest(self, room: str) -> Entry | None:
        head = await self.head(room)
        with store_errors():
            found = await self._entries.find_one({"room": room, "seq": head}) if head else None
        return _entry(found) if found else None


class Members:
    """Where chat processes learn of each other, and who works which partition."""

    def __init__(self, database: Database) -> None:
        self._members = database["members"]
        self._shares = database["shares"]

    async def beat(self, member: Member) -> None:
        """Say that a process lives, and what it has subscribed to."""
        document = {"name": member.name, "beat": member.beat, "subscriptions": list(member.subscriptions)}
        with store_errors():
            await self._members.replace_one({"_id": member.incarnation}, document, upsert=True)

    async def leave(self, incarnation: str) -> None:
        """Strike a process off."""
        with store_errors():
            await self._members.delete_one({"_id": incarnation})

    async def members(self) -> list[Member]:
        """Return all that are registered, those that have crashed lately included."""
        with store_errors():
            found = await self._members.find({}).to_list(None)
        return [Member(d["_id"], d["name"], d["beat"], tuple(d["subscriptions"])) for d in found]

    async def owners(self, partitions: int) -> tuple[int, tuple[str, ...]]:
        """Return the shares' version, 0 before the first, and the owner of each partition."""
        with store_errors():
            found = await self._shares.find_one({"_id": _SHARES})
        if found is None:
            return 0, (NOBODY,) * partitions
        owners = tuple(found["owners"])
        return found["version"], owners if len(owners) == partitions else (NOBODY,) * partitions

    async def change(self, version: int, owners: Sequence[str]) -> bool:
        """Write new shares, unless another process has written since that version."""
        new = {"_id": _SHARES, "version": version + 1, "owners": list(owners)}
        with store_errors():
            if version:
                done = await self._shares.replace_one({"_id": _SHARES, "version": version}, new)
                return done.modified_count == 1
            try:
                await self._shares.insert_one(new)
            except DuplicateKeyError:
                return False
        return True


def _refusal(error: BulkWriteError) -> Exception:
    duplicates = [x for x in error.details.get("writeErrors", []) if x.get("code") == _DUPLICATE]
    if not duplicates:
        return error
    if "_id" in duplicates[0].get("keyPattern", {}):
        return KnownError("a message of this identity is stored already")
    return DeposedError("another process writes to this room")


def _identity(key: Key) -> str:
    return "\n".join(key)  # none of the three can contain a line break


def _document(entry: Entry) -> Document:
    return {
        "_id": _identity(entry.key),
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
