"""Which names are borne in each room, so that no two users there show the same. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from itertools import count

MAX_NAME = 64

_NUMBER = re.compile(r" \(\d+\)$")


class Names:
    """Counts the users of each room by name; upper and lower case are the same."""

    def __init__(self) -> None:
        self._borne: dict[str, Counter[str]] = {}

    def add(self, room: str, name: str) -> None:
        """Count a user who is in a room now."""
        self._borne.setdefault(room, Counter())[name.casefold()] += 1

    def remove(self, room: str, name: str) -> None:
        """Count no more a user who was."""
        borne, key = self._borne[room], name.casefold()
        borne[key] -= 1
        if not borne[key]:
            del borne[key]
        if not borne:
            del self._borne[room]

    def free(self, wanted: str, own: str, rooms: Iterable[str]) -> str:
        """Return the name, with the first number that makes it unlike all others, `own` not counted, in these rooms."""
        others = [(self._borne.get(room, Counter()), own.casefold()) for room in rooms]

        def taken(name: str) -> bool:
            key = name.casefold()
            return any(borne[key] - (key == mine) > 0 for borne, mine in others)

        if not taken(wanted):
            return wanted
        base = _NUMBER.sub("", wanted)
        numbered = (f"{base[: MAX_NAME - len(end)].rstrip()}{end}" for n in count(2) if (end := f" ({n})"))
        return next(name for name in numbered if not taken(name))
