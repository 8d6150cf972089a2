"""The desk: all letters and their groups, the store beside what is known of them in memory.

The store comes first, memory follows: whatever fails in between is mended when the letter comes again, is read again,
or at the latest at the next start, when all letters are read. So one process owns the desk (ADR 15).
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from heapq import heappop, heappush
from typing import Any

from prometheus_client import Gauge

from dlq_monitor.fingerprint import Kind
from dlq_monitor.grouping import Groups
from dlq_monitor.groups import Choice, Group, by_last
from dlq_monitor.ledger import Ledger
from dlq_monitor.matching import Plan, plan
from dlq_monitor.model import OPEN, STATUSES, Change, Letter, Status, Step
from dlq_monitor.repository import MAX_IN, Letters, Sayings
from dlq_monitor.rules import Rules, Severity
from warren.contracts import now, rfc3339
from warren.errors import DependencyDownError
from warren.storage import STORE

log = logging.getLogger(__name__)

_FOR_PEOPLE: tuple[Status, ...] = ("new", "held")

WHOLE_AT_ONCE = 20
"""Letters that are read with their bodies at once."""

LETTERS = Gauge("warren_letters", "Letters that are kept", ["status"])
GROUPS = Gauge("warren_letter_groups", "Groups that have letters")


@dataclass(frozen=True, slots=True)
class Page:
    """Some letters, the newest first; `total` counts all that were chosen, `next` is where the next page begins."""

    letters: Sequence[Letter]
    total: int
    next: int | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A group with letters that wait for people, of which the rules want it said."""

    kind: Kind
    count: int
    severity: Severity


@dataclass(frozen=True, slots=True)
class GroupNow:
    """A group with the counts of its letters by status."""

    group: Group
    counts: Counter[Status]


