"""The log of rooms in the store (database `warren_chat`).

Collection `log`: one document per write and room, with consecutive entries of that room. Its `_id` is the place of the
first (room, `seq`), its index `identity` is unique by room and message (user, the client's id): both refuse duplicates
for ever, for a document is written whole or not at all. Index `place` orders a room's documents by their last `seq`.
Collection `rooms`: one document per room, written before its first entry; `mark` is a place its log has reached,
`active` when it was last written to, to the minute (index `active`). A write more than a minute after that moves both.
Collection `members`: one document per life of a chat process, with its beat. Collection `shares`: one document, the
owner of each partition.

Tricks: entries that come together share one document (110 µs an entry instead of 270 at forty); `seq` is dense, so
every page is a range of index `place`, and the head lies a little beyond the mark. No query sorts, and none asks for a
range of `_id` or of two fields: the embedded store would look through the whole log.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby, starmap
from typing import NamedTuple

from pymongo import ASCENDING, IndexModel, UpdateOne
from pymongo.errors import BulkWriteError, DuplicateKeyError

from chat.model import Entry, Key, KnownError, Place
from chat.sharing import NOBODY, Member
from warren.contracts import User, now
from warren.contracts.frames import MAX_SEQ
from warren.errors import DeposedError
from warren.storage import Database, Document, store_errors

_DUPLICATE = 11000
_SHARES = "partitions"
_NEVER = datetime.min.replace(tzinfo=UTC)

MAX_IN = 100
"""Values of one `$in`; the embedded store's cost grows with their square."""

MAX_ENTRIES = 100
"""Entries of one document; a page looks that far ahead for the one that its last entry is in."""

LOOKS_AT_ONCE = 2
"""Rooms that are looked at together for the list of all: it must not crowd out who writes."""

MARK_EVERY = 100
"""Entries between two marks of a room: what finding its head has to look through at the most, but for a crash."""

ACTIVE_EVERY = timedelta(minutes=1)
"""Time from one mark of a room to the first write that moves it, by the clock of who writes."""

MAX_NOTED = 10_000
"""Rooms of which this process remembers when it marked them last."""

_SPANS = (timedelta(minutes=10), timedelta(hours=3), timedelta(days=2), timedelta(days=30), None)
"""How far back active rooms are looked for, one span after the other until there are enough; None: all."""


class Mark(NamedTuple):
    """A place that a room's log has reached, and when: the mark moves with the first write more than a minute later."""

    seq: int
    active: datetime


@dataclass(frozen=True, slots=True)
class Wanted:
    """A page: the first entries after `after`, else the last before `before`, else the newest; at most `limit`."""

    room: str
    after: int | None = None
    before: int | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class Page:
    """Entries in order of `seq`; `truncated`: there are more in the direction that was asked for."""

    entries: tuple[Entry, ...]
    seq: int
    truncated: bool


