"""The record in the store (database `warren_dlq`, collection `record`): one document an entry, numbered as letters are.

No query sorts or limits, and none names two fields: see `dlq_monitor.repository`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime

from pymongo import ASCENDING, IndexModel
from pymongo.errors import BulkWriteError

from dlq_monitor.access.model import Entry
from dlq_monitor.repository import Numbers
from warren.storage import Database, Document, store_errors

_DUPLICATE = 11000
_BLOCK = 50
_MAX_WINDOW = 10_000


class Entries:
    """Stores and finds entries."""

    def __init__(self, database: Database) -> None:
        self._entries = database["record"]
        self._numbers = Numbers(database, "record", _BLOCK)

    async def prepare(self) -> None:
        """Create the indexes."""
        by_number = IndexModel([("number", ASCENDING)], name="number", unique=True)
        with store_errors():
            await self._entries.create_indexes([by_number, IndexModel([("time", ASCENDING)], name="time")])

    async def add(self, entries: Sequence[Entry]) -> None:
        """Store entries durably; one that is there already, as the answer to the first write was lost, stays."""
        numbers = await self._numbers.take(len(entries))
        documents = [_document(replace(e, number=n)) for e, n in zip(entries, numbers, strict=True)]
        with store_errors():
            try:
                await self._entries.insert_many(documents, ordered=False)
            except BulkWriteError as e:
                wrong = [x for x in e.details.get("writeErrors", []) if x.get("code") != _DUPLICATE]
                if wrong or e.details.get("writeConcernErrors"):
                    raise

    async def page(self, limit: int, before: int | None) -> list[Entry]:
        """Return at most `limit` entries numbered below `before`, the newest first."""
        used = await self._numbers.used()
        end = used.stop if before is None else min(before, used.stop)
        found: list[Entry] = []
        width = limit
        while len(found) < limit and end > used.start:
            begin = max(end - width, used.start)
            with store_errors():
                some = await self._entries.find({"number": {"$gte": begin, "$lt": end}}).to_list(None)
            found += sorted((_entry(d) for d in some), key=lambda e: -e.number)
            end, width = begin, min(2 * width, _MAX_WINDOW)
        return found[:limit]

    async def trim(self, older_than: datetime | None, keep: int) -> None:
        """Delete what is older than a time, and all but the newest `keep` (0: no limit)."""
        with store_errors():
            if older_than:
                await self._entries.delete_many({"time": {"$lt": older_than}})
            if keep and (first := (await self._numbers.used()).stop - keep) > 1:
                await self._entries.delete_many({"number": {"$lt": first}})
                await self._numbers.begin_at(first)


def _document(entry: Entry) -> Document:
    content = asdict(entry)
    return {"_id": content.pop("id"), **content}


def _entry(document: Document) -> Entry:
    content = dict(document)
    return Entry(id=content.pop("_id"), **content)
