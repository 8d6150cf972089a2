"""The way out: clients are sent elsewhere at a drain, and while the IsAlive file is away."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Sequence

from gateway.session import Session
from gateway.settings import GatewaySettings
from warren.contracts.closing import DRAIN
from warren.health import Health

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.25
"""Between two looks at the IsAlive file."""

JITTER_SECONDS = 1.0
"""How much later than its goodbye a client may come back at another gateway."""


class Leaving:
    """Empties the gateway; `sessions` gives all that are open.

    First load balancers get time to see that it goes (`/lb`), then newcomers are turned away and each client is told
    goodbye, spread over some seconds.
    """

    def __init__(self, settings: GatewaySettings, health: Health, sessions: Callable[[], Sequence[Session]]) -> None:
        self._settings = settings
        self._health = health
        self._sessions = sessions
        self._closed = health.leaving

    @property
    def closed(self) -> bool:
        """Whether newcomers are turned away; no longer than load balancers are told so."""
        return self._closed and self._health.leaving

    async def run(self) -> None:
        """Send clients away whenever the IsAlive file is taken away, and let them in when it is back."""
        while True:
            if self._health.leaving and not self._health.draining and not self._closed:
                await self.drain()  # else the runtime does it
            elif self._closed and not self._health.leaving:
                self._closed = False
                log.info("clients are let in again")
            await asyncio.sleep(LOOK_SECONDS)

    async def drain(self) -> None:
        """Send all clients elsewhere, each when its messages are confirmed; stops if the IsAlive file comes back."""
        if not self._closed:
            await asyncio.sleep(self._settings.drain_notice)
        if not self._health.leaving:
            return
        self._closed = True
        sessions = self._sessions()
        log.info("clients are sent elsewhere", extra={"fields": {"sessions": len(sessions)}})
        loop = asyncio.get_running_loop()
        began, pause = loop.time(), self._settings.drain_spread / max(1, len(sessions))
        for number, session in enumerate(sessions):
            await asyncio.sleep(began + number * pause - loop.time())  # on a busy machine, several at once
            if not self._health.leaving:
                return
            session.run(self._let_go(session))

    async def _let_go(self, session: Session) -> None:
        """Send one away when its messages are confirmed: one that waits for the broker keeps no other waiting."""
        await session.settled()  # the runtime bounds the drain
        if self._health.leaving:
            self.send_away(session)

    def send_away(self, session: Session) -> None:
        """Say goodbye, and when to come back: the goodbyes are spread, a little jitter is enough."""
        session.close(DRAIN, reconnect_after=random.uniform(0, min(JITTER_SECONDS, self._settings.drain_spread)))
