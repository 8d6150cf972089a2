"""Keeps the record of one replay while it goes on: how far it is, and, behind the sending, the marks on its letters.

A mark costs the store many times what a publish costs the broker, so marks are made while the sending rests, as far
behind it as letters may be awaited. Nothing hangs on them: what lies before `sent` was sent, and after a crash it is
marked. A replay that was stopped is recorded to its end all the same.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from dlq_monitor.desk import Desk
from dlq_monitor.model import Letter
from dlq_monitor.replaying.model import Replay
from dlq_monitor.replaying.outcomes import Outcomes
from dlq_monitor.replaying.repository import Replays
from warren.errors import DependencyDownError

log = logging.getLogger(__name__)

AT_ONCE = 50
"""Letters of one write: how far the sending is has to wait for it."""

READ = 50
"""Letters that are read at once after a crash, whole."""

SHORT = 8
"""Digits of a replay's id in the letters' records."""

RETRY = 1.0
"""Seconds before it goes on when the store was away."""


class Recording:
    """The record of one replay. It has tasks of its own, while there is something to write."""

    def __init__(self, replay: Replay, desk: Desk, replays: Replays, outcomes: Outcomes) -> None:
        self._replay = replay
        self._desk = desk
        self._replays = replays
        self._outcomes = outcomes
        self._waiting: deque[tuple[int, list[Letter]]] = deque()
        self._marking: asyncio.Task[None] | None = None
        self._saving: asyncio.Task[None] | None = None
        self._changed = False
        self._saved = replay.sent
        self._written = asyncio.Event()
        self._resting = asyncio.Event()
        self._resting.set()

    def sent(self, letters: Sequence[Letter], end: int) -> None:
        """Note letters that were sent; all before the place `end` of the plan are dealt with."""
        replay = self._replay
        replay.sent = max(replay.sent, end)
        light = self._outcomes.sent(letters, replay.wish.actor, self._reason)
        self._waiting.append((end, light))
        if self._marking is None or self._marking.done():
            self._marking = asyncio.create_task(self._mark_all(), name=f"marks of replay {replay.id}")
        self._save()

    async def keeps_up(self) -> None:
        """Return when all that was sent before is in the store: a crash makes no more than one wave come twice."""
        while self._saved < self._replay.sent:
            self._written.clear()
            await self._written.wait()

    def hold(self) -> None:
        """Let the sending go first."""
        self._resting.clear()

    def release(self) -> None:
        """Mark what was sent: the sending rests."""
        self._resting.set()

    async def catch_up(self) -> None:
        """Finish what a crash left: letters that were sent, and do not say so."""
        replay = self._replay
        refused = set(replay.refused)
        for at in range(replay.marked, replay.sent, READ):
            end = min(at + READ, replay.sent)
            letters = await self._desk.numbered(replay.plan[at:end].tolist(), whole=True)
            left = [x for x in letters if x.is_open and x.number not in refused]
            await self._outcomes.expect(left, replay.wish.to)
            self.sent(left, end)
        await self.finished()

    async def finished(self) -> None:
        """Return when all that was sent is on record."""
        self.release()
        while tasks := [t for t in (self._marking, self._saving) if t and not t.done()]:
            await asyncio.wait(tasks)

    async def stop(self) -> None:
        """Write no more; what is not on record is put there after the next start."""
        tasks = [t for t in (self._marking, self._saving) if t]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def _reason(self) -> str:
        return f"{self._replay.wish.reason} (replay {self._replay.id[-SHORT:]})".strip()

    async def _mark_all(self) -> None:
        while self._waiting:
            await self._resting.wait()
            end, letters = self._waiting.popleft()
            while self._waiting and len(letters) + len(self._waiting[0][1]) <= AT_ONCE:
                end, more = self._waiting.popleft()
                letters = [*letters, *more]
            if letters:
                await self._until_done(lambda some=letters: self._outcomes.mark_all(some))  # type: ignore[misc]
            self._replay.marked = max(end, self._replay.marked)
            self._save()

    def _save(self) -> None:
        self._changed = True
        if self._saving is None or self._saving.done():
            self._saving = asyncio.create_task(self._save_all(), name=f"record of replay {self._replay.id}")

    async def _save_all(self) -> None:
        while self._changed:
            self._changed = False
            sent = self._replay.sent
            await self._until_done(lambda: self._replays.save(self._replay))
            self._saved = sent
            self._written.set()

    async def _until_done(self, write: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                return await write()
            except DependencyDownError as e:
                log.warning("a replay's record waits", extra={"fields": {"replay": self._replay.id, "reason": str(e)}})
            except Exception:  # a record that ends would leave the replay waiting for ever
                log.exception("a replay's record failed, tried again", extra={"fields": {"replay": self._replay.id}})
            await asyncio.sleep(RETRY)
