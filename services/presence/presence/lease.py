"""Leases of gateways: who has not been heard of for too long is dead, and all its sessions with it.

Silence counts only where a gateway could have been heard. So judgement takes two steps, a tick apart. A look: a
publish is confirmed now, nothing waits in the queue at the broker, and so much has been delivered. The verdict: all
that was delivered by then is worked, so who was silent for a lease *before the look* really said nothing. While we
are not connected, not active, or the broker takes no publishes, all leases are renewed: an outage expires nobody.
Nor does a backlog, however long: there is no look as long as something waits.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import monotonic
from typing import Protocol

from warren.errors import DependencyDownError, DeposedError

log = logging.getLogger(__name__)

TICKS_PER_LEASE = 8

Clock = Callable[[], float]
"""Returns seconds that only grow."""


class Leases:
    """When each gateway was last heard of, in seconds of one clock."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._heard: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._heard)

    def renew(self, gateway: str, now: float) -> None:
        """Give a gateway a whole lease."""
        self._heard[gateway] = now

    def renew_all(self, now: float) -> None:
        """Give every known gateway a whole lease."""
        self._heard = dict.fromkeys(self._heard, now)

    def take_expired(self, at: float) -> dict[str, float]:
        """Return, and forget, those whose lease had run out at that time, with when they were last heard of."""
        expired = {g: heard for g, heard in self._heard.items() if heard + self._seconds <= at}
        for gateway in expired:
            del self._heard[gateway]
        return expired


class Sessions(Protocol):
    """What expires (see `presence.handlers.Presence`). `term` is another object after each loss of the queue."""

    @property
    def term(self) -> object | None: ...
    def renew_all(self) -> None: ...
    async def expire(self, at: float) -> None: ...


class Queue(Protocol):
    """The queue of signals (see `warren.messaging.Consumer`)."""

    delivered: int
    worked: int

    @property
    def consuming(self) -> bool: ...
    async def backlog(self) -> int: ...


@dataclass(frozen=True, slots=True)
class _Look:
    """At `time` the broker was well, its queue empty, and `delivered` messages had come in this term."""

    time: float
    delivered: int
    term: object


class LeaseKeeper:
    """A part of the service: ends the sessions of gateways whose lease (in seconds) has run out."""

    def __init__(
        self,
        sessions: Sessions,
        queue: Queue,
        probe: Callable[[], Awaitable[None]],
        *,
        lease: float,
        clock: Clock = monotonic,
    ) -> None:
        self._sessions = sessions
        self._queue = queue
        self._probe = probe
        self._interval = lease / TICKS_PER_LEASE
        self._clock = clock
        self._look: _Look | None = None
        self._ticking = asyncio.Lock()
        self._draining = False

    async def run(self) -> None:
        """Judge and look, again and again, until cancelled."""
        while True:
            await asyncio.sleep(self._interval)
            async with self._ticking:
                if not self._draining:
                    await self.tick()

    async def drain(self) -> None:
        """Judge nobody any more; finish what has begun."""
        self._draining = True
        async with self._ticking:
            self._look = None

    async def tick(self) -> None:
        """Do what the last look allows, then look again."""
        look = self._look
        if look is not None and look.term is self._sessions.term and self._queue.consuming:
            if self._queue.worked < look.delivered:
                return
            try:
                await self._sessions.expire(look.time)
            except (DependencyDownError, DeposedError) as e:
                log.warning("expired leases wait", extra={"fields": {"reason": str(e)}})
        self._look = await self._look_again()

    async def _look_again(self) -> _Look | None:
        now, term = self._clock(), self._sessions.term
        if term is None or not self._queue.consuming:
            self._sessions.renew_all()
            return None
        try:
            await self._probe()
            waiting = await self._queue.backlog()
        except DependencyDownError as e:
            log.info("leases wait for the broker", extra={"fields": {"reason": str(e)}})
            self._sessions.renew_all()
            return None
        return None if waiting else _Look(now, self._queue.delivered, term)
