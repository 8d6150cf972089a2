"""Walks the chains and says what is wrong: a changed byte, a gap, a replaced document, an end that was cut off.

Seals are witnesses: every `audit.sealed` fact that is itself in the record, the latest one kept with each chain, and
the heads that a chain's first document names, must name documents that are there with that hash.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson

from audit.chain import Head, flaws
from audit.model import token
from audit.repository import Chain
from warren.contracts.events import AuditSealed

PAGE = 20
"""Documents read at once; one has up to 4 MB."""

MAX_PROBLEMS = 100

_SEAL = token("type", AuditSealed.TYPE)


class Store(Protocol):
    """What is walked (see `audit.repository.Records`)."""

    async def chains(self) -> list[Chain]: ...
    async def head(self, since: Head) -> Head: ...
    async def between(self, chain: str, first: int, last: int | None) -> list[dict[str, Any]]: ...


@dataclass(slots=True)
class Report:
    """How far a verification is and what it found; `expected` records are to be read in all."""

    expected: int = 0
    chains: int = 0
    batches: int = 0
    records: int = 0
    problems: list[dict[str, Any]] = field(default_factory=list)
    more_problems: int = 0

    def add(self, chain: str, n: int, problem: str) -> None:
        """Note a problem; of very many only the first are kept, the others counted."""
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append({"chain": chain, "n": n, "problem": problem})
        else:
            self.more_problems += 1

    def progress(self) -> dict[str, Any]:
        """Return how far it is."""
        return {"expected": self.expected, "records": self.records, "problems": len(self.problems)}

    def result(self) -> dict[str, Any]:
        """Return the whole."""
        return {
            "ok": not self.problems,
            "chains": self.chains,
            "batches": self.batches,
            "records": self.records,
            "problems": self.problems,
            "more_problems": self.more_problems,
        }


async def verify(store: Store, only: str | None = None) -> AsyncIterator[Report]:
    """Verify all chains, or `only` one; yields the growing report after each page, at last the whole."""
    report = Report()
    chains = [c.sealed for c in await store.chains() if only in {None, c.sealed.chain}]
    if only is not None and not chains:
        report.add(only, 0, "there is no such chain")
    heads = {c.chain: await store.head(c) for c in chains}
    seals = {c.chain: c for c in chains}
    report.expected = sum(h.total for h in heads.values())
    for head in heads.values():
        report.chains += 1
        async for _ in _walk(store, head, report, seals):
            yield report
    for seal in seals.values():
        if seal.n and only in {None, seal.chain}:
            await _witness(store, seal, heads.get(seal.chain), report)
    yield report


async def _walk(store: Store, head: Head, report: Report, seals: dict[str, Head]) -> AsyncIterator[None]:
    """Read one chain from its beginning; `seals` gets the highest seal that its records hold of each chain."""
    before: Head | None = Head(head.chain)
    expected = 1
    for first in range(1, head.n + 1, PAGE):
        for document in await store.between(head.chain, first, min(first + PAGE - 1, head.n)):
            n = document["n"]
            if n != expected:
                report.add(head.chain, expected, _missing(expected, n - 1))
                before = None
            for flaw in flaws(document, before):
                report.add(head.chain, n, flaw)
            before, expected = Head.of(document), n + 1
            report.batches += 1
            report.records += len(document.get("entries", ()))
            _collect(document, seals)
        yield
    if expected <= head.n:
        report.add(head.chain, expected, f"{_missing(expected, head.n)} at the end: the chain was sealed with them")


def _missing(first: int, last: int) -> str:
    return f"document {first} is missing" if first == last else f"documents {first} to {last} are missing"


def _collect(document: Mapping[str, Any], seals: dict[str, Head]) -> None:
    """Keep the highest seal of each chain that a document names."""
    found = list(document.get("heads", ()))
    if _SEAL in document.get("keys", ()):
        found += [seal for text in document.get("entries", ()) if (seal := _seal(text))]
    for one in found:
        try:
            head = Head(one["chain"], int(one["n"]), one["hash"])
        except (KeyError, TypeError, ValueError):
            continue  # it was changed, as the document's hash says
        if head.n > seals.get(head.chain, Head(head.chain)).n:
            seals[head.chain] = head


def _seal(text: str) -> dict[str, Any] | None:
    """Read the seal in a record, if it is one of ours."""
    try:
        entry = orjson.loads(text)
        if entry["type"] != AuditSealed.TYPE or entry["app"] != "audit":
            return None
        return AuditSealed.model_validate_json(entry["body"]).model_dump()
    except (ValueError, KeyError, TypeError):
        return None


async def _witness(store: Store, seal: Head, head: Head | None, report: Report) -> None:
    found = await store.between(seal.chain, seal.n, seal.n)
    if found and found[0].get("hash") != seal.hash:
        report.add(seal.chain, seal.n, "a seal names this document with another hash: it was replaced")
    if not found and (head is None or seal.n > head.n):  # below its head the walk has told
        report.add(seal.chain, seal.n, "a seal names this document, and it is missing")
