"""What became of letters that were sent again: a fact that names one resolves it, another death returns it.

Where a queue's work leads to facts, they are listened to while letters are awaited, and only then. Else, and should
a fact be missed, a letter is resolved when it has not died again for a while after its queue was seen empty.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Protocol

from prometheus_client import Counter, Gauge

from dlq_monitor.desk import Desk
from dlq_monitor.groups import Choice
from dlq_monitor.handlers import Facts, told
from dlq_monitor.model import Body, Change, Letter, Status, Step
from dlq_monitor.resending import Target
from warren.contracts import now
from warren.contracts.events import DeadLetterReplayed
from warren.envelope import LETTER, TRACEPARENT, Event
from warren.errors import DependencyDownError
from warren.messaging.connection import LOST
from warren.topology import EVENTS, Topology, delay_queues

log = logging.getLogger(__name__)

INTERVAL = 0.2
"""Seconds between two rounds of writing outcomes down."""

LOOK = 1.0
"""Seconds between two looks at queues."""

PATIENCE = 5.0
"""Seconds that a letter which died again waits until its sending is confirmed, which is about to be."""

AT_ONCE = 100
"""Letters of one write."""

_ID = re.compile(r"[0-9a-f]{32}")
_NOTHING = Body(b"", 0, "")

OUTCOMES = Counter("warren_letter_outcomes", "What became of letters that were sent again", ["outcome", "seen_by"])
AWAITED = Gauge("warren_letters_awaited", "Letters that were sent again, of which nothing was seen yet")

Depths = dict[str, int | None]


class Listening(Protocol):
    """Brings facts (see `warren.messaging.feed.Feed`)."""

    async def bind(self, exchange: str, key: str) -> None: ...
    async def unbind(self, exchange: str, key: str) -> None: ...


@dataclass(slots=True)
class _Awaited:
    letter: Letter
    key: str
    """Under which facts of its work come; empty: under none."""
    elsewhere: bool
    """Whether it went to another queue than the one it died in: which one is not known."""
    sent: Step | None = None
    """By whom, once the broker has confirmed it."""
    marked: bool = False
    """Whether that is on record."""
    outcome: tuple[Status, str] | None = None
    left: float | None = None
    """When its queue was first seen empty after it was sent."""

    @property
    def is_sent(self) -> bool:
        """Whether the broker has it, as far as is known."""
        return self.marked or self.sent is not None


class Outcomes:
    """Awaits outcomes; `depths` counts the messages of queues, None where they are not known."""

    def __init__(
        self,
        desk: Desk,
        facts: Facts,
        topology: Topology,
        depths: Callable[[Iterable[str]], Awaitable[Depths]],
        *,
        settle: float,
        actor: str,
    ) -> None:
        self._desk = desk
        self._facts = facts
        self._topology = topology
        self._depths = depths
        self._settle = settle
        self._actor = actor
        self._feed: Listening | None = None
        self._bound: set[str] = set()
        self._awaited: dict[str, _Awaited] = {}
        self._by_message: dict[str, list[_Awaited]] = {}
        self._calm: dict[str, float] = {}
        self._owed: deque[list[Letter]] = deque()

    def __len__(self) -> int:
        return len(self._awaited)

    def listen_by(self, feed: Listening) -> None:
        """Take facts from a feed, whose handler is `hear`."""
        self._feed = feed

    async def prepare(self) -> None:
        """Await again what was awaited before a restart."""
        await self._adopt()

    async def _adopt(self) -> None:
        """Await letters that were sent and that nobody awaits."""
        numbers = [n for _, some in self._desk.chosen(Choice(statuses=frozenset({"replayed"}))) for n in some]
        for at in range(0, len(numbers), AT_ONCE):
            for letter in await self._desk.numbered(numbers[at : at + AT_ONCE]):
                if letter.id not in self._awaited and letter.status == "replayed":
                    self._enter(letter, None).marked = True

    async def expect(self, letters: Sequence[Letter], to: Target | None = None) -> None:
        """Await letters that are about to be sent; returns when facts of them would be heard."""
        keys = {self._enter(letter, to).key for letter in letters} - {""}
        if self._feed:
            for key in keys - self._bound:
                self._bound.add(key)
                await self._feed.bind(EVENTS, key)

    def forget(self, letters: Sequence[Letter]) -> None:
        """Await no more what was not sent after all."""
        for letter in letters:
            self._drop(letter.id)

    def sent(self, letters: Sequence[Letter], actor: str, reason: str) -> list[Letter]:
        """Note that the broker has confirmed awaited letters; returns what `mark_all` needs to know of them."""
        step = Step("replayed", actor, reason, now())
        found = [a for x in letters if (a := self._awaited.get(x.id))]
        for awaited in found:
            awaited.sent = step
        return [a.letter for a in found]

    async def mark(self, letters: Sequence[Letter], actor: str, reason: str) -> None:
        """Put on record that awaited letters were sent. Without the store that is done later, and the error is raised.

        Until then nobody else decides about them.
        """
        found = self.sent(letters, actor, reason)
        try:
            await self.mark_all(found)
        except DependencyDownError:
            self._owed.append(found)
            self._desk.claimed.update(x.number for x in found)
            raise

    async def mark_all(self, letters: Sequence[Letter]) -> None:
        """Put on record that letters were sent, with the outcome of those that have one already, and tell of it.

        Raises `DependencyDownError` without the store; to do it again does no harm. One that came back meanwhile has
        it on record.
        """
        waiting = [a for x in letters if (a := self._awaited.get(x.id)) and a.sent and not a.marked]
        changes = [self._sent(a) for a in waiting]
        if changes:
            await self._desk.settle_all(changes)
        for awaited, change in zip(waiting, changes, strict=True):
            awaited.marked = True
            awaited.letter = replace(awaited.letter, version=change.letter.version + 1, status=change.status)
            if change.status != "replayed":
                self._drop(change.letter.id)
        await self._tell([(a.letter, a.sent) for a in waiting if a.sent])

    async def _tell(self, sent: Sequence[tuple[Letter, Step]]) -> None:
        try:
            await self._facts.publish_all([told(x, s, DeadLetterReplayed) for x, s in sent if not x.tells_of_letters])
        except DependencyDownError as e:  # it is done and on record: only the telling failed
            log.warning("replays could not be told", extra={"fields": {"letters": len(sent), "reason": str(e)}})

    def hear(self, events: Sequence[Event]) -> None:
        """Take facts: one that names an awaited letter as its cause resolves it."""
        for event in events:
            for awaited in self._by_message.get(event.correlation_id or "", ()):
                awaited.outcome = awaited.outcome or ("resolved", f"{event.type} was seen, {event.id}")

    async def died_again(self, dead: Sequence[Letter]) -> None:
        """Put on record that letters came back; `dead` are parked, and their messages not acked yet."""
        came = {id_: x for x in dead if isinstance(id_ := x.headers.get(LETTER), str) and _ID.fullmatch(id_)}
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                while any(id_ in self._awaited and not self._awaited[id_].is_sent for id_ in came):  # noqa: ASYNC110 - rare
                    await asyncio.sleep(0.02)
        ids = [id_ for id_, x in came.items() if x.id != id_]
        while changes := [
            self._returned(x, came[x.id])
            for x in await self._desk.with_ids(ids)
            if x.status not in {"discarded", "returned", "replaced"}
        ]:
            done = await self._desk.settle_all(changes)
            if done:  # else one of them was just marked: with that on record it is read again
                OUTCOMES.labels("returned", "death").inc(len(changes))
                break
        told_of = [(a.letter, a.sent) for id_ in ids if (a := self._awaited.get(id_)) and a.sent and not a.marked]
        for id_ in ids:
            self._drop(id_)
        await self._tell(told_of)

    def _returned(self, letter: Letter, heir: Letter) -> Change:
        words = f"it died again, of {heir.cause.type}: letter {heir.id}"
        step = Step("returned", self._actor, words, now(), heir.id)
        awaited = self._awaited.get(letter.id)
        before = (awaited.sent,) if awaited and awaited.sent and letter.is_open else ()
        return Change(letter, "returned", (*before, step))

    async def run(self) -> None:
        """Write outcomes down and look at queues, again and again."""
        looked = 0.0
        while True:
            try:
                if time.monotonic() - looked >= LOOK:
                    looked = time.monotonic()
                    await self._look(looked)
                await self._mark_owed()
                await self._write()
                await self._unbind()
            except (DependencyDownError, *LOST) as e:
                log.debug("outcomes wait", extra={"fields": {"reason": str(e)}})
            AWAITED.set(len(self._awaited))
            await asyncio.sleep(INTERVAL)

    async def drain(self) -> None:
        """Nothing to finish: what is awaited is awaited again after the next start."""

    async def _mark_owed(self) -> None:
        while self._owed:
            await self.mark_all(self._owed[0])
            self._desk.claimed.difference_update(x.number for x in self._owed.popleft())

    async def _write(self) -> None:
        known = [a for a in self._awaited.values() if a.outcome and a.marked]
        for at in range(0, len(known), AT_ONCE):
            changes = [
                Change(a.letter, a.outcome[0], (self._step(a.outcome),)) for a in known[at : at + AT_ONCE] if a.outcome
            ]
            await self._desk.settle_all(changes)
            for change in changes:
                self._drop(change.letter.id)

    async def _look(self, moment: float) -> None:
        """See which queues are empty, and resolve what has been quiet for long enough."""
        if self._desk.counts()["replayed"] > len(self._awaited):
            await self._adopt()
        queues: dict[str, list[_Awaited]] = {}
        for awaited in self._awaited.values():
            if awaited.is_sent and not awaited.outcome:
                queues.setdefault("" if awaited.elsewhere else awaited.letter.queue, []).append(awaited)
        waits = {q: self._delays(q) for q in queues}
        ends = {q: some[0].letter.dead_queue for q, some in queues.items()}
        names = {n for q in queues for n in (q, ends[q], *waits[q]) if n}
        depths = await self._depths(sorted(names)) if names else {}
        for queue, some in queues.items():
            if all(depths.get(n) == 0 for n in waits[queue]):
                self._calm.setdefault(queue, moment)
            else:
                self._calm.pop(queue, None)
            empty = not queue or depths.get(queue) == 0
            since = self._calm.get(queue)
            all_parked = depths.get(ends[queue]) == 0  # others may die all the time: once is enough
            for awaited in some:
                if empty and awaited.left is None:
                    awaited.left = moment
                quiet = awaited.left and since and moment - max(awaited.left, since) >= self._settle
                if quiet and all_parked:
                    after = f"{queue} was seen empty" if queue else "it was sent"
                    awaited.outcome = ("resolved", f"it did not die again for {self._settle:g} s after {after}")
        for gone in self._calm.keys() - queues.keys():
            del self._calm[gone]

    def _delays(self, queue: str) -> list[str]:
        """Return the queues in which a letter may wait for another attempt."""
        known = self._topology.named(queue)
        return [d.name for d in delay_queues([known])] if known else []

    async def _unbind(self) -> None:
        if self._feed and self._bound:
            for key in self._bound - {a.key for a in self._awaited.values()}:
                self._bound.discard(key)
                await self._feed.unbind(EVENTS, key)

    def _enter(self, letter: Letter, to: Target | None) -> _Awaited:
        self._drop(letter.id)
        known = self._topology.named(letter.queue) if to is None else None
        trace = {k: v for k, v in letter.headers.items() if k == TRACEPARENT}
        light = replace(letter, headers=trace, properties={}, body=_NOTHING, history=())
        awaited = _Awaited(light, known.answers if known else "", to is not None)
        self._awaited[letter.id] = awaited
        if awaited.key and letter.message_id:
            self._by_message.setdefault(letter.message_id, []).append(awaited)
        return awaited

    def _drop(self, id: str) -> None:  # noqa: A002 - the letter's
        awaited = self._awaited.pop(id, None)
        if awaited and (same := self._by_message.get(awaited.letter.message_id)):
            left = [a for a in same if a is not awaited]
            if left:
                self._by_message[awaited.letter.message_id] = left
            else:
                del self._by_message[awaited.letter.message_id]

    def _sent(self, awaited: _Awaited) -> Change:
        steps = (awaited.sent,) if awaited.sent else ()
        if awaited.outcome:
            return Change(awaited.letter, awaited.outcome[0], (*steps, self._step(awaited.outcome)))
        return Change(awaited.letter, "replayed", steps)

    def _step(self, outcome: tuple[Status, str]) -> Step:
        OUTCOMES.labels(outcome[0], "fact" if "was seen," in outcome[1] else "quiet").inc()
        return Step(outcome[0], self._actor, outcome[1], now())
