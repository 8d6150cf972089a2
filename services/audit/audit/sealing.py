"""Tells the world how far the chain is: whoever keeps the seals notices when a chain's end was cut off."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Protocol

from audit.chain import Head
from warren.contracts.events import AuditSealed
from warren.envelope import Event, event
from warren.errors import DependencyDownError
from warren.topology import EVENTS

log = logging.getLogger(__name__)

KEY = "audit.sealed"


class Seals(Protocol):
    """Where seals are kept (see `audit.repository.Records`)."""

    async def seal(self, head: Head) -> None: ...


class Facts(Protocol):
    """Where facts go (see `warren.messaging.Publisher`)."""

    async def publish(self, event: Event) -> None: ...


class Sealer:
    """Seals the newest head it was offered, at most once per `interval` seconds; the last one is never left out."""

    def __init__(
        self,
        seals: Seals,
        facts: Facts,
        interval: float,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._seals = seals
        self._facts = facts
        self._interval = interval
        self._sleep = sleep
        self._head: Head | None = None
        self._wanted = asyncio.Event()
        self._failing = False
        self._one_at_a_time = asyncio.Lock()

    def offer(self, head: Head) -> None:
        """Ask for a seal of this head, which covers all before it."""
        self._head = head
        self._wanted.set()

    async def run(self) -> None:
        """Seal what is offered until cancelled."""
        while True:
            await self._wanted.wait()
            await self._seal()
            await self._sleep(self._interval)

    async def drain(self) -> None:
        """Seal what is not sealed yet."""
        await self._seal()

    async def _seal(self) -> None:
        async with self._one_at_a_time:
            head = self._head
            if head is None or not self._wanted.is_set():
                return
            self._wanted.clear()
            try:
                await self._seals.seal(head)
                await self._facts.publish(event(_fact(head), EVENTS, KEY))
            except DependencyDownError as e:
                self._wanted.set()
                if not self._failing:  # said once an outage
                    log.warning("cannot seal, trying again", extra={"fields": {"chain": head.chain, "reason": str(e)}})
                self._failing = True
            else:
                self._failing = False


def _fact(head: Head) -> AuditSealed:
    time = datetime.fromisoformat(head.time)
    return AuditSealed(chain=head.chain, n=head.n, hash=head.hash, count=head.total, time=time)
