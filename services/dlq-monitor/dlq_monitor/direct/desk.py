"""A dead queue read as letters, the ones that dlq-monitor would make of it; nothing is held but what is asked for."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass, field, replace

from dlq_monitor import autopsy
from dlq_monitor.fingerprint import kind_of
from dlq_monitor.groups import Choice
from dlq_monitor.model import Letter
from dlq_monitor.resending import Target, resent, traced
from warren.envelope import Event
from warren.errors import UnroutableError, WarrenError
from warren.messaging.browse import Browsing, Held
from warren.topology import Topology

WHOLE = 2**31
"""Bytes of a body: nothing is cut, as nothing is stored."""


class UnknownError(WarrenError):
    """No letter, or more than one, has this id."""


@dataclass(frozen=True, slots=True)
class Found:
    """A message and its letters: several if it is a bundle that the broker gave up."""

    held: Held
    letters: Sequence[Letter]


@dataclass(slots=True)
class Plan:
    """What a replay would send: ids of letters by where they go; `refused` says why others can't be sent."""

    ids: set[str] = field(default_factory=set)
    targets: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """By queue, exchange and routing key."""
    refused: dict[str, str] = field(default_factory=dict)


class DirectDesk:
    """Letters in one dead queue, of which at most `limit` messages are looked at."""

    def __init__(self, browsing: Browsing, queue: str, topology: Topology, limit: int) -> None:
        self._browsing = browsing
        self._queue = queue
        self._topology = topology
        self._limit = limit
        self.looked = 0

    @property
    def complete(self) -> bool:
        """Whether the whole queue was looked through; else there may be more."""
        return self.looked < self._limit

    async def all(self) -> AsyncIterator[Found]:
        """Yield messages in their order."""
        self.looked = 0
        bodies: Counter[bytes] = Counter()
        async for held in self._browsing.messages(self._limit):
            self.looked += 1
            letters = self._letters(held.event)
            if held.nameless and len(letters) == 1:
                digest = hashlib.sha256(held.event.body).digest()
                letters = [replace(letters[0], id=self._id(digest, bodies[digest]))]
                bodies[digest] += 1
            yield Found(held, letters)

    def _letters(self, event: Event) -> list[Letter]:
        try:
            found = autopsy.letters(event, self._queue, self._topology, WHOLE)
        except Exception as e:  # noqa: BLE001 - as when it is parked: whatever is wrong with it, it is shown
            found = [autopsy.unread(event, self._queue, WHOLE, e)]
        return [replace(x, group=kind_of(x).id) for x in found]

    def _id(self, digest: bytes, twin: int) -> str:
        """Make an id that is the same at the next look; of twins it does not matter which is which."""
        return hashlib.sha256(f"{self._queue}\n{digest.hex()}\n{twin}".encode()).hexdigest()[:32]

    async def take_off(self, found: Found) -> None:
        """Take a message off the queue."""
        await self._browsing.ack(found.held)

    async def chosen(self, choice: Choice) -> AsyncIterator[Letter]:
        """Yield the letters of a choice, in the order of the queue; `since` is the time of death."""
        async for found in self.all():
            for letter in found.letters:
                if _takes(choice, letter):
                    yield letter

    async def one(self, prefix: str) -> tuple[Found, Letter]:
        """Return the letter whose id begins with `prefix`; raises `UnknownError`."""
        match: tuple[Found, Letter] | None = None
        async for found in self.all():
            for letter in found.letters:
                if letter.id.startswith(prefix):
                    if match:
                        raise UnknownError(f"several letters in {self._queue} begin with {prefix}: give more of it")
                    match = found, letter
        if match is None:
            raise UnknownError(f"no letter in {self._queue} begins with {prefix}")
        return match

    async def plan(self, prefixes: Sequence[str], choice: Choice, to: Target | None) -> Plan:
        """Say what a replay of letters by their ids (if any are given), else of a choice, would send."""
        plan, matches = Plan(), dict.fromkeys(prefixes, 0)
        async for found in self.all():
            wanted = []
            for letter in found.letters:
                hits = [p for p in matches if letter.id.startswith(p)]
                for prefix in hits:
                    matches[prefix] += 1
                if hits or (not prefixes and _takes(choice, letter)):
                    wanted.append(letter)
            for letter in wanted:
                self._enter(plan, letter, found, len(wanted), to)
        if wrong := next((p for p, n in matches.items() if n != 1), None):
            many = "several letters" if matches[wrong] else "no letter"
            raise UnknownError(f"{many} in {self._queue} begin{'' if matches[wrong] else 's'} with {wrong}")
        return plan

    def _enter(self, plan: Plan, letter: Letter, found: Found, wanted: int, to: Target | None) -> None:
        event = resent(letter, self._topology, to)
        if isinstance(event, str):
            plan.refused[letter.id] = event
        elif wanted < len(found.letters):
            plan.refused[letter.id] = f"it shares a message with {len(found.letters) - 1} others: send all of them"
        elif any(isinstance(resent(x, self._topology, to), str) for x in found.letters):
            plan.refused[letter.id] = "it shares a message with one that cannot be sent"
        else:
            plan.ids.add(letter.id)
            plan.targets["" if to else letter.queue, event.exchange, event.routing_key] += 1

    async def replay(self, ids: Collection[str], to: Target | None) -> AsyncIterator[tuple[Letter, str]]:
        """Send letters again, each message acked when all of it is confirmed: a crash leaves one twice, never not.

        Yields each letter, and why it was not sent (else nothing).
        """
        left = len(ids)
        async for found in self.all():
            if not found.letters or found.letters[0].id not in ids:
                continue
            reason = ""
            for letter in found.letters:
                event = resent(letter, self._topology, to)
                assert isinstance(event, Event)  # noqa: S101 - or it would not be in the plan
                try:
                    await self._browsing.publish(traced(event, letter))
                except UnroutableError as e:
                    reason = str(e)
                    break
            if not reason:
                await self.take_off(found)
            for letter in found.letters:
                yield letter, reason
            left -= len(found.letters)
            if left <= 0:
                return


def _takes(choice: Choice, letter: Letter) -> bool:
    kind = (letter.queue, letter.type, letter.cause.type, letter.group)
    return choice.takes_kind(*kind) and (choice.since is None or letter.died_at >= choice.since)
