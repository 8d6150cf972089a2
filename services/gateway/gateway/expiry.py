"""Sessions last as long as their tokens: closed when one expires, unless a fresh one of the same user came before."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Iterable

from gateway.auth import LEEWAY_SECONDS, AuthError, Tokens
from gateway.session import Session
from warren.contracts.closing import EXPIRED

EVERY_SECONDS = 1.0
"""Between two looks at what has expired."""


class Expiry:
    """Looks after all sessions at once: none needs a timer, and nothing is looked at before the first is due."""

    def __init__(self, tokens: Tokens, sessions: Callable[[], Iterable[Session]]) -> None:
        self._tokens = tokens
        self._sessions = sessions
        self._soonest = math.inf

    def watch(self, session: Session) -> None:
        """Close the session when its token expires."""
        self._soonest = min(self._soonest, session.expires)

    async def renew(self, session: Session, token: str) -> None:
        """Let a session go on under a fresh token of its user, or raise `AuthError`; its rights are the token's."""
        identity = await self._tokens.verify(token)
        if identity.user.id != session.user.id:
            raise AuthError("the token is another user's")
        session.expires, session.rights = identity.expires.timestamp(), identity.rights
        self.watch(session)

    def close_expired(self, now: float) -> None:
        """Close whose token has expired; `now` in seconds since the epoch."""
        past = now - LEEWAY_SECONDS
        if past < self._soonest:
            return
        sessions = tuple(self._sessions())
        self._soonest = min((s.expires for s in sessions if s.expires > past), default=math.inf)
        for session in sessions:
            if session.expires <= past:
                session.close(EXPIRED)

    async def run(self) -> None:
        """Look every second."""
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            self.close_expired(time.time())

    async def drain(self) -> None:
        """Nothing has begun that must be finished."""
