"""What a client knows of a room, under the same rules as the web page. Pure: frames in, entries out.

Entries come from snapshots, live frames and pages of history, in any order, some more than once. They leave
here in dense order of `seq`, each once: one that is ahead of a hole waits until the hole is filled.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any

Frame = dict[str, Any]
"""A frame as on the wire, see `warren.contracts.frames`; fields unknown to this version are kept."""

ENTRY_TYPES = frozenset({"message", "edited", "deleted"})
"""Frames that are entries of a room's log and so have a `seq`."""


class Room:
    """One room: its entries up to `seq` without a hole, and who is there.

    `keep`: how many of the latest entries are held, 0 for a client that only speaks.
    `live` says whether the present connection has joined it; `opened` whether its user has it in hand.
    """

    def __init__(self, name: str, since: int | None = None, keep: int = 500) -> None:
        self.name = name
        self.keep = keep
        self.seq = since
        """The last entry before which nothing is missing; None before the first snapshot."""
        self.head = since or 0
        """The highest `seq` heard of."""
        self.read = 0
        """The `seq` up to which the user has read, on whatever device."""
        self.entries: deque[Frame] = deque(maxlen=keep)
        self.rev = 0
        self.members: dict[str, Frame] | None = {}
        """By user id; None where the room is too large to list."""
        self.count = 0
        self.stale = False
        """A presence change was missed: the members must be fetched."""
        self.live = False
        self.opened = False
        self._base = since or 0
        self._ahead: dict[int, Frame] = {}
        self._changes: dict[int, Frame] = {}

    def join_frame(self) -> Frame:
        """Return the frame that enters this room where it was left."""
        since = {} if self.seq is None else {"since": self.seq}
        return {"type": "join", "room": self.name, **since}

    def lost(self) -> None:
        """Take notice that the connection is gone."""
        self.live = False
        self._base = self.seq or 0

    def snapshot(self, joined: Frame) -> list[Frame]:
        """Take a `joined` frame and return the entries that are new and in order now."""
        entries: list[Frame] = joined["entries"]
        if not self.live and joined["seq"] < self._base:
            self._forget()
        self.live = True
        if self.seq is None:
            self.seq = entries[0]["seq"] - 1 if entries else joined["seq"]
        self.head = max(self.head, joined["seq"])
        self.read_to(joined.get("read", 0))
        members = joined.get("members")
        self.replace_members(members, joined["count"], joined["rev"])
        return self.add(entries)

    def read_to(self, seq: int) -> None:
        """Take a position of the user's: it never goes back."""
        self.read = max(self.read, seq)

    @property
    def unread(self) -> int:
        """Entries beyond that position; changes of messages count as well."""
        return max(0, self.head - self.read)

    def add(self, entries: Iterable[Frame]) -> list[Frame]:
        """Take entries from anywhere and return those that are new and in order now."""
        for entry in entries:
            seq: int = entry["seq"]
            self.head = max(self.head, seq)
            if self.seq is None or seq > self.seq:
                self._ahead.setdefault(seq, entry)
        return self._advance()

    def gap(self) -> tuple[int, int] | None:
        """Return `(after, before)` of the first hole: missing is what is greater and smaller than these."""
        if self.seq is None or self.seq >= self.head:
            return None
        return self.seq, min(self._ahead, default=self.head + 1)

    def skip(self) -> list[Frame]:
        """Give up the first hole and all entries before it; return what comes after it."""
        gap = self.gap()
        if gap is None:
            return []
        self.entries.clear()
        self.seq = gap[1] - 1
        return self._advance()

    def _forget(self) -> None:
        """Start over: the server has less than it had, so its store was reset."""
        self.seq, self.head, self.rev, self.read = None, 0, 0, 0
        self.entries.clear()
        self._ahead.clear()
        self._changes.clear()

    def _advance(self) -> list[Frame]:
        if self.seq is None:
            return []
        ready: list[Frame] = []
        while (entry := self._ahead.pop(self.seq + 1, None)) is not None:
            self.seq += 1
            ready.append(entry)
        if self._ahead and min(self._ahead) <= self.seq:  # came before the first snapshot, which has them
            self._ahead = {seq: entry for seq, entry in self._ahead.items() if seq > self.seq}
        self.entries.extend(ready)
        return ready

    def presence(self, change: Frame) -> bool:
        """Take a `presence` frame; return whether it was applied (else it is old, or members are stale)."""
        rev: int = change["rev"]
        if rev < self.rev or (rev == self.rev and "members" not in change):
            return False
        if "members" in change or not change.keys() & {"joined", "left", "changed"}:
            # everyone, or in a large room the number only
            self.replace_members(change.get("members"), change["count"], rev)
            return True
        if self.members is None:
            self.rev, self.count = rev, change["count"]
            return True
        self._changes[rev] = change
        return self._apply_changes()

    def replace_members(self, members: list[Frame] | None, count: int, rev: int) -> None:
        """Take the whole list of members as of `rev`, unless what is known is newer."""
        if rev < self.rev:
            return
        self.members = None if members is None else {member["id"]: member for member in members}
        self.rev, self.count = rev, count
        self._apply_changes()

    def renamed(self, user: Frame) -> None:
        """Give a user another name."""
        if self.members and user["id"] in self.members:
            self.members[user["id"]] = self.members[user["id"]] | {"name": user["name"]}

    def _apply_changes(self) -> bool:
        applied = False
        for rev, change in sorted(self._changes.items()):
            if rev <= self.rev or change.get("since", rev - 1) > self.rev:
                continue
            self.rev, self.count, applied = rev, change["count"], True
            if self.members is not None:
                for member in (*change.get("joined", ()), *change.get("changed", ())):
                    self.members[member["id"]] = member
                for member in change.get("left", ()):
                    self.members.pop(member["id"], None)
        self._changes = {rev: change for rev, change in self._changes.items() if rev > self.rev}
        self.stale = bool(self._changes)
        return applied