class Entries:
    """Reads and appends the logs of rooms."""

    def __init__(self, database: Database, clock: Callable[[], datetime] = now) -> None:
        self._log = database["log"]
        self._rooms = database["rooms"]
        self._clock = clock
        self._noted: dict[str, datetime] = {}
        self._span = 0

    async def prepare(self) -> None:
        """Create the indexes that identity rests on and pages are read by."""
        with store_errors():
            await self._log.create_indexes(
                [
                    IndexModel([("room", ASCENDING), ("ids", ASCENDING)], name="identity", unique=True),
                    IndexModel([("room", ASCENDING), ("last", ASCENDING)], name="place"),
                ]
            )
            await self._rooms.create_indexes([IndexModel([("active", ASCENDING)], name="active")])

    async def known(self, keys: Iterable[Key]) -> dict[Key, Entry]:
        """Return the entries that exist of these identities."""
        wanted = set(keys)
        ids: dict[str, list[str]] = {}
        for room, user, message in wanted:
            ids.setdefault(room, []).append(_identity(user, message))
        asked = [
            {"room": room, "ids": {"$in": some[start : start + MAX_IN]}}
            for room, some in ids.items()
            for start in range(0, len(some), MAX_IN)
        ]
        with store_errors():
            found = await asyncio.gather(*[self._log.find(q).to_list(None) for q in asked])
        return {e.key: e for documents in found for d in documents for e in _entries(d) if e.key in wanted}

    async def heads(self, rooms: Iterable[str]) -> dict[str, int]:
        """Return the highest `seq` of each room, 0 for one without entries."""
        marks = await self._marks(rooms)
        return dict(zip(marks, await asyncio.gather(*starmap(self._head, marks.items())), strict=True))

    async def append(self, groups: Sequence[Sequence[Entry]]) -> list[Exception | None]:
        """Store groups of new entries in one durable write, each in its order; returns how each group fared.

        A group is refused by `KnownError` if one of its entries is there already (others of it may be stored now),
        or by `DeposedError` if another process has written to the room meanwhile; the other groups are stored.
        """
        outcomes: list[Exception | None] = [None] * len(groups)
        documents = [(number, d) for number, group in enumerate(groups) for d in _documents(group)]
        with store_errors():
            at = self._clock()
            for room in (d["room"] for _, d in documents if d["first"] == 1):
                await self._open_room(room, at)
            rest = documents
            while rest:
                try:
                    await self._log.insert_many([d for _, d in rest], ordered=True)
                    break
                except BulkWriteError as e:
                    errors = e.details.get("writeErrors")
                    failed = rest[errors[0]["index"] if errors else 0][0]
                    outcomes[failed] = _refusal(e)
                    rest = [(n, d) for n, d in rest if n > failed]  # an ordered write stored those before
            await self._mark([d for number, d in documents if outcomes[number] is None], at)
        return outcomes

    async def at(self, places: Iterable[Place]) -> dict[Place, Entry]:
        """Return the entries at these places, as far as there are any."""
        found = await asyncio.gather(*[self._between(room, seq, seq) for room, seq in places])
        return {e.place: e for some in found for e in some}

    async def amend(self, changes: Sequence[Entry]) -> None:
        """Note edits at the messages they are of, and blank a deleted message with all its edits; in their order.

        Done twice it is the same. What an edit notes is how a deletion finds it.
        """
        for change in changes:
            document = await self._document_of(change.room, change.target)
            if document is None:
                continue
            edits = next(e.get("edits", []) for e in document["entries"] if e["seq"] == change.target)
            if change.kind == "edited":
                await self._change(document, change.target, {"$addToSet": {"entries.$[entry].edits": change.seq}})
                continue
            blank = {"$set": {"entries.$[entry].body": "", "entries.$[entry].gone": True}}
            for seq in edits:
                if holder := await self._document_of(change.room, seq):
                    await self._change(holder, seq, blank)
            await self._change(document, change.target, blank)

    async def _document_of(self, room: str, seq: int) -> Document | None:
        with store_errors():
            around = {"$gte": seq, "$lt": seq + MAX_ENTRIES}
            found = await self._log.find({"room": room, "last": around}).to_list(None)
        return next((d for d in found if d["first"] <= seq <= d["last"]), None)

    async def _change(self, document: Document, seq: int, change: Document) -> None:
        with store_errors():
            await self._log.update_one({"_id": document["_id"]}, change, array_filters=[{"entry.seq": seq}])

    async def _open_room(self, room: str, at: datetime) -> None:
        try:
            await self._rooms.insert_one({"_id": room, "active": at})
        except DuplicateKeyError:
            return  # a former try got this far
        self._note(room, at)

    async def _mark(self, written: Iterable[Document], at: datetime) -> None:
        """Say in the rooms' documents how far they have come, now and then."""
        due = {d["room"]: d["last"] for d in written if self._is_due(d, at)}
        if due:
            marks = [UpdateOne({"_id": r}, {"$max": {"mark": last, "active": at}}) for r, last in due.items()]
            await self._rooms.bulk_write(marks, ordered=False)
        for room in due:
            self._note(room, at)

    def _is_due(self, document: Document, at: datetime) -> bool:
        noted = self._noted.get(document["room"])
        if noted is None or at - noted > ACTIVE_EVERY:
            return True
        return bool(document["last"] // MARK_EVERY > (document["first"] - 1) // MARK_EVERY)

    def _note(self, room: str, at: datetime) -> None:
        if len(self._noted) >= MAX_NOTED:
            self._noted.clear()
        self._noted[room] = at

    async def pages(self, wanted: Sequence[Wanted]) -> list[Page]:
        """Return pages in the order asked for."""
        marks = await self._marks(w.room for w in wanted)
        return await asyncio.gather(*[self._page(w, marks[w.room]) for w in wanted])

    async def _page(self, wanted: Wanted, mark: int | None) -> Page:
        if mark is None:
            return Page((), 0, truncated=False)
        before = MAX_SEQ if wanted.before is None else wanted.before
        start = mark - wanted.limit if wanted.after is None else min(mark, wanted.after)
        if before > mark and mark - start <= 2 * MARK_EVERY:  # the end of the log: one look brings entries and head
            found = await self._between(wanted.room, max(0, start) + 1, MAX_SEQ)
            head = found[-1].seq if found else mark
        else:
            found, head = None, await self._head(wanted.room, mark)
        end = min(head, before - 1)
        if wanted.after is not None:
            first, last = wanted.after + 1, min(wanted.after + wanted.limit, end)
            truncated = last < end
        else:
            first, last = max(1, end - wanted.limit + 1), end
            truncated = first > 1
        if found is None:
            found = await self._between(wanted.room, first, last)
        return Page(tuple(e for e in found if first <= e.seq <= last), head, truncated)

    async def active(self, limit: int) -> dict[str, Mark]:
        """Return the rooms that were active last, in that order to the minute."""
        found: list[Document] = []
        for number in range(max(0, self._span - 1), len(_SPANS)):  # less may do than what was enough the last time
            span, self._span = _SPANS[number], number
            with store_errors():
                found = await self._rooms.find({"active": {"$gte": self._clock() - span}} if span else {}).to_list(None)
            if len(found) >= limit:
                break
        found.sort(key=lambda d: d.get("active", _NEVER), reverse=True)
        return {d["_id"]: Mark(d.get("mark", 0), d.get("active", _NEVER)) for d in found[:limit]}

    async def newest(self, marks: Mapping[str, Mark]) -> dict[str, Entry]:
        """Return the newest entry of each room; without rooms that have none."""
        rooms, newest = list(marks.items()), []
        with store_errors():
            for start in range(0, len(rooms), LOOKS_AT_ONCE):
                newest += await asyncio.gather(*starmap(self._newest, rooms[start : start + LOOKS_AT_ONCE]))
        return {e.room: e for e in newest if e is not None}

    async def _newest(self, room: str, mark: Mark) -> Entry | None:
        documents = await self._log.find({"room": room, "last": {"$gte": mark.seq}}).to_list(None)
        return max((e for d in documents for e in _entries(d)), key=lambda e: e.seq, default=None)

    async def _marks(self, rooms: Iterable[str]) -> dict[str, int | None]:
        """Return the mark of each room, None for one that was never opened."""
        marks: dict[str, int | None] = dict.fromkeys(rooms)
        names = list(marks)
        with store_errors():
            for start in range(0, len(names), MAX_IN):
                known = self._rooms.find({"_id": {"$in": names[start : start + MAX_IN]}})
                marks.update({d["_id"]: d.get("mark", 0) for d in await known.to_list(None)})
        return marks

    async def _head(self, room: str, mark: int | None) -> int:
        if mark is None:
            return 0
        with store_errors():
            beyond = await self._log.find({"room": room, "last": {"$gt": mark}}, {"last": 1}).to_list(None)
        return max((int(d["last"]) for d in beyond), default=mark)

    async def _between(self, room: str, first: int, last: int) -> list[Entry]:
        """Return the entries from `seq` `first` to `last`, in order."""
        if not 0 < first <= last:
            return []
        around = {"$gte": first, "$lt": last + MAX_ENTRIES}
        with store_errors():
            found = await self._log.find({"room": room, "last": around}).to_list(None)
        entries = [e for d in found for e in _entries(d) if first <= e.seq <= last]
        return sorted(entries, key=lambda e: e.seq)


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
        return DeposedError("another process writes to this room")
    return KnownError("a message of this identity is stored already")


def _place(room: str, seq: int) -> str:
    return f"{room}\n{seq}"  # no room's name contains a line break


def _identity(user: str, message: str) -> str:
    return f"{user}\n{message}"  # neither can contain a line break


def _documents(entries: Sequence[Entry]) -> Iterator[Document]:
    """Gather entries by room, in their order."""
    for room, some in groupby(sorted(entries, key=lambda e: e.room), key=lambda e: e.room):
        log = list(some)
        for start in range(0, len(log), MAX_ENTRIES):
            yield _document(room, log[start : start + MAX_ENTRIES])


def _document(room: str, entries: Sequence[Entry]) -> Document:
    return {
        "_id": _place(room, entries[0].seq),
        "room": room,
        "first": entries[0].seq,
        "last": entries[-1].seq,
        "ids": [_identity(e.user.id, e.id) for e in entries],
        "entries": [
            {
                "seq": e.seq,
                "id": e.id,
                "user": {"id": e.user.id, "name": e.user.name},
                "body": e.body,
                "time": e.time,
                "traceparent": e.traceparent,
                **({"kind": e.kind, "target": e.target} if e.target else {}),
            }
            for e in entries
        ],
    }


def _entries(document: Document) -> Iterator[Entry]:
    for entry in document["entries"]:
        yield Entry(
            room=document["room"],
            seq=entry["seq"],
            id=entry["id"],
            user=User.model_construct(**entry["user"]),
            body=entry["body"],
            time=entry["time"],
            traceparent=entry.get("traceparent", ""),
            kind=entry.get("kind", "message"),
            target=entry.get("target", 0),
            gone=entry.get("gone", False),
        )
