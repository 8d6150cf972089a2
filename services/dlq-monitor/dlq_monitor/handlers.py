"""Parking: a dead message is stored and told of, and only then acked.

Nothing that goes wrong here may lose or dead-letter a letter: whatever fails pauses the queue and is tried again. A
crash between storing and telling brings the message again: it is known by its id, and the same fact is published again.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Protocol

from prometheus_client import Counter

from dlq_monitor.autopsy import letters, unread
from dlq_monitor.model import Letter, Step, Telling, fact
from warren.contracts.events import DeadLetterParked
from warren.envelope import TRACEPARENT, Event, event, traceparent_of
from warren.errors import DependencyDownError
from warren.topology import EVENTS, Topology

log = logging.getLogger(__name__)

PARKED = Counter("warren_letters_parked", "Dead messages that were stored", ["queue"])


class Shelf(Protocol):
    """Where letters are kept (see `dlq_monitor.desk.Desk`)."""

    async def park(self, parked: Sequence[Letter]) -> None: ...


class Facts(Protocol):
    """Where facts go (see `warren.messaging.Publisher`)."""

    async def publish_all(self, events: Sequence[Event]) -> None: ...


class Parking:
    """Parks what comes out of one dead queue.

    `died_again` learns of what is parked before it is acked; `actor` is the name that stands in the history.
    """

    def __init__(
        self,
        dead_queue: str,
        shelf: Shelf,
        facts: Facts,
        *,
        died_again: Callable[[Sequence[Letter]], Awaitable[None]],
        topology: Topology,
        body_limit: int,
        actor: str,
    ) -> None:
        self._dead_queue = dead_queue
        self._shelf = shelf
        self._facts = facts
        self._died_again = died_again
        self._topology = topology
        self._body_limit = body_limit
        self._actor = actor

    async def handle(self, events: Sequence[Event]) -> None:
        """Park a batch, each event by itself if the batch fails; raises only `DependencyDownError`."""
        try:
            await self._park(
                [x for e in events for x in letters(e, self._dead_queue, self._topology, self._body_limit)]
            )
        except DependencyDownError:
            raise
        except Exception as e:
            log.exception("parking failed", extra={"fields": {"queue": self._dead_queue, "events": len(events)}})
            if len(events) == 1:
                await self._park_plainly(events[0], e)
            else:
                for one in events:
                    await self.handle([one])

    async def _park_plainly(self, one: Event, error: Exception) -> None:
        """Park what cannot be parked in any other way with its body alone: it shall not keep the others waiting."""
        try:
            await self._park([unread(one, self._dead_queue, self._body_limit, error)])
        except DependencyDownError:
            raise
        except Exception as e:
            log.exception("parking failed, tried again", extra={"fields": {"queue": self._dead_queue}})
            raise DependencyDownError("parking", f"{type(e).__name__}: {e}") from e

    async def _park(self, dead: Sequence[Letter]) -> None:
        found = [self._entered(x) for x in dead]
        await self._shelf.park(found)
        await self._died_again(found)
        await self._facts.publish_all([told(x, x.history[0]) for x in found if not x.tells_of_letters])
        PARKED.labels(self._dead_queue).inc(len(found))
        for x in found:
            fields = {"letter": x.id, "queue": x.queue, "type": x.type[:100], "cause": x.cause.type}
            log.info("letter parked", extra={"fields": {**fields, "trace": x.trace or None}})

    def _entered(self, letter: Letter) -> Letter:
        return replace(letter, history=(Step("parked", self._actor, "", letter.first),))


def told(letter: Letter, step: Step, kind: Telling = DeadLetterParked) -> Event:
    """Return the event that tells of a step, in the letter's own trace; the same one however often it is told."""
    traceparent = traceparent_of({TRACEPARENT: letter.headers.get(TRACEPARENT)})
    one = event(fact(letter, kind, step), EVENTS, f"deadletter.{step.action}", traceparent=traceparent)
    return replace(one, id=f"{letter.id}.{step.action}", correlation_id=letter.message_id or None)
