"""Letters in the store (database `warren_dlq`, collection `letters`, `_id` is the letter's id).

Headers and properties are kept as one JSON text each (`tagging`): their names and types are those of strangers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.errors import BulkWriteError

from dlq_monitor.model import Body, Cause, Letter, Status, Step
from dlq_monitor.tagging import tagged, untagged
from warren.storage import Database, Document, store_errors

_DUPLICATE = 11000
_HEAVY = {"body": 0, "headers": 0, "properties": 0}


@dataclass(frozen=True, slots=True)
class Filter:
    """Which letters: those that are equal to each field that is given and died not before `since`."""

    queue: str | None = None
    type: str | None = None
    cause: str | None = None
    status: Status | None = None
    since: datetime | None = None

    @property
    def query(self) -> Document:
        """Return it as the store's query."""
        wanted = {"queue": self.queue, "type": self.type, "cause.type": self.cause, "status": self.status}
        query: Document = {k: v for k, v in wanted.items() if v is not None}
        return query | ({"died_at": {"$gte": self.since}} if self.since else {})


class Letters:
    """Stores, finds and settles letters."""

    def __init__(self, database: Database) -> None:
        self._letters = database["letters"]

    async def prepare(self) -> None:
        """Create the indexes that listing rests on."""
        newest = ("died_at", DESCENDING)
        fields = ("status", "queue", "type", "cause.type")
        with store_errors():
            await self._letters.create_indexes(
                [IndexModel([newest]), *[IndexModel([(f, ASCENDING), newest]) for f in fields]]
            )

    async def park(self, letters: Sequence[Letter]) -> None:
        """Store letters durably; one that is known stays as it is, and was seen once more."""
        if not letters:
            return
        with store_errors():
            try:
                await self._letters.insert_many([_document(x) for x in letters], ordered=False)
            except BulkWriteError as e:
                errors = e.details.get("writeErrors", [])
                if any(x.get("code") != _DUPLICATE for x in errors) or e.details.get("writeConcernErrors"):
                    raise
                known = [letters[x["index"]] for x in errors]
                for letter in known:
                    again: Document = {"$set": {"last": letter.last}, "$inc": {"seen": 1}}
                    await self._letters.update_one({"_id": letter.id}, again)

    async def find(self, wanted: Filter, *, limit: int, offset: int) -> tuple[int, list[Letter]]:
        """Return how many there are and one page of them, the newest first, without headers and bodies."""
        with store_errors():
            total = await self._letters.count_documents(wanted.query)
            order = [("died_at", DESCENDING), ("_id", ASCENDING)]
            cursor = self._letters.find(wanted.query, _HEAVY).sort(order).skip(offset).limit(limit)
            return total, [_letter(d) for d in await cursor.to_list(None)]

    async def beginning_with(self, prefix: str) -> list[Letter]:
        """Return the letters whose ids begin with `prefix` (hexadecimal digits), at most two, whole."""
        with store_errors():
            between = {"_id": {"$gte": prefix, "$lt": f"{prefix}g"}}
            return [_letter(d) for d in await self._letters.find(between).limit(2).to_list(None)]

    async def waiting(self) -> dict[tuple[str, str], int]:
        """Count the letters that wait for a decision by queue and cause; looks at all of them."""
        kinds: Document = {"_id": {"queue": "$queue", "cause": "$cause.type"}, "count": {"$sum": 1}}
        with store_errors():
            cursor = self._letters.aggregate([{"$match": {"status": "new"}}, {"$group": kinds}])
            return {(d["_id"]["queue"], d["_id"]["cause"]): d["count"] for d in await cursor.to_list(None)}

    async def waits(self, queue: str, cause: str) -> bool:
        """Say whether a letter of this queue and cause waits for a decision."""
        with store_errors():
            wanted = {"status": "new", "queue": queue, "cause.type": cause}
            return await self._letters.find_one(wanted, {"_id": 1}) is not None

    async def settle(self, letter: Letter, status: Status, step: Step) -> bool:
        """Give a letter that is still new another status; says whether it was new."""
        change = {
            "$set": {"status": status, "last": step.time},
            "$push": {"history": _step(step)},
        }
        with store_errors():
            done = await self._letters.update_one({"_id": letter.id, "status": "new"}, change)
        return bool(done.modified_count)


def _document(letter: Letter) -> Document:
    return {
        "_id": letter.id,
        "queue": letter.queue,
        "dead_queue": letter.dead_queue,
        "service": letter.service,
        "message_id": letter.message_id,
        "type": letter.type,
        "cause": {"type": letter.cause.type, "message": letter.cause.message, "where": letter.cause.where},
        "attempt": letter.attempt,
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
    )


def _step(step: Step) -> Document:
    return {"action": step.action, "actor": step.actor, "reason": step.reason, "time": step.time}


def _text(values: Mapping[str, Any]) -> str:
    return orjson.dumps(tagged(dict(values))).decode()


def _mapping(text: str) -> dict[str, Any]:
    found = untagged(orjson.loads(text))
    return found if isinstance(found, dict) else {}
