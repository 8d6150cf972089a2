"""Letters and groups in the store (database `warren_dlq`).

Collection `letters`: one document a letter, `_id` is its id. Index `number` (unique) is for pages and for reading all
of them; index `key` (the id again, and the version) for the beginning of an id, and for a change of exactly one
version. Headers and properties are kept as one JSON text each (`tagging`): their names and types are those of
strangers. Collection `groups`: what people said of a group. Collection `numbers`: how far each kind is numbered.

No query sorts, skips, limits or counts, and none but `key` names two fields: the embedded store would look through all
letters (ADR 15). What a list shows is chosen by `ledger`, and asked for here by its numbers.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson
from pymongo import ASCENDING, IndexModel, ReturnDocument, UpdateOne
from pymongo.errors import BulkWriteError

from dlq_monitor.groups import Said
from dlq_monitor.model import Body, Cause, Change, Letter, Status, Step
from dlq_monitor.tagging import tagged, untagged
from warren.storage import Database, Document, store_errors

_DUPLICATE = 11000
_HEAVY = {"body": 0, "headers": 0, "properties": 0}
_NUMBERS = "letters"

MAX_IN = 100
"""Values of one `$in`; the embedded store's cost grows with their square."""

BLOCK = 1000
"""Numbers of letters that are taken at once: one write for so many."""

MIN_WINDOW, MAX_WINDOW = 500, 16_000
"""Numbers that are read at once when all letters are: few documents where they are dense, few queries where not."""


class Numbers:
    """Numbers the documents of one kind, from 1, so that they can be read in their order (see above).

    They are taken by `block`s; what is left of one at the end stays unused.
    """

    def __init__(self, database: Database, kind: str, block: int) -> None:
        self._numbers = database["numbers"]
        self._kind = kind
        self._block = block
        self._next = self._end = 1

    async def take(self, count: int) -> range:
        """Return `count` numbers that nothing has had."""
        if self._end - self._next < count:
            size = max(count, self._block)
            with store_errors():
                found = await self._numbers.find_one_and_update(
                    {"_id": self._kind}, {"$inc": {"end": size}}, upsert=True, return_document=ReturnDocument.AFTER
                )
            self._next, self._end = found["end"] - size + 1, found["end"] + 1
        taken = range(self._next, self._next + count)
        self._next += count
        return taken

    async def used(self) -> range:
        """Return the numbers among which all are that something has."""
        with store_errors():
            mark = await self._numbers.find_one({"_id": self._kind}) or {}
        return range(int(mark.get("first", 1)), int(mark.get("end", 0)) + 1)

    async def begin_at(self, number: int) -> None:
        """Note that nothing has a number below this one any more."""
        with store_errors():
            await self._numbers.update_one({"_id": self._kind}, {"$max": {"first": number}})


class Letters:
    """Stores, finds and settles letters."""

    def __init__(self, database: Database) -> None:
        self._letters = database["letters"]
        self._numbers = Numbers(database, _NUMBERS, BLOCK)

    async def prepare(self) -> None:
        """Create the indexes."""
        with store_errors():
            await self._letters.create_indexes(
                [
                    IndexModel([("number", ASCENDING)], name="number", unique=True),
                    IndexModel([("key", ASCENDING), ("version", ASCENDING)], name="key"),
                ]
            )

    async def numbers(self, count: int) -> range:
        """Return `count` numbers that no letter has had."""
        return await self._numbers.take(count)

    async def insert(self, letters: Sequence[Letter]) -> set[int]:
        """Store numbered letters durably; one that is known stays as it is. Returns the places of those."""
        with store_errors():
            try:
                await self._letters.insert_many([_document(x) for x in letters], ordered=False)
            except BulkWriteError as e:
                errors = e.details.get("writeErrors", [])
                if any(x.get("code") != _DUPLICATE for x in errors) or e.details.get("writeConcernErrors"):
                    raise
                return {x["index"] for x in errors}
        return set()

    async def seen_again(self, letter: Letter) -> None:
        """Note that a known letter came out of its dead queue once more."""
        with store_errors():
            again: Document = {"$set": {"last": letter.last}, "$inc": {"seen": 1}}
            await self._letters.update_one({"_id": letter.id}, again)

    async def numbered(self, numbers: Sequence[int], *, whole: bool = False) -> list[Letter]:
        """Return the letters with these numbers, in their order; without headers and bodies unless `whole`."""
        chunks = [numbers[at : at + MAX_IN] for at in range(0, len(numbers), MAX_IN)]
        fields = None if whole else _HEAVY
        with store_errors():
            found = await asyncio.gather(
                *[self._letters.find({"number": _among(c)}, fields).to_list(None) for c in chunks]
            )
        by_number = {d["number"]: _letter(d) for some in found for d in some}
        return [by_number[n] for n in numbers if n in by_number]

    async def all(self) -> AsyncIterator[list[Letter]]:
        """Yield all letters in the order of their numbers, some at a time, without headers and bodies."""
        used = await self._numbers.used()
        first, width = used.start, MIN_WINDOW
        while first < used.stop:
            window = {"number": {"$gte": first, "$lt": first + width}}
            with store_errors():
                found = await self._letters.find(window, _HEAVY).to_list(None)
            first += width
            width = MIN_WINDOW if len(found) > MIN_WINDOW // 2 else min(2 * width, MAX_WINDOW)
            yield [_letter(d) for d in found]

    async def begin_at(self, number: int) -> None:
        """Note that there are no letters below a number, so that reading all of them begins there."""
        await self._numbers.begin_at(number)

    async def beginning_with(self, prefix: str) -> list[Letter]:
        """Return the letters whose ids begin with `prefix` (hexadecimal digits), whole."""
        with store_errors():
            wanted: Document = {"_id": prefix} if len(prefix) == 32 else {"key": {"$gte": prefix, "$lt": f"{prefix}g"}}
            return [_letter(d) for d in await self._letters.find(wanted).to_list(None)]

    async def settle(self, letter: Letter, status: Status, step: Step, due: datetime | None = None) -> bool:
        """Give a letter another status, unless it has changed since it was read; says whether it did."""
        change = {
            "$set": {"status": status, "last": step.time, "due": due},
            "$push": {"history": _step(step)},
            "$inc": {"version": 1},
        }
        with store_errors():
            done = await self._letters.update_one({"key": letter.id, "version": letter.version}, change)
        return bool(done.modified_count)

    async def with_ids(self, ids: Sequence[str]) -> list[Letter]:
        """Return letters by their whole ids, without headers and bodies; at most `MAX_IN`."""
        with store_errors():
            found = await self._letters.find({"_id": {"$in": list(ids)}}, _HEAVY).to_list(None)
        return [_letter(d) for d in found]

    async def settle_all(self, changes: Sequence[Change]) -> bool:
        """Give many letters their next status in one write; says whether all were as they had been read."""
        writes = [
            UpdateOne(
                {"key": c.letter.id, "version": c.letter.version},
                {
                    "$set": {"status": c.status, "last": c.steps[-1].time, "due": None},
                    "$push": {"history": {"$each": [_step(s) for s in c.steps]}},
                    "$inc": {"version": 1},
                },
            )
            for c in changes
        ]
        with store_errors():
            done = await self._letters.bulk_write(writes, ordered=False)
        return bool(done.modified_count == len(writes))

    async def remove(self, numbers: Collection[int]) -> None:
        """Delete letters; at most `MAX_IN`."""
        with store_errors():
            await self._letters.delete_many({"number": {"$in": list(numbers)}})


