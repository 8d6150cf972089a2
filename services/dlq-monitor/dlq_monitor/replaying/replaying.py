"""All replays: made, under way, cancelled, resumed. One that a crash cut off goes on at the next start."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress

from dlq_monitor.desk import Desk
from dlq_monitor.replaying.model import ENDED, Replay, State, Wish
from dlq_monitor.replaying.planning import Plan
from dlq_monitor.replaying.recording import Recording
from dlq_monitor.replaying.repository import Replays
from dlq_monitor.replaying.sending import RETRY, Sending, StopError, StoppedError
from warren.contracts import now
from warren.errors import DependencyDownError, WarrenError
from warren.ids import uuid7

log = logging.getLogger(__name__)

KEPT = 200
"""Replays that stay on record; those that are not over stay in any case."""

GRACE = 0.8
"""Seconds a replay gets to finish what it is just sending before it is cut off."""


class UnknownReplayError(WarrenError):
    """No replay, or more than one, has this id."""


class RefusedReplayError(WarrenError):
    """The replay can't do this now."""


class Replaying:
    """Makes replays and keeps them going; `record` makes the record of one, `send` its sending."""

    def __init__(
        self,
        desk: Desk,
        replays: Replays,
        record: Callable[[Replay], Recording],
        send: Callable[[Replay, Recording], Sending],
    ) -> None:
        self._desk = desk
        self._store = replays
        self._record = record
        self._send = send
        self._replays: dict[str, Replay] = {}
        self._recordings: dict[str, Recording] = {}
        self._sendings: dict[str, Sending] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._freeing: set[asyncio.Task[None]] = set()
        self._draining = False

    async def prepare(self) -> None:
        """Read all replays; letters of those that go on are nobody else's."""
        found = await self._store.all()
        over = [r.id for r in found if r.state in ENDED and r.recorded][KEPT:]
        if over:
            await self._store.remove(over)
        self._replays = {r.id: r for r in reversed(found) if r.id not in over}
        for replay in self._replays.values():
            if replay.state == "running":
                self._desk.claimed.update(replay.plan)
            elif not replay.recorded:
                self._desk.claimed.update(replay.plan[replay.marked : replay.sent])

    async def run(self) -> None:
        """Go on with what was cut off, then wait."""
        await self._desk.until_loaded()  # which is after `prepare`
        for replay in list(self._replays.values()):
            if replay.state not in ENDED:
                self._start(replay)
            elif not replay.recorded:
                self._free(replay)
        await asyncio.Event().wait()

    async def drain(self) -> None:
        """Finish what is just being sent; the rest goes on at the next start."""
        self._draining = True
        for sending in self._sendings.values():
            sending.stop()
        if tasks := list(self._tasks.values()):
            _, late = await asyncio.wait(tasks, timeout=2)
            for task in late:
                task.cancel()
        for task in self._freeing:
            task.cancel()
        await asyncio.gather(*[r.stop() for r in self._recordings.values()])

    def all(self) -> list[Replay]:
        """Return all replays, the newest first."""
        self._desk.counts()  # letters that are not counted yet say nothing of replays
        return list(reversed(self._replays.values()))

    def one(self, end: str) -> Replay:
        """Return the replay whose id ends so (the beginning is the time); raises `UnknownReplayError`."""
        found = [r for r in self.all() if r.id.endswith(end)]
        if len(found) != 1:
            raise UnknownReplayError("several replays' ids end so" if found else "no replay has this id")
        return found[0]

    async def begin(self, plan: Plan, wish: Wish) -> Replay:
        """Make a replay of a plan and start it."""
        replay = Replay(uuid7(), wish, plan.numbers, now())
        self._desk.claimed.update(replay.plan)
        try:
            await self._store.add(replay)
        except BaseException:
            self._desk.claimed.difference_update(replay.plan)
            raise
        self._replays[replay.id] = replay
        fields = {"replay": replay.id, "letters": len(replay.plan), "actor": wish.actor, "reason": wish.reason}
        log.info("replay begun", extra={"fields": fields})
        self._start(replay)
        return replay

    async def cancel(self, replay: Replay, actor: str, reason: str) -> None:
        """Send no more; raises `RefusedReplayError` when all was sent already."""
        if replay.state != "running":
            raise RefusedReplayError("all is sent already" if replay.state == "settling" else f"it is {replay.state}")
        replay.state, replay.why = "cancelled", f"by {actor}" + (f": {reason}" if reason else "")
        if (sending := self._sendings.get(replay.id)) and (task := self._tasks.get(replay.id)):
            sending.stop()
            with suppress(TimeoutError):
                async with asyncio.timeout(GRACE):
                    await asyncio.shield(asyncio.wait([task]))
            if not task.done():
                task.cancel()
        replay.ended = replay.ended or now()
        await self._store.save(replay)

    async def resume(self, replay: Replay, actor: str) -> None:
        """Go on with what was cancelled or stopped by itself; raises `RefusedReplayError`.

        What had failed by then counts no more.
        """
        if replay.state not in {"cancelled", "stopped"}:
            raise RefusedReplayError(f"it is {replay.state}")
        if (task := self._tasks.get(replay.id)) and not task.done():
            await asyncio.wait([task])
        left = set(replay.plan[replay.sent :])
        if busy := len(left & self._desk.claimed):
            raise RefusedReplayError(f"{busy} of its letters are part of another replay now")
        self._desk.claimed.update(left)
        replay.state, replay.why, replay.ended = "running", f"resumed by {actor}", None
        replay.forgiven = self.failures(replay)
        await self._store.save(replay)
        self._start(replay)

    def failures(self, replay: Replay) -> int:
        """Return how many letters died again or could not be sent."""
        return self._desk.statuses_of(replay.plan)["returned"] + len(replay.refused)

    def _start(self, replay: Replay) -> None:
        self._tasks[replay.id] = asyncio.create_task(self._work(replay), name=f"replay {replay.id}")

    async def _work(self, replay: Replay) -> None:
        state: State | None = None
        try:
            recording = await self._recording(replay)
            if replay.state == "running":
                sending = self._sendings[replay.id] = self._send(replay, recording)
                await sending.run()
                await recording.finished()
                replay.state = "settling"
                await self._save(replay)
            if replay.state == "settling":  # else it was cancelled before it could go on
                await self._settled(replay)
                state = "done"
                replay.counts = dict(self._desk.statuses_of(replay.plan))
        except StoppedError:
            pass  # whoever stopped it has said so
        except StopError as e:
            state, replay.why = "stopped", str(e)
        except Exception as e:
            log.exception("a replay failed", extra={"fields": {"replay": replay.id}})
            state, replay.why = "stopped", f"{type(e).__name__}: {e}"
        finally:
            self._sendings.pop(replay.id, None)
            if not self._draining:
                self._desk.claimed.difference_update(replay.plan[replay.sent :])
                self._free(replay)
        if state and replay.state not in ENDED:
            replay.state = state
        if replay.state in ENDED:
            replay.ended = now()
            fields = {"replay": replay.id, "state": replay.state, "reason": replay.why or None}
            log.info("replay ended", extra={"fields": fields})
        await self._save(replay)

    async def _recording(self, replay: Replay) -> Recording:
        """Return its record; the first time after a start, once that knows of all that was sent."""
        found = self._recordings.get(replay.id)
        if found is None:
            found = self._recordings[replay.id] = self._record(replay)
            while not replay.recorded:
                try:
                    await found.catch_up()
                except DependencyDownError:
                    await asyncio.sleep(RETRY)
        return found

    def _free(self, replay: Replay) -> None:
        """Let others decide about its letters again, of those that were sent not before they say so."""
        task = asyncio.create_task(self._recorded(replay), name=f"end of replay {replay.id}")
        self._freeing.add(task)
        task.add_done_callback(self._freeing.discard)

    async def _recorded(self, replay: Replay) -> None:
        recording, end = await self._recording(replay), replay.sent
        await recording.finished()
        self._desk.claimed.difference_update(replay.plan[:end])
        if replay.id not in self._sendings:
            self._recordings.pop(replay.id, None)

    async def _settled(self, replay: Replay) -> None:
        """Return when an outcome of each letter is known."""
        self._desk.claimed.difference_update(replay.plan)
        while self._desk.statuses_of(replay.plan)["replayed"]:  # noqa: ASYNC110 - outcomes are counted, not told
            await asyncio.sleep(0.25)

    async def _save(self, replay: Replay) -> None:
        while True:
            try:
                return await self._store.save(replay)
            except DependencyDownError:
                await asyncio.sleep(RETRY)
