"""What `--direct QUEUE` does, for the commands that take it.

Exit codes: 1 there is no such queue or letter, or somebody consumes the queue; 3 some could not be sent.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import orjson
import typer

from dlq_monitor.api.letters import row, whole
from dlq_monitor.cli import showing
from dlq_monitor.direct.desk import DirectDesk, Plan, UnknownError
from dlq_monitor.groups import Choice
from dlq_monitor.model import Letter, Step
from dlq_monitor.resending import Target
from dlq_monitor.transfer import exported
from warren.cli.broker import broker_url
from warren.cli.console import err, fail, out, print_json, uncut
from warren.contracts import now
from warren.messaging.browse import QueueError, browsing
from warren.settings import Settings

BROKER_USER = "dlq-monitor"
FAILED = 3

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Direct:
    """A dead queue, and how many of its messages are looked at."""

    queue: str
    look: int
    data: Path

    def list(self, choice: Choice, limit: int, *, as_json: bool) -> None:
        """List letters, the newest first."""

        async def work() -> tuple[int, deque[dict[str, Any]]]:
            rows: deque[dict[str, Any]] = deque(maxlen=limit)
            total = 0
            async with self._desk() as desk:
                async for letter in desk.chosen(choice):
                    rows.appendleft(row(letter))
                    total += 1
            return total, rows

        total, rows = _run(work())
        if as_json:
            print_json({"total": total, "items": [*rows]})
        elif rows:
            uncut()
            out.print(showing.letters(rows))
            if total > len(rows):
                err.print(f"[dim]{len(rows)} of {total}; --limit shows more[/]")
        else:
            err.print(f"no dead letters of that kind in {self.queue}")

    def show(self, prefix: str, *, body: bool, as_json: bool) -> None:
        """Show one letter."""

        async def work() -> Letter:
            async with self._desk() as desk:
                return (await desk.one(prefix))[1]

        found = whole(_run(work()))
        if as_json:
            print_json(found)
        else:
            uncut()
            out.print(showing.letter(found, body=body))

    def export(self, choice: Choice, write: Callable[[str], object]) -> int:
        """Write letters as lines that `import` takes, the oldest first; returns how many."""

        async def work() -> int:
            count = 0
            async with self._desk() as desk:
                async for letter in desk.chosen(choice):
                    write(orjson.dumps(exported(letter)).decode() + "\n")
                    count += 1
            return count

        return _run(work())

    def discard(self, prefix: str, actor: str, reason: str, *, as_json: bool) -> None:
        """Take a letter off the queue. Nothing keeps it but what this prints as JSON: a line that `import` takes."""

        async def work() -> Letter:
            async with self._desk() as desk:
                found, letter = await desk.one(prefix)
                if len(found.letters) > 1:
                    raise UnknownError(f"it shares a message with {len(found.letters) - 1} others: they would go too")
                step = Step("discarded", actor, reason, now())
                gone = replace(letter, status="discarded", last=step.time, history=(step,))
                if as_json:
                    print_json(exported(gone))  # before it is gone
                await desk.take_off(found)
                return gone

        gone = _run(work())
        if not as_json:
            out.print(f"[green]✓[/] letter {gone.id[: showing.SHORT]}: taken off {self.queue}", soft_wrap=True)
            err.print("[dim]dlq-monitor has no record of it[/]")

    def replay(
        self,
        prefixes: Sequence[str],
        choice: Choice,
        elsewhere: tuple[str, str] | None,
        *,
        dry_run: bool,
        confirmed: bool,
        as_json: bool,
    ) -> None:
        """Send letters again, to the queue they died in, or elsewhere: to an exchange with a routing key."""
        to = Target(*elsewhere) if elsewhere else None

        async def work() -> Plan:
            async with self._desk() as desk:
                return await desk.plan(prefixes, choice, to)

        plan = _run(work())
        if dry_run and as_json:
            print_json(_shown(plan))
            return
        if not as_json:
            _show(plan)
        if dry_run:
            return
        if not plan.ids:
            fail(next(iter(plan.refused.values()), "no letters of that kind can be sent"), 1)
        if not confirmed and not typer.confirm(f"Send {len(plan.ids)} letters?", err=True):
            fail("nothing was sent", 1)
        self._send(plan, to, as_json=as_json)

    def _send(self, plan: Plan, to: Target | None, *, as_json: bool) -> None:
        async def work() -> tuple[int, dict[str, str]]:
            sent, failed = 0, dict[str, str]()
            async with self._desk() as desk:
                async for letter, reason in desk.replay(plan.ids, to):
                    sent += not reason
                    if reason:
                        failed[letter.id] = reason
            return sent, failed

        sent, failed = _run(work())
        gone = len(plan.ids) - sent - len(failed)
        if as_json:
            print_json({"total": len(plan.ids), "sent": sent, "failed": failed, "gone": gone})
        else:
            out.print(f"[green]✓[/] {sent} letters sent again; dlq-monitor has no record of it", soft_wrap=True)
            for id_, reason in failed.items():
                err.print(f"{id_[: showing.SHORT]}: {reason}", markup=False, soft_wrap=True)
            if gone:
                err.print(f"{gone} were taken by somebody meanwhile")
        if failed or gone:
            raise typer.Exit(FAILED)

    @contextlib.asynccontextmanager
    async def _desk(self) -> AsyncIterator[DirectDesk]:
        async with browsing(broker_url(self.data, BROKER_USER), self.queue) as queue:
            desk = DirectDesk(queue, self.queue, Settings.load().topology, self.look)
            yield desk
        if not desk.complete:
            err.print(f"[yellow]only the first {self.look} messages were looked at: --look N looks at more[/]")


def _run(work: Coroutine[Any, Any, T]) -> T:
    try:
        return asyncio.run(work)
    except (QueueError, UnknownError) as e:
        fail(str(e), 1)


def _shown(plan: Plan) -> dict[str, Any]:
    parts = [{"queue": q or None, "exchange": x, "key": k, "count": n} for (q, x, k), n in plan.targets.items()]
    return {"total": len(plan.ids), "parts": parts, "unsendable": plan.refused}


def _show(plan: Plan) -> None:
    for (queue, exchange, key), count in plan.targets.items():
        where = queue or f"exchange {exchange or '(default)'} with key {key or '(none)'}"
        err.print(f"{count} letters to {where}, at least once", markup=False)
    if plan.refused:
        err.print(f"[dim]{len(plan.refused)} more cannot be sent: {next(iter(plan.refused.values()))}[/]")
