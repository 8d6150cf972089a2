"""Positions in: several of one user and room in a batch are one write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from chat.reading.repository import Reader
from warren.contracts.events import UserRead
from warren.envelope import Event


class Store(Protocol):
    """Where positions are kept (see `chat.reading.repository.Positions`)."""

    async def advance(self, positions: Mapping[Reader, int]) -> None: ...


class Reading:
    """Keeps what gateways tell. Their order does not matter, so all chat processes share the queue."""

    def __init__(self, positions: Store) -> None:
        self._positions = positions

    async def handle(self, events: Sequence[Event]) -> None:
        """Store a batch."""
        furthest: dict[Reader, int] = {}
        for event in events:
            if isinstance(event.data, UserRead):
                reader = (event.data.user, event.data.room)
                furthest[reader] = max(furthest.get(reader, 0), event.data.seq)
        await self._positions.advance(furthest)
