"""The record in the store (database `warren_audit`), append-only.

Collection `records`: one document per batch (see `audit.chain.link`), unique by `(chain, n)`. Collection `chains`: one
document per chain, made before its first record, with its latest seal.

Every query is bounded by an index range, never by a sort with a limit: the embedded store reads all that a filter
leaves before it sorts, so a sort over a long chain would read the whole chain.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass

from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.errors import DuplicateKeyError

from audit.chain import Head
from warren.errors import DeposedError
from warren.storage import Database, Document, store_errors

_HEAD = {"chain": 1, "n": 1, "hash": 1, "total": 1, "time": 1}


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain as it was last sealed; `opened` is RFC 3339, `writer` the instance that writes it."""

    opened: str
    writer: str
    sealed: Head


class Records:
    """Appends to chains and reads them."""

    def __init__(self, database: Database) -> None:
        self._records = database["records"]
        self._chains = database["chains"]

    async def prepare(self) -> None:
        """Create the indexes that chain and search rest on."""
        with store_errors():
            await self._records.create_indexes(
                [
                    IndexModel([("chain", ASCENDING), ("n", ASCENDING)], name="chain", unique=True),
                    IndexModel([("keys", ASCENDING), ("time", ASCENDING)], name="search"),
                    IndexModel([("time", ASCENDING)], name="time"),
                ]
            )

    async def open(self, chain: str, writer: str, time: str) -> None:
        """Begin a chain; again is no harm."""
        with store_errors():
            try:
                await self._chains.insert_one(
                    {"_id": chain, "opened": time, "writer": writer, "n": 0, "hash": "", "total": 0, "time": time}
                )
            except DuplicateKeyError:
                return

    async def append(self, document: Document) -> None:
        """Store a document durably; `DeposedError` if its place in the chain is taken."""
        with store_errors():
            try:
                await self._records.insert_one(document)
            except DuplicateKeyError as e:
                raise DeposedError(f"document {document['n']} of chain {document['chain']} exists already") from e

    async def seal(self, head: Head) -> None:
        """Note how far a chain is sealed."""
        with store_errors():
            await self._chains.update_one(
                {"_id": head.chain, "n": {"$lt": head.n}},
                {"$set": {"n": head.n, "hash": head.hash, "total": head.total, "time": head.time}},
            )

    async def chains(self) -> list[Chain]:
        """Return all chains, the oldest first."""
        with store_errors():
            found = await self._chains.find({}).to_list(None)
        chains = [
            Chain(d["opened"], d["writer"], Head(d["_id"], d["n"], d["hash"], d["total"], d["time"])) for d in found
        ]
        return sorted(chains, key=lambda c: (c.opened, c.sealed.chain))

    async def head(self, since: Head) -> Head:
        """Return the present head of a chain of which an older one is known."""
        with store_errors():
            newer = await self._records.find({"chain": since.chain, "n": {"$gt": since.n}}, _HEAD).to_list(None)
        return max([since, *map(Head.of, newer)], key=lambda h: h.n)

    async def heads(self, limit: int) -> list[Head]:
        """Return the present heads of the youngest chains that have any record."""
        found = [await self.head(c.sealed) for c in (await self.chains())[-limit:]]
        return [h for h in found if h.n]

    async def between(self, chain: str, first: int, last: int | None) -> list[Document]:
        """Return the documents of a chain from n = `first` to n = `last` (or all that follow), in order."""
        bounds = {"$gte": first} if last is None else {"$gte": first, "$lte": last}
        with store_errors():
            found: list[Document] = await self._records.find({"chain": chain, "n": bounds}).to_list(None)
        return sorted(found, key=lambda d: int(d["n"]))

    async def texts(self, keys: Iterable[str]) -> list[str]:
        """Return the text of all records in documents that have any of these keys."""
        with store_errors():
            found = await self._records.find({"keys": {"$in": list(keys)}}, {"entries": 1}).to_list(None)
        return [text for document in found for text in document["entries"]]

    async def find(
        self, key: str | None, since: str | None, until: str | None, *, newest_first: bool
    ) -> AsyncIterator[Document]:
        """Yield documents that have a key, with `since` <= time < `until` (RFC 3339), in order of time."""
        order = DESCENDING if newest_first else ASCENDING
        between = {k: v for k, v in (("$gte", since), ("$lt", until)) if v is not None}
        query: Document = {**({"keys": key} if key else {}), **({"time": between} if between else {})}
        with store_errors():
            cursor = self._records.find(query, {"keys": 0, "sums": 0}).sort([("time", order), ("n", order)])
            async for document in cursor.batch_size(20):
                yield document
