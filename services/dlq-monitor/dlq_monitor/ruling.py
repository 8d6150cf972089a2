"""Carries the rules' plans out when they are due.

A plan's time is stored with its letter, so that a crash only delays it; what is overdue at a start is done at once. The
letter is read and planned again before anything is done: rules and people may have changed their minds.
"""

from __future__ import annotations

import asyncio
import logging
import time

from dlq_monitor.decisions import Decisions, RefusedError
from dlq_monitor.desk import Desk
from dlq_monitor.model import Letter, Step
from warren.contracts import now
from warren.errors import DependencyDownError

log = logging.getLogger(__name__)

INTERVAL = 0.5
"""Seconds between two looks at what is due."""

RETRY = 5.0
"""Seconds after which a plan is tried again when store or broker were away."""

FINISH = 60.0
"""Seconds between two looks for edited copies whose sending was cut off."""

AT_ONCE = 20
"""Letters that are read at once: they may be large."""


class Ruling:
    """Sends, discards or looks again at letters as the rules say."""

    def __init__(self, desk: Desk, decisions: Decisions) -> None:
        self._desk = desk
        self._decisions = decisions

    async def run(self) -> None:
        """Do what is due, again and again."""
        finished = 0.0
        while True:
            numbers = self._desk.take_due(AT_ONCE)
            try:
                if self._desk.loaded and time.monotonic() - finished > FINISH:
                    finished = time.monotonic()
                    await self._decisions.finish()
                for letter in await self._desk.numbered(numbers):
                    if letter.number in self._desk.claimed:
                        self._desk.put_off([letter.number], RETRY)
                    else:
                        await self._look(letter)
                    numbers.remove(letter.number)
            except DependencyDownError as e:
                self._desk.put_off(numbers, RETRY)
                log.warning("plans wait", extra={"fields": {"letters": len(numbers), "reason": str(e)}})
            if len(numbers) < AT_ONCE:
                await asyncio.sleep(INTERVAL)

    async def drain(self) -> None:
        """Nothing to finish: what is due stays due."""

    async def _look(self, letter: Letter) -> None:
        if not letter.is_open or letter.due is None or letter.due > now():
            return
        plan = self._desk.plan(letter)
        actor = f"rule {plan.rule}"
        try:
            if not plan.act or plan.due is None or plan.due > now():
                await self._desk.replan(letter, plan)
            elif plan.do == "republish":
                await self._decisions.replay(letter.id, actor, f"for the {_nth(letter.replays + 1)} time")
            else:
                await self._decisions.discard(letter.id, actor, "its time is over")
        except DependencyDownError:
            raise
        except RefusedError as e:
            await self._hold(letter, actor, str(e))
        except Exception as e:
            log.exception("a plan failed", extra={"fields": {"letter": letter.id}})
            await self._hold(letter, actor, f"it failed: {type(e).__name__}: {e}")

    async def _hold(self, letter: Letter, actor: str, reason: str) -> None:
        log.warning("a plan was given up", extra={"fields": {"letter": letter.id, "reason": reason}})
        await self._desk.give_up(letter, Step("held", actor, reason, now()))


def _nth(number: int) -> str:
    return {1: "first", 2: "second", 3: "third"}.get(number, f"{number}th")
