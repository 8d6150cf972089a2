"""Who is where, in the store (database `warren_presence`).

Collection `sessions`: a document per session that is in some room. `rooms`: each room's `rev`, for ever. `users`: the
last rename of each user who ever had one. `seen`: when users who are gone were last online, forgotten after some weeks;
those who go together share a document, for on the embedded store an upsert costs ten times an insert.
`gateways`: incarnations declared dead, forgotten after a day.

A batch takes several writes, and no transaction (a single MongoDB node has none). So collection `journal`, one
document, goes first: it says which `rev` each changed room is about to have, and its number, one up per batch, lets
only the process in that loaded the state last. Renames go before the sessions that bear the new name, `rooms` go
last. After a crash in between, the next `load` raises the revs by the journal: a change that was stored but not told
always shows as a rev that gateways do not have. And who reads a room's rev first and its sessions second never has a
rev that is newer than the members beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar

from pymongo import (
    ASCENDING,
    DESCENDING,
    DeleteMany,
    DeleteOne,
    IndexModel,
    InsertOne,
    ReplaceOne,
    ReturnDocument,
    UpdateOne,
)
from pymongo.errors import BulkWriteError

from presence.records import Rename, Stored, StoredSession, Write
from warren.contracts import User, now
from warren.contracts.events import Member
from warren.errors import DeposedError
from warren.storage import Database, Document, store_errors

T = TypeVar("T")

TOMBSTONE_SECONDS = 86_400
IDS_PER_QUERY = 100
"""The embedded store gets slow with long lists of ids."""

_DUPLICATE = 11000
_PERSON = {"user": 1, "seen": 1}
_JOURNAL = {"_id": "journal"}


class Repository:
    """Reads and writes presence; every write is durable when it returns."""

    def __init__(self, database: Database, *, seen_days: int) -> None:
        self._seen_seconds = seen_days * 86_400
        self._journal = database["journal"]
        self._sessions = database["sessions"]
        self._rooms = database["rooms"]
        self._users = database["users"]
        self._seen = database["seen"]
        self._gateways = database["gateways"]

    async def prepare(self) -> None:
        """Create the indexes."""
        with store_errors():
            await self._sessions.create_indexes(
                [
                    IndexModel([("rooms.room", ASCENDING)], name="room"),
                    IndexModel([("gateway", ASCENDING)], name="gateway"),
                    IndexModel([("user.id", ASCENDING)], name="user"),
                ]
            )
            await self._gateways.create_indexes(
                [IndexModel([("dead", ASCENDING)], name="forgotten", expireAfterSeconds=TOMBSTONE_SECONDS)]
            )
            await self._seen.create_indexes(
                [
                    IndexModel([("time", ASCENDING)], name="forgotten", expireAfterSeconds=self._seen_seconds),
                    IndexModel([("people.id", ASCENDING), ("time", DESCENDING)], name="user"),
                ]
            )

    async def load(self) -> Stored:
        """Take over: from now on, no other process can commit; repair the revs and return everything."""
        with store_errors():
            journal = await self._journal.find_one_and_update(
                _JOURNAL, {"$inc": {"number": 1}}, upsert=True, return_document=ReturnDocument.AFTER
            )
            begun = {r["room"]: r["rev"] for r in journal.get("rooms", ())}
            await self._bulk(self._rooms, [UpdateOne({"_id": r}, {"$max": {"rev": v}}, True) for r, v in begun.items()])
            sessions = await self._sessions.find({}).to_list(None)
            dead = await self._gateways.find({}, {"_id": 1}).to_list(None)
        return Stored(journal["number"], [_session(d) for d in sessions], [d["_id"] for d in dead])

    async def commit(self, write: Write) -> None:
        """Store a batch; `DeposedError` if another process has taken over since `load`."""
        rooms = [{"room": room, "rev": rev} for room, rev in write.revs.items()]
        with store_errors():
            begun = await self._journal.update_one(
                {**_JOURNAL, "number": write.number - 1}, {"$set": {"number": write.number, "rooms": rooms}}
            )
            if not begun.matched_count:
                raise DeposedError("another process has taken over presence")
            await self._bulk(self._users, [_rename_write(u, r) for u, r in write.renames.items()])
            await self._bulk(
                self._gateways,
                [
                    *(UpdateOne({"_id": g}, {"$set": {"dead": now()}}, upsert=True) for g in write.died),
                    *(DeleteOne({"_id": g}) for g in write.revived),
                ],
            )
            if write.died:
                await self._sessions.delete_many({"gateway": {"$in": list(write.died)}})
            await self._bulk(
                self._sessions,
                [
                    *(InsertOne(_document(s)) for s in write.new),
                    *(ReplaceOne({"_id": s.id}, _document(s)) for s in write.changed),
                    *(DeleteMany({"_id": {"$in": some}}) for some in _parts(write.removed)),
                ],
            )
            gone = [{"id": user, "name": seen.name, "time": seen.time} for user, seen in write.seen.items()]
            await self._bulk(self._seen, [InsertOne({"time": now(), "people": some}) for some in _parts(gone)])
            await self._bulk(
                self._rooms, [UpdateOne({"_id": r}, {"$set": {"rev": rev}}, True) for r, rev in write.revs.items()]
            )

    async def renames(self, users: Iterable[str]) -> dict[str, Rename | None]:
        """Return each user's last rename, None for one who never had any."""
        wanted = list(users)
        found = {d["_id"]: Rename(d["name"], d["was"], tuple(d["ids"])) for d in await self._some(self._users, wanted)}
        return {user: found.get(user) for user in wanted}

    async def revs(self, rooms: Iterable[str]) -> dict[str, int]:
        """Return the `rev` of each room, 0 for one where nobody ever was."""
        wanted = list(rooms)
        found = {d["_id"]: int(d["rev"]) for d in await self._some(self._rooms, wanted)}
        return {room: found.get(room, 0) for room in wanted}

    async def room(self, room: str) -> tuple[int, list[Member]]:
        """Return a room's `rev` and members."""
        revs = await self.revs([room])
        with store_errors():
            found = await self._sessions.find({"rooms.room": room}, _PERSON).to_list(None)
        return revs[room], [_member(d) for d in {d["user"]["id"]: d for d in found}.values()]

    async def people(self, users: Iterable[str]) -> dict[str, Member]:
        """Return how each user is who is somewhere, or who was and is not forgotten."""
        wanted = list(users)
        people: dict[str, Member] = {}
        with store_errors():
            for user in wanted:
                found = await self._seen.find_one({"people.id": user}, sort=[("time", DESCENDING)])
                for gone in found["people"] if found else ():
                    if gone["id"] == user:
                        seen = gone["time"]
                        people[user] = Member.model_construct(id=user, name=gone["name"], status="offline", seen=seen)
            here = await self._sessions.find({"user.id": {"$in": wanted}}, _PERSON).to_list(None)
        return people | {d["user"]["id"]: _member(d) for d in here}

    @staticmethod
    async def _bulk(collection: Any, writes: Sequence[Any]) -> None:
        if not writes:
            return
        try:
            await collection.bulk_write(writes, ordered=False)
        except BulkWriteError as e:
            if any(x.get("code") == _DUPLICATE for x in e.details.get("writeErrors", [])):
                raise DeposedError("another process writes sessions") from e
            raise

    @staticmethod
    async def _some(collection: Any, ids: list[str]) -> list[Document]:
        found: list[Document] = []
        with store_errors():
            for part in _parts(ids):
                found += await collection.find({"_id": {"$in": part}}).to_list(None)
        return found


def _parts(ids: Iterable[T]) -> Iterator[list[T]]:
    rest = iter(ids)
    while part := list(islice(rest, IDS_PER_QUERY)):
        yield part


def _rename_write(user: str, rename: Rename) -> UpdateOne:
    document = {"name": rename.name, "was": rename.was, "ids": list(rename.ids)}
    return UpdateOne({"_id": user}, {"$set": document}, upsert=True)


def _document(session: StoredSession) -> Document:
    return {
        "_id": session.id,
        "gateway": session.gateway,
        "user": {"id": session.user.id, "name": session.user.name},
        "seen": session.seen,
        "status": {"value": session.status, "time": session.since},
        "rooms": [{"room": room, "time": since} for room, since in session.rooms.items()],
    }


def _session(document: Document) -> StoredSession:
    rooms: dict[str, datetime] = {r["room"]: r["time"] for r in document["rooms"]}
    user, status = User.model_construct(**document["user"]), document["status"]
    return StoredSession(
        document["_id"], document["gateway"], user, rooms, status["value"], status["time"], document["seen"]
    )


def _member(document: Document) -> Member:
    """Return the user of a session."""
    seen = document["seen"]
    return Member.model_construct(**document["user"], status="away" if seen else "online", seen=seen)
