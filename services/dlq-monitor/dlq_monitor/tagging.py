"""Values of AMQP headers as JSON, with tags for the types that JSON has not, so that they can be made again.

`{"$date": "…"}` time, `{"$bytes": "…"}` base64, `{"$decimal": "…"}`, `{"$float": "nan"}`; a table that itself looks
like a tag becomes `{"$table": [[name, value], …]}`.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

MAX_DEPTH = 64
"""Deeper than any header that arrives by AMQP; what a bundle's JSON nests deeper is kept as a text."""

MAX_TEXT = 1000


def tagged(value: Any, depth: int = 0) -> Any:
    """Return a value as JSON can hold it; never raises."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if depth > MAX_DEPTH:
        return "nested too deep"
    if isinstance(value, list | tuple):
        return [tagged(v, depth + 1) for v in value]
    if isinstance(value, dict):
        found = {str(k): tagged(v, depth + 1) for k, v in value.items()}
        return {"$table": [list(pair) for pair in found.items()]} if any(k.startswith("$") for k in found) else found
    return _tagged_scalar(value)


def _tagged_scalar(value: Any) -> Any:
    match value:
        case float():
            return value if math.isfinite(value) else {"$float": str(value)}
        case datetime():
            return {"$date": value.isoformat()}
        case Decimal():
            return {"$decimal": str(value)}
        case bytes() | bytearray():
            return {"$bytes": base64.b64encode(value).decode()}
    return str(value)[:MAX_TEXT]


def untagged(value: Any) -> Any:
    """Return the value that `tagged` was given."""
    if isinstance(value, list):
        return [untagged(v) for v in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        tag, inner = next(iter(value.items()))
        if tag in _MAKE:
            return _MAKE[tag](inner)
    return {k: untagged(v) for k, v in value.items()}


def _table(pairs: list[list[Any]]) -> dict[str, Any]:
    return {name: untagged(value) for name, value in pairs}


_MAKE: dict[str, Callable[[Any], Any]] = {
    "$date": datetime.fromisoformat,
    "$bytes": lambda text: bytearray(base64.b64decode(text)),
    "$decimal": Decimal,
    "$float": float,
    "$table": _table,
}
