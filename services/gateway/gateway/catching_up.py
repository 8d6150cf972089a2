"""One page for many: members of a room who come back together missed nearly the same. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

NEARLY = 50
"""Entries by which those who share a page may differ."""


@dataclass(frozen=True, slots=True)
class PageWanted:
    """The first entries after `after`, else the last before `before`, else the newest."""

    room: str
    after: int | None
    before: int | None
    limit: int


@dataclass(frozen=True, slots=True)
class Page:
    """Entries as `message` frames, the room's head, and whether there are more in the direction asked for."""

    entries: list[dict[str, Any]]
    seq: int
    truncated: bool

    def beyond(self, after: int | None) -> Page:
        """Return the part of it after `after`."""
        if after is None or not self.entries or self.entries[0]["seq"] > after:
            return self
        return Page([e for e in self.entries if e["seq"] > after], self.seq, self.truncated)


def shared(wanted: Sequence[PageWanted]) -> dict[PageWanted, PageWanted]:
    """Say for each page that is wanted which one is to be asked for: often the same."""
    asked = {w: w for w in wanted}
    first: PageWanted | None = None
    catching_up = [w for w in wanted if w.after is not None and w.before is None]
    for one in sorted(catching_up, key=lambda w: (w.room, w.limit, w.after or 0)):
        same = first is not None and (one.room, one.limit) == (first.room, first.limit)
        if first is None or not same or (one.after or 0) - (first.after or 0) > NEARLY:
            first = one
        asked[one] = first
    return asked
