"""What a batch of signals has changed, kept while it is worked: enough to tell it, to store it and to hide it.

Only what was touched is looked at, so a batch costs as much as it changes, however many sessions there are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from presence.records import Seen
from warren.contracts.events import Member, PresenceChanged
from warren.envelope import Event


@dataclass(frozen=True, slots=True)
class Diff:
    """What has changed in one room between two batches; `count` is how many are there now."""

    room: str
    count: int
    joined: tuple[Member, ...] = ()
    left: tuple[Member, ...] = ()
    changed: tuple[Member, ...] = ()

    def fact(self, rev: int) -> PresenceChanged:
        """Return the fact that tells of it."""
        return PresenceChanged(
            room=self.room, rev=rev, count=self.count, joined=self.joined, left=self.left, changed=self.changed
        )


@dataclass(slots=True)
class Changes:
    """What was touched, each as it was before.

    `rooms`: by room and user id the member, None for one who was not there. `sessions`: whether it was stored
    before. `names`: users with a new rename. `gone`: users who left their last room, some of them back meanwhile.
    `gateways`: incarnations that died or came back to life. `causes`: by room the first event that touched it; `cause`
    is the event in work.
    """

    rooms: dict[str, dict[str, Member | None]] = field(default_factory=dict)
    sessions: dict[str, bool] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    gone: dict[str, Seen] = field(default_factory=dict)
    gateways: set[str] = field(default_factory=set)
    causes: dict[str, Event] = field(default_factory=dict)
    cause: Event | None = None

    def __bool__(self) -> bool:
        return bool(self.rooms or self.sessions or self.names or self.gateways)

    def touch(self, room: str, user: str, before: Member | None) -> None:
        """Remember how a user was in a room before the first change."""
        self.rooms.setdefault(room, {}).setdefault(user, before)
        if self.cause is not None:
            self.causes.setdefault(room, self.cause)

    def note(self, session: str, *, stored: bool) -> None:
        """Remember that a session must be written, and whether it was stored before the first change."""
        self.sessions.setdefault(session, stored)


def diff(
    room: str,
    before: Mapping[str, Member | None],
    now: Mapping[str, Member],
    count: int,
    elsewhere: Callable[[Member], Member],
) -> Diff | None:
    """Compare those who were touched, by user id, with how they are `now`; None if all is as it was.

    `elsewhere` says how one is who has left.
    """
    joined: list[Member] = []
    left: list[Member] = []
    changed: list[Member] = []
    for user, was in before.items():
        member = now.get(user)
        if was is None and member is not None:
            joined.append(member)
        elif was is not None and member is None:
            left.append(elsewhere(was))
        elif was is not None and member is not None and was != member:
            changed.append(member)
    if not (joined or left or changed):
        return None
    return Diff(room, count, tuple(joined), tuple(left), tuple(changed))
