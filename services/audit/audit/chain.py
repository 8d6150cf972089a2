"""The chain: each document's hash covers its own content and the hash before it. Pure.

A chain belongs to one life of one writer and begins at n = 1 with nothing before it; but its first document names the
heads of the chains that were there, so that none of them can be removed as a whole.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from audit.model import Record

MAX_CHARACTERS = 4 * 1024 * 1024
"""Text in one document; the store takes 16 MB, keys and what stands around them included."""
MAX_RECORDS = 1000
SUM = 16
"""Hex digits kept per record, so that a broken document says which record it was."""

_UNHASHED = frozenset({"_id", "hash"})


@dataclass(frozen=True, slots=True)
class Head:
    """Where a chain stands: its newest document. `total` counts all records up to it, `time` is RFC 3339."""

    chain: str
    n: int = 0
    hash: str = ""
    total: int = 0
    time: str = ""

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Head:
        """Return the head a document is; what is not there, in one that was tampered with, is nothing."""
        total = document.get("total")
        return cls(
            str(document.get("chain")),
            int(document["n"]),
            str(document.get("hash")),
            total if isinstance(total, int) else 0,
            str(document.get("time")),
        )


def batches(records: Sequence[Record]) -> Iterator[list[Record]]:
    """Split records, in order, into what goes into one document each."""
    batch: list[Record] = []
    size = 0
    for record in records:
        size += len(record.text)
        if batch and (size > MAX_CHARACTERS or len(batch) >= MAX_RECORDS):
            yield batch
            batch, size = [], len(record.text)
        batch.append(record)
    if batch:
        yield batch


def link(head: Head, records: Sequence[Record], time: str, others: Sequence[Head] = ()) -> dict[str, Any]:
    """Return the document that follows `head`; `others` are heads of other chains it shall bear witness to."""
    document: dict[str, Any] = {
        "chain": head.chain,
        "n": head.n + 1,
        "prev": head.hash,
        "count": len(records),
        "total": head.total + len(records),
        "time": time,
        "entries": [r.text for r in records],
        "sums": "".join(_sum(r.text) for r in records),
        "keys": list(dict.fromkeys(k for r in records for k in r.keys)),
    }
    if others:
        document["heads"] = [{"chain": h.chain, "n": h.n, "hash": h.hash} for h in others]
    document["hash"] = digest(document)
    return document


def digest(document: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a document's canonical JSON, without its id and its own hash."""
    content = {k: v for k, v in document.items() if k not in _UNHASHED}
    # What is not JSON was not written by us: its name stands for it, and the hash is another.
    return hashlib.sha256(orjson.dumps(content, default=repr, option=orjson.OPT_SORT_KEYS)).hexdigest()


def flaws(document: Mapping[str, Any], before: Head | None) -> list[str]:
    """Say what is wrong with a document; `before` is the head it follows, None if that is missing."""
    if document.get("hash") != digest(document):
        return [f"its content was changed: {_where(document)}"]
    found = []
    count = len(document.get("entries", ()))
    if document.get("count") != count:
        found.append(f"it holds {count} records and says {document.get('count')}")
    if before is not None:
        if document.get("prev") != before.hash:
            found.append("it does not follow the document before it: that one, or this one, was replaced")
        if document.get("total") != before.total + count:
            found.append(f"it counts {document.get('total')} records so far, {before.total + count} are there")
    return found


def _where(document: Mapping[str, Any]) -> str:
    """Say which records of a changed document differ from their sums."""
    entries, sums = document.get("entries"), document.get("sums")
    if not isinstance(entries, list) or not isinstance(sums, str) or len(sums) != SUM * len(entries):
        return "records were added or removed"
    wrong = [i for i, e in enumerate(entries) if _sum(e) != sums[i * SUM : (i + 1) * SUM]]
    if not wrong:
        return "not a record, but what stands around them (time, keys, counts or hashes)"
    return "record " + ", ".join(str(i + 1) for i in wrong[:10]) + f" of {len(entries)}"


def _sum(entry: object) -> str:
    content = entry.encode() if isinstance(entry, str) else repr(entry).encode()
    return hashlib.sha256(content).hexdigest()[:SUM]
