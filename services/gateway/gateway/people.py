"""Who is in a room, as far as this gateway tells of it: many changes as one `presence` frame. No I/O.

A frame says of everyone who was touched after `since` how they are at `rev`. So it is right for each client that knows
any rev from `since` on: those who joined between two frames need no frame of their own.
"""

from __future__ import annotations

from warren.contracts.events import Member, PresenceChanged
from warren.contracts.frames import Presence


class People:
    """`rev` is the last change taken in; None until a snapshot or a change says where the room stands.

    `listed`: whether clients have a list of members; in a large room they know the number only.
    """

    def __init__(self) -> None:
        self.rev: int | None = None
        self.count = 0
        self.listed = True
        self._since: int | None = None
        self._touched: dict[str, tuple[bool, Member, bool]] = {}
        """By user id: whether it was there at `since`, how it is, and whether it is there now."""

    @property
    def changed(self) -> bool:
        """Whether there is something to tell."""
        return self._since is not None

    def snapshot(self, rev: int, *, listed: bool) -> None:
        """Someone got a snapshot; what comes after it and was not told yet is on its way."""
        if self.rev is None:
            self.rev = rev
        self.listed = self.listed and listed

    def take(self, fact: PresenceChanged) -> bool:
        """Take a change in; returns False when changes before it are missing."""
        if self.rev is None:
            self.rev = fact.rev - 1
        if fact.rev <= self.rev:
            return True
        if fact.rev != self.rev + 1:
            return False
        if self._since is None:
            self._since = self.rev
        self.rev, self.count = fact.rev, fact.count
        for members, was_there, is_there in ((fact.joined, False, True), (fact.left, True, False)):
            for member in members:
                self._touch(member, was_there=was_there, is_there=is_there)
        for member in fact.changed:
            self._touch(member, was_there=True, is_there=True)
        return True

    def frame(self, room: str, *, listed: bool) -> Presence:
        """Return what was gathered, and begin anew; without a list only the number is told."""
        assert self.rev is not None  # noqa: S101 - there is something to tell
        since, touched = self._since, self._touched
        self._since, self._touched, self.listed = None, {}, listed
        if not listed:
            return Presence(room=room, rev=self.rev, count=self.count)
        found: dict[str, list[Member]] = {"joined": [], "left": [], "changed": []}
        for was_there, member, is_there in touched.values():
            found["left" if not is_there else "changed" if was_there else "joined"].append(member)
        return Presence(
            room=room, rev=self.rev, since=since, count=self.count, **{k: tuple(v) for k, v in found.items()}
        )

    def whole(self, room: str, members: list[Member] | None, count: int, rev: int) -> Presence:
        """Return a frame that takes the place of all that clients know, in a large room of the number only."""
        self.rev, self.count, self.listed = rev, count, members is not None
        self._since, self._touched = None, {}
        return Presence(room=room, rev=rev, count=count, members=None if members is None else tuple(members))

    def _touch(self, member: Member, *, was_there: bool, is_there: bool) -> None:
        first = self._touched.get(member.id)
        self._touched[member.id] = (first[0] if first else was_there, member, is_there)
