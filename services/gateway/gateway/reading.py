"""How far users have read: it goes out coalesced, and never back.

What a client says is told to the user's other sessions here at once. Every few seconds the furthest position of each
user and room goes out on `warren.ephemeral`, confirmed: to chat, which keeps it, and to all gateways, which tell it on.
Both memories are bounded: a position that falls out is brought by the user's next join, or by the next that is read.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from gateway.settings import GatewaySettings
from warren.contracts.events import UserRead
from warren.envelope import event
from warren.errors import DependencyDownError
from warren.messaging import Publisher
from warren.topology import EPHEMERAL

log = logging.getLogger(__name__)

MAX_KNOWN = 50_000
"""Positions of users and rooms that are remembered."""

MAX_WAITING = 10_000
"""Positions that may wait to be published."""

Reader = tuple[str, str]
"""User id, room."""


class Reading:
    """Positions as this gateway knows them, and those that are not yet published."""

    def __init__(self, settings: GatewaySettings, publisher: Publisher) -> None:
        self._gateway = settings.incarnation
        self._seconds = settings.read_seconds
        self._publisher = publisher
        self._known: OrderedDict[Reader, int] = OrderedDict()
        self._waiting: OrderedDict[Reader, int] = OrderedDict()

    def known(self, user: str, room: str) -> int:
        """Return the furthest position that was heard of here, 0 for none."""
        return self._known.get((user, room), 0)

    def with_unread(self, user: str, room: Mapping[str, Any], stored: int) -> dict[str, Any]:
        """Return a room's row with how far the user has read it, and how much is after that."""
        read = max(stored, self.known(user, room["room"]))
        return {**room, "read": read, "unread": max(0, room["seq"] - read)}

    def learn(self, user: str, room: str, seq: int) -> bool:
        """Take note of a position; returns whether it is beyond what was known."""
        return _raise(self._known, (user, room), seq, MAX_KNOWN)

    def moved(self, user: str, room: str, seq: int) -> bool:
        """Take a position that a client tells of; returns whether it is news, which is then published soon."""
        if not self.learn(user, room, seq):
            return False
        _raise(self._waiting, (user, room), seq, MAX_WAITING)
        return True

    def heard(self, fact: UserRead) -> bool:
        """Take a position that a gateway tells of; returns whether it is news here."""
        return fact.gateway != self._gateway and self.learn(fact.user, fact.room, fact.seq)

    async def run(self) -> None:
        """Publish what has moved, every few seconds."""
        while True:
            await asyncio.sleep(self._seconds)
            await self._publish()

    async def drain(self) -> None:
        """Publish what is left."""
        await self._publish()

    async def _publish(self) -> None:
        moved, self._waiting = self._waiting, OrderedDict()
        facts = [UserRead(gateway=self._gateway, user=u, room=r, seq=s) for (u, r), s in moved.items()]
        try:
            await self._publisher.publish_all([event(f, EPHEMERAL, UserRead.KEY) for f in facts])
        except DependencyDownError as e:
            log.warning("read positions wait", extra={"fields": {"count": len(moved), "reason": str(e)}})
            for reader, seq in moved.items():
                _raise(self._waiting, reader, seq, MAX_WAITING)


def _raise(positions: OrderedDict[Reader, int], reader: Reader, seq: int, ceiling: int) -> bool:
    """Raise a position, as the newest of at most `ceiling`; returns whether it was lower."""
    if seq <= positions.get(reader, 0):
        return False
    positions[reader] = seq
    positions.move_to_end(reader)
    if len(positions) > ceiling:
        positions.popitem(last=False)
    return True