def _among(numbers: Sequence[int]) -> Document:
    """Ask for numbers by their range if most of it is wanted: that costs a tenth of naming each."""
    low, high = min(numbers), max(numbers)
    dense = high - low < 2 * len(numbers)
    return {"$gte": low, "$lte": high} if dense else {"$in": list(numbers)}


class Sayings:
    """What people said of groups."""

    def __init__(self, database: Database) -> None:
        self._groups = database["groups"]

    async def all(self) -> dict[str, Said]:
        """Return it by group."""
        with store_errors():
            return {d["_id"]: _said(d) for d in await self._groups.find({}).to_list(None)}

    async def keep(self, group: str, said: Said) -> None:
        """Store it durably."""
        document = {
            "note": said.note,
            "owner": said.owner,
            "verdict": said.verdict,
            "since": said.since,
            "history": [_step(s) for s in said.history],
        }
        with store_errors():
            await self._groups.replace_one({"_id": group}, document, upsert=True)


def _said(document: Document) -> Said:
    history = tuple(Step(**s) for s in document["history"])
    return Said(document["note"], document["owner"], document["verdict"], document["since"], history)


def _document(letter: Letter) -> Document:
    return {
        "_id": letter.id,
        "key": letter.id,
        "version": letter.version,
        "due": letter.due,
        "number": letter.number,
        "group": letter.group,
        "queue": letter.queue,
        "dead_queue": letter.dead_queue,
        "service": letter.service,
        "message_id": letter.message_id,
        "type": letter.type,
        "cause": {"type": letter.cause.type, "message": letter.cause.message, "where": letter.cause.where},
        "attempt": letter.attempt,
        "replays": letter.replays,
        "died_at": letter.died_at,
        "exchange": letter.exchange,
        "routing_key": letter.routing_key,
        "properties": _text(letter.properties),
        "headers": _text(letter.headers),
        "body": letter.body.data,
        "body_size": letter.body.size,
        "body_sha256": letter.body.sha256,
        "trace": letter.trace,
        "status": letter.status,
        "first": letter.first,
        "last": letter.last,
        "seen": letter.seen,
        "history": [_step(s) for s in letter.history],
    }


def _letter(document: Document) -> Letter:
    return Letter(
        id=document["_id"],
        queue=document["queue"],
        dead_queue=document["dead_queue"],
        service=document["service"],
        message_id=document["message_id"],
        type=document["type"],
        cause=Cause(**document["cause"]),
        attempt=document["attempt"],
        replays=document["replays"],
        died_at=document["died_at"],
        exchange=document["exchange"],
        routing_key=document["routing_key"],
        properties=_mapping(document.get("properties", "{}")),
        headers=_mapping(document.get("headers", "{}")),
        body=Body(bytes(document.get("body", b"")), document["body_size"], document["body_sha256"]),
        trace=document["trace"],
        status=document["status"],
        first=document["first"],
        last=document["last"],
        seen=document["seen"],
        history=tuple(Step(**s) for s in document["history"]),
        group=document["group"],
        number=document["number"],
        version=document["version"],
        due=document["due"],
    )


def _step(step: Step) -> Document:
    kept = {"action": step.action, "actor": step.actor, "reason": step.reason, "time": step.time}
    return kept | ({"letter": step.letter} if step.letter else {})


def _text(values: Mapping[str, Any]) -> str:
    return orjson.dumps(tagged(dict(values))).decode()


def _mapping(text: str) -> dict[str, Any]:
    found = untagged(orjson.loads(text))
    return found if isinstance(found, dict) else {}
