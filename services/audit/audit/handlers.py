"""Events in, chained documents out: what was recorded already is left out, the rest is stored, and only then acked."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from time import perf_counter
from typing import Any, Protocol

import orjson
from prometheus_client import Counter

from audit.chain import Head, batches, link
from audit.model import Record, identity_of, record
from audit.pace import Pace
from audit.recent import Recent
from warren.contracts import now, rfc3339
from warren.envelope import Event
from warren.observability.metrics import WRITE_SIZE, WRITING
from warren.observability.tracing import event_spans

log = logging.getLogger(__name__)

REMEMBERED = 100_000
"""Identities kept in memory, at the least: more than prefetch lets be delivered and not acked."""

SUSPECT = 5_000
"""Events after each new channel that are looked up in the store: a former process may have recorded them."""

WITNESSED = 20
"""Chains whose heads the first document of a new chain names."""

RECORDED = Counter("warren_audit_records", "Events recorded")
DUPLICATES = Counter("warren_audit_duplicates", "Deliveries of events that were recorded before")


class Store(Protocol):
    """What a recorder needs of the store (see `audit.repository.Records`)."""

    async def open(self, chain: str, writer: str, time: str) -> None: ...
    async def append(self, document: dict[str, Any]) -> None: ...
    async def head(self, since: Head) -> Head: ...
    async def heads(self, limit: int) -> list[Head]: ...
    async def texts(self, keys: Sequence[str]) -> list[str]: ...


class Seals(Protocol):
    """Who is told of each new head (see `audit.sealing.Sealer`)."""

    def offer(self, head: Head) -> None: ...


class Recorder:
    """Writes one chain: that of this life of this process."""

    def __init__(self, chain: str, writer: str, store: Store, seals: Seals, pace: Pace, body_limit: int) -> None:
        self._writer = writer
        self._store = store
        self._seals = seals
        self._pace = pace
        self._body_limit = body_limit
        self._head = Head(chain)
        self._certain = False
        self._recent = Recent(REMEMBERED)
        self._suspect = SUSPECT

    def reopened(self) -> None:
        """Expect events that were recorded but not acked: they come first on a new channel."""
        self._suspect = SUSPECT

    async def handle(self, events: Sequence[Event]) -> None:
        """Record a batch of events, each once."""
        await self._pace.wait(len(events))
        with event_spans("audit", events):
            records = await self._new([record(e, self._body_limit) for e in events])
            for batch in batches(records):
                await self._append(batch)
        DUPLICATES.inc(len(events) - len(records))

    async def _new(self, records: Sequence[Record]) -> list[Record]:
        """Leave out what is recorded.

        Memory knows what this process has written. The store is asked about the first events of a channel, and about
        a lone one: a redelivered event always comes alone, perhaps from another process that died.
        """
        fresh: dict[str, Record] = {}
        for number, one in enumerate(records):
            if one.identity is None:
                fresh[f"nameless {number}"] = one  # it can't be told from another: recorded each time
            elif one.identity not in self._recent:
                fresh.setdefault(one.identity, one)
        named = [r for r in fresh.values() if r.identity is not None]
        if named and (self._suspect > 0 or len(records) == 1):
            self._suspect -= len(records)
            texts = await self._store.texts([*dict.fromkeys(r.keys[0] for r in named)])
            for text in texts:
                fresh.pop(identity_of(orjson.loads(text)) or "", None)
        return list(fresh.values())

    async def _append(self, batch: Sequence[Record]) -> None:
        time = rfc3339(now())
        head = await self._present_head(time)
        others = await self._store.heads(WITNESSED) if head.n == 0 else ()
        document = link(head, batch, time, others)
        self._certain = False  # until the store has answered, the document may be there or not
        began = perf_counter()
        await self._store.append(document)
        WRITE_SIZE.observe(len(batch))
        WRITING.observe(perf_counter() - began)
        self._head = head = Head.of(document)
        self._certain = True
        for one in batch:
            if one.identity is not None:
                self._recent.add(one.identity)
        RECORDED.inc(len(batch))
        if not all(r.is_seal for r in batch):  # a seal that called for a seal would never end
            self._seals.offer(head)
        _say(head, batch)

    async def _present_head(self, time: str) -> Head:
        if not self._certain:
            if self._head.n == 0:
                await self._store.open(self._head.chain, self._writer, time)
            self._head = await self._store.head(self._head)
            self._certain = True
        return self._head


def _say(head: Head, batch: Sequence[Record]) -> None:
    if log.isEnabledFor(logging.INFO):
        traces = [*dict.fromkeys(r.trace for r in batch if r.trace)]
        fields = {"count": len(batch), "chain": head.chain, "n": head.n, "traces": traces}
        log.info("events recorded", extra={"fields": fields})
