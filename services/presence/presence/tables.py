"""Session tables come in parts: here they wait until they are whole."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from warren.contracts.signals import GatewayBeat, SessionRow


@dataclass(frozen=True, slots=True)
class Table:
    """All sessions of a gateway at one moment."""

    gateway: str
    time: datetime
    rows: tuple[SessionRow, ...]


@dataclass(slots=True)
class _Parts:
    id: str
    count: int
    time: datetime
    rows: dict[int, tuple[SessionRow, ...]] = field(default_factory=dict)


class Tables:
    """The newest table of each gateway, as far as it has come.

    Parts say how things were at their time, so they stay valid over a reconnection. A whole table is kept until it
    is `done`: should its effect get lost, the redelivery of one part brings all of it again.
    """

    def __init__(self) -> None:
        self._parts: dict[str, _Parts] = {}

    def add(self, beat: GatewayBeat) -> Table | None:
        """Take in a beat; return the table that is whole with it."""
        part = beat.table
        if part is None or part.part > part.parts:
            return None
        known = self._parts.get(beat.gateway)
        if known is None or known.id != part.id:
            if known is not None and known.time > beat.time:
                return None  # a part of an older table
            known = self._parts[beat.gateway] = _Parts(part.id, part.parts, beat.time)
        known.rows[part.part] = part.sessions
        known.time = min(known.time, beat.time)
        if len(known.rows) < known.count:
            return None
        return Table(beat.gateway, known.time, tuple(row for _, rows in sorted(known.rows.items()) for row in rows))

    def done(self, gateway: str) -> None:
        """Forget a table whose effect is stored."""
        self._parts.pop(gateway, None)
