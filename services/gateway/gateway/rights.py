"""What a token lets its user do in which rooms: patterns in its claim `rooms`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import IntEnum
from functools import lru_cache
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Pattern = Annotated[str, StringConstraints(min_length=1, max_length=128)]
Patterns = Annotated[tuple[Pattern, ...], Field(max_length=100)]

_REMEMBERED = 256
"""Rooms whose right is remembered, per set of patterns."""


class Right(IntEnum):
    """What someone may do in a room; each implies those below."""

    NONE = 0
    READ = 1
    WRITE = 2
    MODERATE = 3


class RoomClaim(BaseModel):
    """The claim `rooms`: patterns of rooms, in which `*` stands for anything; at most 100 a right, 128 characters each.

    To write implies to read, to moderate implies to write.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")
    read: Patterns = ()
    write: Patterns = ()
    moderate: Patterns = ()


class Rights:
    """Rights by room. Sessions of the same patterns share one; a room is matched once, then looked up."""

    __slots__ = ("_known", "_matchers")

    def __init__(self, claim: RoomClaim) -> None:
        rights = ((Right.MODERATE, claim.moderate), (Right.WRITE, claim.write), (Right.READ, claim.read))
        self._matchers = tuple((right, _compiled(patterns)) for right, patterns in rights if patterns)
        self._known: dict[str, Right] = {}

    def of(self, room: str) -> Right:
        """Return the right to a room."""
        right = self._known.get(room)
        if right is None:
            right = next((right for right, matcher in self._matchers if matcher.fullmatch(room)), Right.NONE)
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[room] = right
        return right


def rights_of(claim: Any) -> Rights:
    """Return the rights that a token's claim gives, or raise `pydantic.ValidationError` (a ValueError)."""
    return _shared(RoomClaim.model_validate(claim, strict=False))


def rights_to_write(patterns: Sequence[str]) -> Rights:
    """Return the right to read and write in rooms of these patterns."""
    return _shared(RoomClaim(write=tuple(patterns)))


@lru_cache(maxsize=4096)
def _shared(claim: RoomClaim) -> Rights:
    return Rights(claim)


def _compiled(patterns: Sequence[str]) -> re.Pattern[str]:
    return re.compile("|".join(_regular(p) for p in patterns), re.DOTALL)


def _regular(pattern: str) -> str:
    """Write a pattern as a regular expression that never tries a `*` again: many of them cost no more than one."""
    first, *rest = (re.escape(part) for part in re.sub(r"\*+", "*", pattern).split("*"))
    if not rest:
        return first
    *between, last = rest
    return first + "".join(f"(?>.*?{part})" for part in between) + ".*" + last


EVERYWHERE = rights_to_write(("*",))
"""The right of a token without the claim."""
