"""The record of changes: who was let through and who was refused, in the store and in the log.

An answer to a change waits until its entry is stored, so whoever got one is on record; but not for long. While the
store is away nothing can be changed anyway, and a refusal needs no store: then entries wait in memory, at most
`MAX_WAITING` of them, and the log has them all. A crash in that time leaves them in the log alone.

Denials of unknown callers are told together, at most one entry in `FOLD` seconds: a flood of them is a count.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from typing import Any, Protocol

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dlq_monitor.access.door import CHANGES, Caller, Door
from dlq_monitor.access.model import SERVICE_TOKEN, UNKNOWN, Entry
from warren.contracts import now, rfc3339
from warren.errors import DependencyDownError

log = logging.getLogger(__name__)

PATIENCE = 2.0
"""Seconds that an answer waits for its entry."""

FOLD = 5.0
TICK = 1.0
"""Seconds between two looks at what is to be written, if nothing hurries."""

TRIM = 60.0
"""Seconds between two rounds of retention."""

MAX_WAITING = 1000
AT_ONCE = 100
_LONGEST = {"path": 300, "actor": 128, "reason": 1000}
"""Characters that are kept of what a caller says."""


class Store(Protocol):
    """Where entries are kept (see `dlq_monitor.access.repository.Entries`)."""

    async def prepare(self) -> None: ...
    async def add(self, entries: Sequence[Entry]) -> None: ...
    async def page(self, limit: int, before: int | None) -> list[Entry]: ...
    async def trim(self, older_than: Any, keep: int) -> None: ...


@dataclass(slots=True)
class _Waiting:
    entry: Entry
    written: asyncio.Event


class Record:
    """Keeps entries for `days`, and at most `count` of them; 0 for no limit."""

    def __init__(self, store: Store, *, days: float, count: int) -> None:
        self._store = store
        self._days = days
        self._count = count
        self._waiting: deque[_Waiting] = deque()
        self._unknown: Entry | None = None
        self._unfold_at = 0.0
        self._trim_at = 0.0
        self._away = False
        self._wake = asyncio.Event()

    async def enter(self, entry: Entry) -> None:
        """Put an entry on record; returns when it is stored, or after `PATIENCE`."""
        if entry.who == UNKNOWN:
            self._unknown = replace(entry, count=entry.count + (self._unknown.count if self._unknown else 0))
            return
        waiting = self._wait_for(entry)
        self._wake.set()
        if not self._away:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(waiting.written.wait(), PATIENCE)

    async def page(self, limit: int, before: int | None) -> list[Entry]:
        """Return at most `limit` entries numbered below `before`, the newest first."""
        return await self._store.page(limit, before)

    async def prepare(self) -> None:
        """Create indexes."""
        await self._store.prepare()

    async def run(self) -> None:
        """Write what is entered, and remove what is old."""
        while True:
            self._wake.clear()
            try:
                await self._round()
                self._away = False
            except DependencyDownError as e:
                self._away = True
                log.debug("the record waits", extra={"fields": {"reason": str(e), "entries": len(self._waiting)}})
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), TICK)

    async def drain(self) -> None:
        """Write what is waiting."""
        self._unfold_at = 0.0
        with contextlib.suppress(DependencyDownError):
            await self._round()

    async def _round(self) -> None:
        if self._unknown and time.monotonic() >= self._unfold_at:
            self._wait_for(self._unknown)
            self._unknown, self._unfold_at = None, time.monotonic() + FOLD
        while some := list(self._waiting)[:AT_ONCE]:
            await self._store.add([w.entry for w in some])
            for waiting in some:
                waiting.written.set()
                with contextlib.suppress(ValueError):  # dropped meanwhile, as too many were waiting
                    self._waiting.remove(waiting)
        if time.monotonic() >= self._trim_at:
            oldest = now() - timedelta(days=self._days) if self._days else None
            await self._store.trim(oldest, self._count)
            self._trim_at = time.monotonic() + TRIM

    def _wait_for(self, entry: Entry) -> _Waiting:
        fields = {k: v for k, v in asdict(entry).items() if k not in {"id", "number", "time"} and v is not None}
        log.info("a change was asked for", extra={"fields": fields})
        waiting = _Waiting(entry, asyncio.Event())
        self._waiting.append(waiting)
        if len(self._waiting) > MAX_WAITING:
            lost = self._waiting.popleft().entry
            log.warning("an entry of the record is in the log alone", extra={"fields": {"time": rfc3339(lost.time)}})
        return waiting


class Recorder:
    """ASGI middleware that puts every answer to a change on record, before it goes out.

    Strangers are refused here already, as the route would: else it read their bodies first, however long they are.
    """

    def __init__(self, app: ASGIApp, door: Door, record: Record) -> None:
        self._app = app
        self._door = door
        self._record = record

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] not in CHANGES:
            await self._app(scope, receive, send)
            return
        state: dict[str, Any] = scope.setdefault("state", {})
        caller = self._door.caller(dict(scope["headers"]).get(b"authorization", b"").decode("latin-1"))
        answered = False

        async def noting(message: Message) -> None:
            nonlocal answered
            if message["type"] == "http.response.start":
                answered = True
                await self._note(scope, state, caller, message["status"])
            await send(message)

        if caller is None:
            no = self._door.refusal()
            await JSONResponse({"detail": no.detail}, no.status_code, no.headers)(scope, receive, noting)
            return
        try:
            await self._app(scope, receive, noting)
        except Exception:
            if not answered:
                await self._note(scope, state, caller, 500)
            raise

    async def _note(self, scope: Scope, state: dict[str, Any], caller: Caller | None, status: int) -> None:
        if state.get("dry_run") and status < 400:
            return
        said = state.get("said", {})
        await self._record.enter(
            Entry(
                who=UNKNOWN if caller is None else caller.name or SERVICE_TOKEN,
                role=caller.role if caller else None,
                method=scope["method"],
                path=scope["path"][: _LONGEST["path"]],
                outcome="denied" if 400 <= status < 500 else "allowed",
                status=status,
                actor=_cut(said, "actor"),
                reason=_cut(said, "reason"),
            )
        )


def _cut(said: dict[str, Any], name: str) -> str | None:
    value = said.get(name)
    return value[: _LONGEST[name]] if isinstance(value, str) and value else None
