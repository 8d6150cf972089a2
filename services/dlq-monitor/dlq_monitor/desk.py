"""The desk: all letters and their groups, the store beside what is known of them in memory.

The store comes first, memory follows: whatever fails in between is mended when the letter comes again, is read again,
or at the latest at the next start, when all letters are read. So one process owns the desk (ADR 15).
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from prometheus_client import Gauge

from dlq_monitor.fingerprint import Kind, kind_of, overflow
from dlq_monitor.groups import Choice, Group, Said, Verdict, by_last
from dlq_monitor.ledger import Ledger
from dlq_monitor.model import OPEN, STATUSES, Letter, Status, Step
from dlq_monitor.repository import MAX_IN, Letters, Sayings
from warren.contracts import now
from warren.errors import DependencyDownError
from warren.storage import STORE

log = logging.getLogger(__name__)

MAX_GROUPS = 5000
"""Above that, what would be a new group goes to one that takes the rest of its dead queue: memory stays bounded."""

LETTERS = Gauge("warren_letters", "Letters that are kept", ["status"])
GROUPS = Gauge("warren_letter_groups", "Groups that have letters")


@dataclass(frozen=True, slots=True)
class Page:
    """Some letters, the newest first; `total` counts all that were chosen, `next` is where the next page begins."""

    letters: Sequence[Letter]
    total: int
    next: int | None


@dataclass(frozen=True, slots=True)
class GroupNow:
    """A group with the counts of its letters by status."""

    group: Group
    counts: Counter[Status]


class Desk:
    """Parks, finds, counts and settles letters; `actor` is the name that stands in histories."""

    def __init__(self, letters: Letters, sayings: Sayings, actor: str) -> None:
        self._letters = letters
        self._sayings = sayings
        self._actor = actor
        self._ledger = Ledger()
        self._groups: dict[str, Group] = {}
        self._said: dict[str, Said] = {}
        self._loaded = False
        self._parking = asyncio.Lock()
        self._changing = asyncio.Lock()

    async def prepare(self) -> None:
        """Create indexes and read all letters, before the first one is parked."""
        await self._letters.prepare()
        self._ledger, self._groups, self._said = Ledger(), {}, await self._sayings.all()
        async for some in self._letters.all():
            for letter in some:
                self._enter(letter)
        self._loaded = True
        for group in list(self._groups.values()):
            await self._reopen(group)
        self._measure()
        log.info("letters are counted", extra={"fields": {"letters": len(self._ledger), "groups": len(self._groups)}})

    async def park(self, letters: Sequence[Letter]) -> None:
        """Store letters durably and count them in their groups; one that is known stays as it is."""
        if not letters:
            return
        async with self._parking:
            numbers = await self._letters.numbers(len(letters))
            numbered = [replace(x, number=n, group=self._group_of(x)) for x, n in zip(letters, numbers, strict=True)]
            known = await self._letters.insert(numbered)
            entered = [x for x in numbered if x.id not in known]
            for letter in numbered:
                if letter.id in known:
                    await self._letters.seen_again(letter)
            for prefix in known:
                entered += await self._letters.beginning_with(prefix)  # it may not have been counted
            done = {g for g in {x.group for x in entered} if self._is_done(g)}
            for group in {x.group for x in entered if self._enter(x)}:
                await self._reopen(self._groups[group], done=group in done)
            self._measure()

    def _group_of(self, letter: Letter) -> str:
        kind = kind_of(letter)
        full = kind.id not in self._groups and len(self._groups) >= MAX_GROUPS
        return (overflow(letter.dead_queue) if full else kind).id

    def _enter(self, letter: Letter) -> bool:
        """Count a stored letter; says whether it was not counted yet."""
        if not self._ledger.add(letter.number, letter.group, letter.status, letter.first.timestamp()):
            return False
        group = self._groups.get(letter.group)
        if group is None:
            said = self._said.get(letter.group, Said())
            group = Group(_kind(letter), letter.first, letter.first, said=said)
            self._groups[letter.group] = group
        group.count(letter.first)
        return True

    def _is_done(self, group: str) -> bool:
        """Whether a group has letters, and all of them are dealt with."""
        counts = self._ledger.by_status([group])
        return bool(counts) and not any(counts.get(s) for s in OPEN)

    async def _reopen(self, group: Group, *, done: bool = False) -> None:
        if group.reopened(group.last, self._actor, done=done):
            log.warning("a group of dead letters came back", extra={"fields": _about(group)})
            await self._keep(group)

    async def _keep(self, group: Group) -> None:
        self._said[group.id] = group.said
        await self._sayings.keep(group.id, group.said)

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

    async def settle(self, letter: Letter, status: Status, step: Step) -> bool:
        """Give a letter another status, unless it has changed since it was read; says whether it did."""
        async with self._changing:
            if not await self._letters.settle(letter, status, step):
                return False
            self._ledger.move(letter.number, letter.group, status)
        self._measure()
        return True

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

    async def say(
        self,
        group: Group,
        step: Step,
        *,
        note: str | None = None,
        owner: str | None = None,
        verdict: Verdict | None = None,
        clear: bool = False,
    ) -> None:
        """Keep what a person says of a group; `clear` takes a verdict back, None leaves things as they are."""
        said = group.said
        if clear or verdict:
            said = replace(said, verdict=verdict, since=now() if verdict else None)
        said = replace(
            said, note=said.note if note is None else note, owner=said.owner if owner is None else owner
        ).with_step(step)
        await self._sayings.keep(group.id, said)
        group.said = self._said[group.id] = said

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
                    self._groups.pop(letter.group, None)
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
        return [g.id for g in self._groups.values() if choice.takes(g)]

    def _check_loaded(self) -> None:
        if not self._loaded:
            raise DependencyDownError(STORE, "the letters are still being counted")

    def _measure(self) -> None:
        counts = self._ledger.by_status()
        for status in STATUSES:
            LETTERS.labels(status).set(counts.get(status, 0))
        GROUPS.set(len(self._groups))


def _kind(letter: Letter) -> Kind:
    own, rest = kind_of(letter), overflow(letter.dead_queue)
    return rest if letter.group == rest.id else own


def _about(group: Group) -> dict[str, object]:
    kind = group.kind
    return {"group": group.id, "queue": kind.queue, "cause": kind.cause, "type": kind.type[:100]}