class Desk:
    """Parks, finds, counts and settles letters; `actor` is the name that stands in histories."""

    def __init__(self, letters: Letters, sayings: Sayings, rules: Rules, actor: str) -> None:
        self._letters = letters
        self._rules = rules
        self._due: list[tuple[float, int]] = []
        self._actor = actor
        self._ledger = Ledger()
        self._groups = Groups(sayings, actor)
        self._loaded = asyncio.Event()
        self.claimed: set[int] = set()
        """Numbers of letters that a replay is about to send: nobody else decides about them."""
        self._parking = asyncio.Lock()
        self._changing = asyncio.Lock()

    async def prepare(self) -> None:
        """Create indexes and read all letters, before the first one is parked."""
        await self._letters.prepare()
        self._ledger, self._due = Ledger(), []
        await self._groups.prepare()
        async for some in self._letters.all():
            for letter in some:
                self._enter(letter)
        self._loaded.set()
        for group in self._groups:
            await self._groups.reopen(group)
        self._measure()
        log.info("letters are counted", extra={"fields": {"letters": len(self._ledger), "groups": len(self._groups)}})

    @property
    def loaded(self) -> bool:
        """Whether all letters are counted."""
        return self._loaded.is_set()

    async def until_loaded(self) -> None:
        """Return when all letters are counted."""
        await self._loaded.wait()

    async def park(self, letters: Sequence[Letter]) -> None:
        """Store letters durably and count them in their groups; one that is known stays as it is."""
        if letters:
            for letter in await self._add(letters, planned=False):
                await self._letters.seen_again(letter)

    async def take(self, letters: Sequence[Letter]) -> int:
        """Store letters with what was decided about them elsewhere; returns how many were here already."""
        return len(await self._add(letters, planned=True))

    async def _add(self, letters: Sequence[Letter], *, planned: bool) -> list[Letter]:
        """Store letters, let the rules decide about them unless it is `planned`; returns those that were here."""
        async with self._parking:
            numbers = await self._letters.numbers(len(letters))
            numbered = [
                replace(x, number=n, group=self._groups.id_for(x)) for x, n in zip(letters, numbers, strict=True)
            ]
            if not planned:
                numbered = self._planned(numbered)
            refused = await self._letters.insert(numbered)
            known = [x for place, x in enumerate(numbered) if place in refused]
            entered = [x for place, x in enumerate(numbered) if place not in refused]
            for id in {x.id for x in known}:  # noqa: A001 - the letter's
                entered += await self._letters.beginning_with(id)  # it may not have been counted
            done = {g for g in {x.group for x in entered} if self._is_done(g)}
            for group in {x.group for x in entered if self._enter(x)}:
                await self._groups.reopen(self._groups[group], done=group in done)
            self._measure()
        return known

    def _enter(self, letter: Letter) -> bool:
        """Count a stored letter; says whether it was not counted yet."""
        if not self._ledger.add(letter.number, letter.group, letter.status, letter.first.timestamp()):
            return False
        if letter.due and letter.is_open:
            heappush(self._due, (letter.due.timestamp(), letter.number))
        self._groups.count(letter)
        if letter.status in _FOR_PEOPLE:
            self._note_severity(letter, self.plan(letter))
        return True

    def _note_severity(self, letter: Letter, plan: Plan) -> None:
        if plan.alert:
            self._groups.severities[letter.group] = plan.alert

    def _planned(self, letters: Sequence[Letter]) -> list[Letter]:
        """Let the rules decide about new letters."""
        counts = Counter({g: self._ledger.by_status([g]).total() for g in {x.group for x in letters}})
        found = []
        for letter in letters:
            counts[letter.group] += 1
            plan = self.plan(letter, counts[letter.group])
            found.append(replace(letter, status=plan.status, due=plan.due, history=(*letter.history, *_step(plan))))
        return found

    def plan(self, letter: Letter, count: int | None = None) -> Plan:
        """Return what the rules decide about a letter; a group that people hold is held."""
        if self._groups.is_held(letter.group):
            return Plan("people hold its group", "hold")
        known = self._ledger.by_status([letter.group]).total() if count is None else count
        return plan(self._rules, letter, known, now())

    async def replan(self, letter: Letter, new: Plan) -> None:
        """Give an open letter another plan, unless it has changed since it was read."""
        step = next(iter(_step(new)), Step("looked at", self._actor, "", now()))
        if await self.settle(letter, new.status, step, new.due):
            self._note_severity(letter, new)

    async def give_up(self, letter: Letter, step: Step) -> None:
        """Leave a letter to people whose plan cannot be carried out: it shall not be tried for ever."""
        if await self.settle(letter, "held", step):
            self._groups.severities.setdefault(letter.group, "warning")

    def waiting(self) -> list[Waiting]:
        """Return the groups with letters that wait for people, if a rule wants it said; not those that people hold."""
        self._check_loaded()
        found = []
        for id, severity in self._groups.severities.items():  # noqa: A001 - the group's
            counts = self._ledger.by_status([id])
            count = sum(counts.get(s, 0) for s in _FOR_PEOPLE)
            if count and self._groups[id].said.verdict != "held":
                found.append(Waiting(self._groups[id].kind, count, severity))
        return found

    def take_due(self, limit: int) -> list[int]:
        """Return the numbers of letters whose plans are due; they are not given again before `put_off`."""
        found: list[int] = []
        while self.loaded and self._due and len(found) < limit and self._due[0][0] <= now().timestamp():
            found.append(heappop(self._due)[1])
        return list(dict.fromkeys(found))

    def put_off(self, numbers: Sequence[int], seconds: float) -> None:
        """Give letters again, after some seconds."""
        for number in numbers:
            heappush(self._due, (now().timestamp() + seconds, number))

    async def numbered(self, numbers: Sequence[int], *, whole: bool = False) -> list[Letter]:
        """Return letters by their numbers, without headers and bodies unless `whole`."""
        found = await self._letters.numbered(numbers, whole=whole) if numbers else []
        self._mend(found)
        return found

    async def with_ids(self, ids: Sequence[str]) -> list[Letter]:
        """Return letters by their whole ids, without headers and bodies; at most `MAX_IN`."""
        return await self._letters.with_ids(ids) if ids else []

    def chosen(self, choice: Choice) -> list[tuple[Kind, list[int]]]:
        """Return the numbers of the letters of a choice, by what they are, each ascending."""
        statuses = choice.statuses or frozenset(STATUSES)
        since = choice.since.timestamp() if choice.since else None
        every = len(self._ledger)
        found = [
            (self._groups[g].kind, self._ledger.newest([g], statuses, since=since, before=None, limit=every)[::-1])
            for g in self._chosen(choice)
        ]
        return [(kind, numbers) for kind, numbers in found if numbers]

    async def of(self, choice: Choice) -> list[Letter]:
        """Return the letters of a choice of few, without headers and bodies."""
        return await self.numbered([n for _, some in self.chosen(choice) for n in some])

    def statuses_of(self, numbers: Collection[int]) -> Counter[Status]:
        """Return how many of these letters have each status."""
        self._check_loaded()
        return self._ledger.among(numbers)

    def _is_quiet(self, group: str) -> bool:
        """Whether a group has no letters that something is still to be done about."""
        counts = self._ledger.by_status([group])
        return not any(counts.get(s) for s in OPEN)

    def _is_done(self, group: str) -> bool:
        """Whether a group has letters, and all of them are dealt with."""
        return group in self._groups and self._is_quiet(group)

    async def page(self, choice: Choice, *, limit: int, before: int | None = None) -> Page:
        """Return the newest letters of a choice below the number `before`, without headers and bodies."""
        groups = self._chosen(choice)
        statuses = choice.statuses or frozenset(STATUSES)
        since = choice.since.timestamp() if choice.since else None
        numbers = self._ledger.newest(groups, statuses, since=since, before=before, limit=limit + 1)
        more = len(numbers) > limit
        letters = await self._letters.numbered(numbers[:limit])
        self._mend(letters)
        total = self._ledger.count(groups, statuses, since)
        return Page(letters, total, numbers[limit - 1] if more else None)

    async def export(self, choice: Choice) -> AsyncIterator[Letter]:
        """Yield the letters of a choice whole, the oldest first; those that are parked meanwhile are not among them."""
        numbers = sorted(n for _, some in self.chosen(choice) for n in some)
        for at in range(0, len(numbers), WHOLE_AT_ONCE):
            for letter in await self._letters.numbered(numbers[at : at + WHOLE_AT_ONCE], whole=True):
                yield letter

    def _mend(self, letters: Sequence[Letter]) -> None:
        """Believe the store where it says otherwise: the answer to a write may have been lost."""
        for letter in letters:
            if self._ledger.status(letter.number, letter.group) not in {letter.status, None}:
                self._ledger.move(letter.number, letter.group, letter.status)

    async def beginning_with(self, prefix: str) -> list[Letter]:
        """Return the letters whose ids begin with `prefix` (hexadecimal digits), whole."""
        found = await self._letters.beginning_with(prefix)
        self._mend(found)
        return found

    async def settle(self, letter: Letter, status: Status, step: Step, due: datetime | None = None) -> bool:
        """Give a letter another status, unless it has changed since it was read; says whether it did.

        `due` is when the rules have to look at it.
        """
        async with self._changing:
            if not await self._letters.settle(letter, status, step, due):
                return False
            self._ledger.move(letter.number, letter.group, status)
        if due:
            heappush(self._due, (due.timestamp(), letter.number))
        self._measure()
        return True

    async def settle_all(self, changes: Sequence[Change]) -> bool:
        """Settle many letters in one write; one that has changed since it was read stays as it is.

        Says whether there was none.
        """
        async with self._changing:
            known = {c.letter.number: c.status for c in changes}
            if not (done := await self._letters.settle_all(changes)):
                known = {x.number: x.status for x in await self._letters.numbered(sorted(known))}
            for change in changes:
                letter = change.letter
                self._ledger.move(letter.number, letter.group, known.get(letter.number, letter.status))
        self._measure()
        return done

    def groups(self, choice: Choice) -> list[GroupNow]:
        """Return the groups of a choice, the one with the newest letter first; `statuses` are of their letters."""
        found = (GroupNow(self._groups[g], self._ledger.by_status([g])) for g in self._chosen(choice))
        wanted = [x for x in found if choice.statuses is None or any(x.counts.get(s) for s in choice.statuses)]
        if choice.since:
            wanted = [x for x in wanted if x.group.last >= choice.since]
        order = {g.id: place for place, g in enumerate(by_last(x.group for x in wanted))}
        return sorted(wanted, key=lambda x: order[x.group.id])

    def counts(self, groups: Sequence[str] | None = None) -> Counter[Status]:
        """Return how many letters of these groups (of all) have each status."""
        self._check_loaded()
        return self._ledger.by_status(groups)

    async def say(self, group: Group, step: Step, **said: Any) -> None:
        """Keep what a person says of a group (see `Groups.say`)."""
        await self._groups.say(group, step, **said)

    async def remove(self, numbers: Sequence[int], statuses: Sequence[Status], *, unchanged_since: datetime) -> int:
        """Delete those of at most `MAX_IN` letters that have one of these statuses, and had it before a time.

        Returns how many.
        """
        async with self._changing:
            letters = await self._letters.numbered(numbers)
            self._mend(letters)
            gone = [x for x in letters if x.status in statuses and x.last < unchanged_since]
            if gone:
                await self._letters.remove([x.number for x in gone])
            for letter in gone:
                self._ledger.remove(letter.number, letter.group)
                if not self._ledger.by_status([letter.group]):
                    self._groups.remove(letter.group)
        self._measure()
        return len(gone)

    def oldest(
        self, statuses: Sequence[Status], *, parked_before: datetime | None = None, after: int = 0, limit: int = MAX_IN
    ) -> list[int]:
        """Return the lowest numbers above `after` of letters with these statuses."""
        self._check_loaded()
        below = self._ledger.first_since(parked_before.timestamp()) if parked_before else None
        return self._ledger.oldest(statuses, above=after, below=below, limit=limit)

    async def begin(self) -> None:
        """Note from where letters have to be read at the next start."""
        if lowest := self.oldest(STATUSES, limit=1):
            await self._letters.begin_at(lowest[0])

    def _chosen(self, choice: Choice) -> list[str]:
        self._check_loaded()
        return self._groups.chosen(choice)

    def _check_loaded(self) -> None:
        if not self.loaded:
            raise DependencyDownError(STORE, "the letters are still being counted")

    def _measure(self) -> None:
        counts = self._ledger.by_status()
        for status in STATUSES:
            LETTERS.labels(status).set(counts.get(status, 0))
        GROUPS.set(len(self._groups))


def _step(plan: Plan) -> tuple[Step, ...]:
    return (Step(plan.status, f"rule {plan.rule}", _words(plan), now()),) if plan.do else ()


def _words(plan: Plan) -> str:
    until = f" at {rfc3339(plan.due)}" if plan.due and plan.act else ""
    return {"republish": f"it is sent again{until}", "discard": f"it is discarded{until}"}.get(plan.do or "", "")
