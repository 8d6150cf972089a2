"""Makes anything JSON-safe and bounded: headers and properties come from strangers too.

What comes out has only str, int, float, bool, None, list and dict with str keys, no deeper than `MAX_DEPTH`, and about
`MAX_CHARACTERS` at the most; what was left out or cut shows as an ellipsis.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from warren.contracts import rfc3339

MAX_TEXT = 256
"""Characters of a property: AMQP itself allows 255 bytes, only a bundle can carry more."""

MAX_HEADER = 1024
MAX_CHARACTERS = 8192
MAX_DEPTH = 6
SCALAR = 20
"""Characters that a number, a truth value or null counts for."""

CUT = "…"


def text(value: object, limit: int = MAX_TEXT) -> str:
    """Return a property as text that every store takes."""
    plain = value if isinstance(value, str) else "" if value is None else str(value)
    if len(plain) > limit:
        plain = plain[:limit] + CUT
    return plain if plain.isascii() else plain.encode("utf-8", "replace").decode()


def stamp(moment: datetime) -> str:
    """Return a time as RFC 3339, or nothing for one that has no place in the calendar of UTC."""
    try:
        return rfc3339(moment)
    except (OverflowError, ValueError, OSError):
        return ""


def headers(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return headers as a JSON object."""
    if len(given) == 1:  # nearly always: the trace and nothing else
        ((name, value),) = given.items()
        if type(value) is str and len(value) <= MAX_TEXT and value.isascii() and name == "traceparent":
            return {name: value}
    small_first = dict(sorted(given.items(), key=lambda item: _bulk(item[1])))  # so that bulk crowds nothing out
    return _Budget(MAX_CHARACTERS).mapping(small_first, 0)


def _bulk(value: object) -> float:
    if isinstance(value, str | bytes | bytearray):
        return len(value)
    return math.inf if isinstance(value, Mapping | list | tuple) else 0


class _Budget:
    """Converts values until its characters are spent."""

    def __init__(self, characters: int) -> None:
        self._left = characters

    def mapping(self, given: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        plain: dict[str, Any] = {}
        for name, value in given.items():
            if self._left <= 0:
                plain[CUT] = f"{len(given) - len(plain)} more"
                break
            plain[self._text(name, MAX_TEXT)] = self._value(value, depth + 1)
        return plain

    def _value(self, value: Any, depth: int) -> Any:
        if isinstance(value, Mapping | list | tuple):
            if depth >= MAX_DEPTH:
                return self._text(CUT, MAX_TEXT)
            return self.mapping(value, depth) if isinstance(value, Mapping) else self._list(value, depth)
        plain = _scalar(value)
        if isinstance(plain, str):
            return self._text(plain, MAX_HEADER)
        self._left -= SCALAR
        return plain

    def _list(self, given: list[Any] | tuple[Any, ...], depth: int) -> list[Any]:
        plain: list[Any] = []
        for value in given:
            if self._left <= 0:
                plain.append(f"{len(given) - len(plain)} more{CUT}")
                break
            plain.append(self._value(value, depth + 1))
        return plain

    def _text(self, value: object, limit: int) -> str:
        plain = text(value, min(limit, max(self._left, 0)))
        self._left -= len(plain) + 2
        return plain


def _scalar(value: object) -> str | float | bool | None:
    """Return a single value as one that JSON has."""
    match value:
        case None | bool() | str():
            return value
        case int() if abs(value) < 2**63:
            return int(value)
        case float() if math.isfinite(value):
            return float(value)
        case datetime():
            return stamp(value)
        case bytes() | bytearray():
            return f"0x{value[:MAX_TEXT].hex()}{CUT * (len(value) > MAX_TEXT)}"
        case _:
            return hex(value) if isinstance(value, int) else str(value)
