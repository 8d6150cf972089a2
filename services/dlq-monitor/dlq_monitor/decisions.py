"""What is decided about a letter: send it again (as it was, or edited), give it up, take that back; who, why, told.

A replay is published and confirmed first, and only then marked: a crash in between leaves the letter open, and it may
be sent twice. It keeps its message id, so a consumer that knows it already does nothing with it.

An edited copy is stored first, then its original is marked as replaced, and only then the copy can be sent: never both.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Collection, Sequence
from typing import Protocol

from dlq_monitor.editing import Draft, Edit, draft
from dlq_monitor.groups import Choice
from dlq_monitor.handlers import Facts, told
from dlq_monitor.model import Change, Letter, Status, Step, Telling
from dlq_monitor.resending import resent, traced
from warren.contracts import now
from warren.contracts.events import DeadLetterDiscarded
from warren.envelope import Event
from warren.errors import DependencyDownError, UnroutableError, WarrenError
from warren.topology import Topology

log = logging.getLogger(__name__)

AT_ONCE = 100
"""Letters of one write."""

_PREFIX = re.compile(r"[0-9a-f]{1,32}")


class UnknownLetterError(WarrenError):
    """No letter, or more than one, has this id."""


class RefusedError(WarrenError):
    """The letter cannot take this decision."""


class Shelf(Protocol):
    """Where letters are kept (see `dlq_monitor.desk.Desk`)."""

    async def beginning_with(self, prefix: str) -> list[Letter]: ...
    async def take(self, letters: Sequence[Letter]) -> int: ...
    async def of(self, choice: Choice) -> list[Letter]: ...
    async def settle(self, letter: Letter, status: Status, step: Step) -> bool: ...
    async def settle_all(self, changes: Sequence[Change]) -> object: ...
    async def numbered(self, numbers: Sequence[int]) -> list[Letter]: ...
    @property
    def claimed(self) -> Collection[int]: ...


class Awaiting(Protocol):
    """Awaits what becomes of sent letters (see `dlq_monitor.replaying.outcomes.Outcomes`)."""

    async def expect(self, letters: Sequence[Letter]) -> None: ...
    def forget(self, letters: Sequence[Letter]) -> None: ...
    async def mark(self, letters: Sequence[Letter], actor: str, reason: str) -> None: ...


class Sender(Protocol):
    """Sends letters back (see `warren.messaging.Publisher`)."""

    async def publish(self, event: Event) -> None: ...


class Decisions:
    """Finds letters and carries decisions out, one at a time."""

    def __init__(
        self,
        shelf: Shelf,
        sender: Sender,
        facts: Facts,
        outcomes: Awaiting,
        topology: Topology,
        *,
        body_limit: int,
        actor: str,
    ) -> None:
        self._body_limit = body_limit
        self._actor = actor
        self._shelf = shelf
        self._sender = sender
        self._facts = facts
        self._outcomes = outcomes
        self._topology = topology
        self._one_at_a_time = asyncio.Lock()

    async def letter(self, prefix: str) -> Letter:
        """Return the letter whose id begins with `prefix`; raises `UnknownLetterError`."""
        found = await self._shelf.beginning_with(prefix) if _PREFIX.fullmatch(prefix) else []
        if not found:
            raise UnknownLetterError("no letter has this id")
        if len(found) > 1:
            raise UnknownLetterError("several letters begin with this id: give more of it")
        return found[0]

    async def replay(self, prefix: str, actor: str, reason: str) -> Letter:
        """Send a letter to the queue it died in; raises `UnknownLetterError` and `RefusedError`."""
        async with self._one_at_a_time:
            letter = await self._open(prefix)
            again = resent(letter, self._topology)
            if isinstance(again, str):
                raise RefusedError(again)
            return await self._send(letter, again, actor, reason)

    async def draft(self, prefix: str, edit: Edit, actor: str, reason: str) -> tuple[Letter, Draft]:
        """Return a letter and what would be sent in its place; raises as `replay`, and `ContractError`."""
        letter = await self._open(prefix)
        limit = self._body_limit
        found = draft(letter, edit, self._topology, actor=actor, reason=reason, body_limit=limit)
        if isinstance(found, str):
            raise RefusedError(found)
        return letter, found

    async def edit(self, prefix: str, edit: Edit, actor: str, reason: str) -> tuple[Letter, Letter, Draft]:
        """Send an edited copy in a letter's place; returns the letter and the copy. Raises as `draft`."""
        async with self._one_at_a_time:
            letter, found = await self.draft(prefix, edit, actor, reason)
            await self._shelf.take([found.copy])
            copy = await self.letter(found.copy.id)
            if not await self._shelf.settle(letter, "replaced", Step("replaced", actor, reason, now(), copy.id)):
                raise RefusedError("someone else has just decided about it")
            try:
                copy = await self._send(copy, found.event, actor, reason)
            except (RefusedError, DependencyDownError) as e:
                await self._keep(copy, f"it could not be sent: {e}")
                raise RefusedError(f"the edited copy is kept as letter {copy.id}, but not sent: {e}") from None
            return await self.letter(letter.id), copy, found

    async def finish(self) -> None:
        """Leave edited copies to people whose sending was cut off after they had taken their original's place."""
        async with self._one_at_a_time:
            for copy in await self._shelf.of(Choice(statuses=frozenset({"edited"}))):
                for original in await self._shelf.beginning_with(copy.replaces):
                    if original.replaced_by == copy.id:
                        await self._keep(copy, "its sending was cut off")

    async def _keep(self, copy: Letter, reason: str) -> None:
        await self._shelf.settle(copy, "held", Step("held", self._actor, reason, now()))

    async def _send(self, letter: Letter, again: Event, actor: str, reason: str) -> Letter:
        await self._outcomes.expect([letter])
        try:
            await self._sender.publish(traced(again, letter))
        except BaseException as e:
            self._outcomes.forget([letter])
            if isinstance(e, UnroutableError):
                raise RefusedError(f"no queue takes it any more: is {letter.queue} still there?") from None
            raise
        await self._outcomes.mark([letter], actor, reason)
        return await self.letter(letter.id)

    async def discard(self, prefix: str, actor: str, reason: str) -> Letter:
        """Give a letter up; it stays on record. Raises `UnknownLetterError` and `RefusedError`."""
        async with self._one_at_a_time:
            letter = await self._open(prefix)
            return await self._settle(letter, "discarded", actor, reason, DeadLetterDiscarded)

    async def discard_all(self, numbers: Sequence[int], actor: str, reason: str) -> int:
        """Give up those of many letters that are open and in no replay; returns how many."""
        gone = 0
        for at in range(0, len(numbers), AT_ONCE):
            async with self._one_at_a_time:
                some = await self._shelf.numbered(numbers[at : at + AT_ONCE])
                letters = [x for x in some if x.is_open and x.number not in self._shelf.claimed]
                step = Step("discarded", actor, reason, now())
                await self._shelf.settle_all([Change(x, "discarded", (step,)) for x in letters])
                await self._tell(letters, step, DeadLetterDiscarded)
                gone += len(letters)
        if gone:
            log.info("letters discarded", extra={"fields": {"letters": gone, "actor": actor, "reason": reason}})
        return gone

    async def restore(self, prefix: str, actor: str, reason: str) -> Letter:
        """Take a discarding back; raises `UnknownLetterError` and `RefusedError`."""
        async with self._one_at_a_time:
            letter = await self.letter(prefix)
            if letter.status != "discarded":
                raise RefusedError(f"it was not discarded: it is {letter.status}")
            return await self._settle(letter, "held", actor, reason)

    async def _open(self, prefix: str) -> Letter:
        letter = await self.letter(prefix)
        if letter.status == "returned":
            raise RefusedError("it was sent again and died again, as another letter")
        if letter.status == "edited":
            raise RefusedError("it is an edited copy that did not take its original's place: edit that one again")
        if letter.status == "replaced":
            raise RefusedError(f"an edited copy took its place: letter {letter.replaced_by}")
        if not letter.is_open:
            last = next(s for s in reversed(letter.history) if s.action == letter.status)
            raise RefusedError(f"it was {letter.status} already, by {last.actor}")
        if letter.number in self._shelf.claimed:
            raise RefusedError("it is part of a replay that is under way")
        return letter

    async def _settle(
        self, letter: Letter, status: Status, actor: str, reason: str, kind: Telling | None = None
    ) -> Letter:
        step = Step("restored" if letter.status == "discarded" else status, actor, reason, now())
        if not await self._shelf.settle(letter, status, step):
            raise RefusedError("someone else has just decided about it")
        fields = {"letter": letter.id, "decision": step.action, "actor": actor, "trace": letter.trace or None}
        log.info("letter decided", extra={"fields": fields})
        if kind is not None:
            await self._tell([letter], step, kind)
        return await self.letter(letter.id)

    async def _tell(self, letters: Sequence[Letter], step: Step, kind: Telling) -> None:
        try:
            await self._facts.publish_all([told(x, step, kind) for x in letters if not x.tells_of_letters])
        except DependencyDownError as e:  # it is done and on record: only the telling failed
            log.warning("decisions could not be told", extra={"fields": {"letters": len(letters), "reason": str(e)}})
