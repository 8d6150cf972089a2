"""Sends the letters of one replay, at its pace.

Letters are read ahead; what was sent is put on record beside that (`recording`), so the broker waits for no write. A
crash leaves a few letters sent that the record does not know of: they are sent again, under the same message id.
"""

from __future__ import annotations

import asyncio
import logging
import time
from bisect import bisect_right
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, suppress
from typing import Protocol

from dlq_monitor.desk import Desk
from dlq_monitor.model import Letter
from dlq_monitor.replaying.model import Pace, Replay
from dlq_monitor.replaying.outcomes import Outcomes
from dlq_monitor.replaying.recording import Recording
from dlq_monitor.resending import resent, traced
from warren.envelope import Event
from warren.errors import DependencyDownError, UnroutableError, WarrenError
from warren.topology import Topology

log = logging.getLogger(__name__)

FIRST = 20
MOST = 200
"""Letters that are read and sent at once, at the most."""

BYTES = 4 * 1024 * 1024
"""Of the bodies that are read at once: above that fewer letters are."""

AWAITED = 20_000
"""Letters without an outcome above which no more are sent."""

CHECK = 0.25
"""Seconds between two looks at what failed."""

RETRY = 1.0
"""Seconds before it goes on when store or broker were away."""


class StopError(WarrenError):
    """It does not go on; the message says why."""


class StoppedError(StopError):
    """Someone else stops it."""


class Sender(Protocol):
    """Sends letters back (see `warren.messaging.Publisher`)."""

    async def publish_each(self, events: Sequence[Event]) -> list[BaseException | None]: ...


class Sending:
    """One replay under way. `run` returns when all is sent, or raises `StopError`."""

    def __init__(
        self,
        replay: Replay,
        desk: Desk,
        recording: Recording,
        sender: Sender,
        outcomes: Outcomes,
        topology: Topology,
        *,
        canary_wait: float,
    ) -> None:
        self._replay = replay
        self._desk = desk
        self._recording = recording
        self._sender = sender
        self._outcomes = outcomes
        self._topology = topology
        self._canary_wait = canary_wait
        self._pace = Pace(replay.wish.rate, ramp=replay.wish.canary)
        self._confirmed: set[int] = set()
        self._canary = replay.wish.canary and not replay.proven
        self._checked = 0.0
        self._begin()
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Send no more."""
        self._stopping.set()

    async def run(self) -> None:
        """Send what is left of the plan; waits while store or broker are away."""
        try:
            while True:
                try:
                    return await self._send()
                except DependencyDownError as e:
                    log.warning("a replay waits", extra={"fields": {"replay": self._replay.id, "reason": str(e)}})
                    await self._pause(RETRY)
        finally:
            self._recording.release()

    async def _send(self) -> None:
        replay = self._replay
        async with aclosing(self._read()) as read:
            async for some in read:
                letters = some
                while letters:
                    await self._check()
                    count = 1 if self._canary else self._allowed()
                    if not count:
                        await self._pause(0.005)
                        continue
                    wave, letters = letters[:count], letters[count:]
                    if self._canary:
                        self._canary = not await self._try_canary(wave[0])
                        self._begin()
                    else:
                        await self._wave(wave)
        self._recording.sent([], len(replay.plan))

    def _begin(self) -> None:
        self._began, self._given = time.monotonic(), 0

    def _allowed(self) -> int:
        """Return how many letters may go now. After a standstill it does not catch up at once."""
        due = self._pace.due(time.monotonic() - self._began) - self._given
        if (rate := self._replay.wish.rate) and due > max(2.0, rate):
            self._begin()
            return 0
        count = int(min(due, MOST))
        self._given += count
        return count

    async def _try_canary(self, letter: Letter) -> bool:
        """Send one letter and wait for its outcome; says whether there was one to send."""
        replay = self._replay
        await self._wave([letter])
        if not letter.is_open or letter.number in replay.refused:
            return False
        deadline = time.monotonic() + self._canary_wait
        while time.monotonic() < deadline:
            (status,) = self._desk.statuses_of([letter.number]) or ("",)
            if status == "resolved":
                replay.proven = True
                return True
            if status == "returned":
                raise StopError(f"the canary, letter {letter.id[:8]}, died again")
            await self._pause(0.05)
        raise StopError(f"of the canary, letter {letter.id[:8]}, nothing was seen for {self._canary_wait:g} s")

    async def _wave(self, wave: Sequence[Letter]) -> None:
        replay = self._replay
        ready: list[Letter] = []
        events: list[Event] = []
        refused: list[tuple[Letter, str]] = []
        for letter in wave:
            if letter.is_open and letter.number not in self._confirmed:
                again = resent(letter, self._topology, replay.wish.to)
                if isinstance(again, str):
                    refused.append((letter, again))
                else:
                    ready.append(letter)
                    events.append(traced(again, letter))
        await self._outcomes.expect(ready, replay.wish.to)
        self._recording.hold()
        await self._recording.keeps_up()
        try:
            results = await self._sender.publish_each(events)
        except BaseException:
            self._outcomes.forget(ready)
            raise
        sent: list[Letter] = []
        unsure: BaseException | None = None
        for letter, error in zip(ready, results, strict=True):
            if error is None:
                sent.append(letter)
                continue
            self._outcomes.forget([letter])
            if isinstance(error, DependencyDownError) and not isinstance(error, UnroutableError):
                unsure = unsure or error
            else:
                refused.append((letter, str(error)))
        for letter, why in refused:
            replay.refused.append(letter.number)
            fields = {"replay": replay.id, "letter": letter.id, "reason": why}
            log.warning("a letter could not be sent again", extra={"fields": fields})
        if unsure:  # the wave is read again: what of it is confirmed must not be sent again
            self._confirmed.update(x.number for x in sent)
            self._recording.sent(sent, replay.sent)
            raise unsure
        self._confirmed.clear()
        self._recording.sent(sent, bisect_right(replay.plan, wave[-1].number))

    async def _read(self) -> AsyncGenerator[list[Letter]]:
        """Yield what is left of the plan, whole, reading one step ahead; letters that are gone are passed over."""
        plan, at, size = self._replay.plan, self._replay.sent, FIRST
        ahead = asyncio.create_task(self._desk.numbered(plan[at : at + size].tolist(), whole=True))
        try:
            while at < len(plan):
                letters, at = await ahead, at + size
                weight = sum(len(x.body.data) for x in letters)
                size = min(2 * size, MOST) if weight < BYTES // 4 else max(size // 2, 1) if weight > BYTES else size
                ahead = asyncio.create_task(self._desk.numbered(plan[at : at + size].tolist(), whole=True))
                if letters:
                    yield letters
        finally:
            ahead.cancel()
            await asyncio.gather(ahead, return_exceptions=True)

    async def _check(self) -> None:
        """Stop when it was asked to, or when too much failed; wait while too much is awaited."""
        if self._stopping.is_set():
            raise StoppedError("it was told to")
        if time.monotonic() - self._checked < CHECK:
            return
        self._checked = time.monotonic()
        while len(self._outcomes) > AWAITED:
            await self._pause(0.1)
        replay = self._replay
        failed = self._desk.statuses_of(replay.plan)["returned"] + len(replay.refused) - replay.forgiven
        if failed > replay.wish.max_failures:
            raise StopError(f"{failed} letters failed, {replay.wish.max_failures} may")

    async def _pause(self, seconds: float) -> None:
        self._recording.release()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        if self._stopping.is_set():
            raise StoppedError("it was told to")
