"""Signals as gateways send them, for tests of presence."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from presence.lease import Leases
from presence.model import State
from warren.contracts import User
from warren.contracts.signals import (
    GatewayBeat,
    RenameUser,
    RoomJoined,
    RoomLeft,
    SessionClosed,
    SessionRow,
    SessionState,
    SessionStatus,
    SessionTable,
)

START = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


def at(ms: int) -> datetime:
    """Return a moment, in milliseconds of the test's own time."""
    return START + timedelta(milliseconds=ms)


def joined(session: str, user: str, room: str, ms: int, *, gateway: str = "g1", name: str = "") -> RoomJoined:
    """A session enters a room."""
    return RoomJoined(gateway=gateway, session=session, user=User(id=user, name=name or user), time=at(ms), room=room)


def left(session: str, user: str, room: str, ms: int, *, gateway: str = "g1") -> RoomLeft:
    """A session leaves a room."""
    return RoomLeft(gateway=gateway, session=session, user=User(id=user, name=user), time=at(ms), room=room)


def turned(session: str, user: str, status: SessionState, ms: int, *, gateway: str = "g1") -> SessionStatus:
    """Someone goes away from a session, or comes back to it."""
    return SessionStatus(gateway=gateway, session=session, user=User(id=user, name=user), time=at(ms), status=status)


def closed(session: str, user: str, ms: int, *, gateway: str = "g1") -> SessionClosed:
    """A session ends."""
    return SessionClosed(gateway=gateway, session=session, user=User(id=user, name=user), time=at(ms))


def rename(user: str, was: str, name: str, ms: int) -> RenameUser:
    """A user wants another name."""
    return RenameUser(user=User(id=user, name=was), name=name, time=at(ms))


def beat(gateway: str, ms: int) -> GatewayBeat:
    """A gateway lives."""
    return GatewayBeat(gateway=gateway, sessions=0, time=at(ms))


def table(gateway: str, ms: int, rows: Sequence[SessionRow], *, parts: int = 1, id: str = "t") -> list[GatewayBeat]:  # noqa: A002 - the field's name
    """A gateway's whole table, as beats."""
    cut = [tuple(rows[p::parts]) for p in range(parts)]
    return [
        GatewayBeat(
            gateway=gateway,
            sessions=len(rows),
            time=at(ms + p),
            table=SessionTable(id=id, part=p + 1, parts=parts, sessions=cut[p]),
        )
        for p in range(parts)
    ]


def row(session: str, user: str, *rooms: str) -> SessionRow:
    """A line of a table."""
    return SessionRow(session=session, user=User(id=user, name=user), rooms=rooms)


def member_ids(state: State, room: str) -> set[str]:
    """Return who is in a room."""
    return {m.id for m in state.members(room)}


def no_leases() -> Leases:
    """Leases that never run out."""
    return Leases(float("inf"))
