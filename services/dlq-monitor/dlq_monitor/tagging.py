"""Values of AMQP headers as JSON, with tags for the types that JSON has not, so that they can be made again.

`{"$date": "…"}` time, `{"$bytes": "…"}` base64, `{"$decimal": "…"}`, `{"$float": "nan"}`, `{"$int16": 5}` and so on for
numbers of a width that is not the narrowest, `{"$float32": "0.5"}`, `{"$amqp": ["S", "…"]}` a type's letter and base64
(see `warren.messaging.fields`); a table that itself looks like a tag, or has a name that is no text, becomes
`{"$table": [[name, value], …]}`.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any

from warren.messaging.fields import INTEGERS, Float32, Name, Opaque, is_well_formed, write_value

MAX_DEPTH = 64
"""Deeper than any header that arrives by AMQP; what a bundle's JSON nests deeper is kept as a text."""

MAX_TEXT = 1000

_INTEGERS = {f"${typed.__name__.lower()}": typed for typed in INTEGERS}
_TAGS = {typed: tag for tag, typed in _INTEGERS.items()}


def tagged(value: Any) -> Any:
    """Return a value as JSON can hold it, so that `untagged` gives it back; never raises."""
    return _tagged(value, 0, exact=True)


def shown(table: Mapping[str, Any]) -> dict[str, Any]:
    """Return a table as people read it: the same, but with numbers of any width as plain numbers."""
    found: dict[str, Any] = _tagged(dict(table), 0, exact=False)
    return found


def _tagged(value: Any, depth: int, *, exact: bool) -> Any:
    if type(value) in {str, bool, int, type(None)}:
        return value
    if depth > MAX_DEPTH:
        return "nested too deep"
    if isinstance(value, list | tuple):
        return [_tagged(v, depth + 1, exact=exact) for v in value]
    if isinstance(value, dict):
        pairs = [(name, _tagged(v, depth + 1, exact=exact)) for name, v in value.items()]
        if any(isinstance(name, Name) or str(name).startswith("$") for name, _ in pairs):
            return {"$table": [[_tagged_name(name), v] for name, v in pairs]}
        return {str(name): v for name, v in pairs}
    return _tagged_scalar(value, exact=exact)


def _tagged_name(name: Any) -> Any:
    return {"$bytes": base64.b64encode(name.raw).decode()} if isinstance(name, Name) else str(name)


def _tagged_scalar(value: Any, *, exact: bool) -> Any:
    match value:
        case int() | float():
            return _tagged_number(value, exact=exact)
        case datetime():
            return {"$date": value.isoformat()}
        case Decimal():
            return {"$decimal": str(value)}
        case bytes() | bytearray():
            return {"$bytes": base64.b64encode(value).decode()}
        case Opaque():
            return {"$amqp": [value.kind, base64.b64encode(value.data).decode()]}
    return str(value)[:MAX_TEXT]


def _tagged_number(value: float, *, exact: bool) -> Any:
    if isinstance(value, int):
        return {_TAGS[type(value)]: int(value)} if exact and type(value) in _TAGS else int(value)
    if exact and isinstance(value, Float32):
        return {"$float32": str(float(value))}
    return float(value) if math.isfinite(value) else {"$float": str(float(value))}


def untagged(value: Any) -> Any:
    """Return the value that `tagged` was given; a wrong tag is a `ValueError`, `TypeError` or `ArithmeticError`."""
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
    return {_name(name): untagged(value) for name, value in pairs}


def _name(name: Any) -> str:
    if isinstance(name, str):
        return name
    return Name(base64.b64decode(name["$bytes"], validate=True))


def _opaque(parts: list[str]) -> Opaque:
    kind, data = parts
    found = Opaque(kind, base64.b64decode(data, validate=True))
    if not is_well_formed(found):
        raise ValueError(f"no value of the type {kind}")
    return found


def _integer(typed: type[int], number: Any) -> int:
    found = typed(number)
    write_value(found)  # raises if it does not fit
    return found


_MAKE: dict[str, Callable[[Any], Any]] = {
    "$date": datetime.fromisoformat,
    "$bytes": lambda text: bytearray(base64.b64decode(text)),
    "$decimal": Decimal,
    "$float": float,
    "$float32": Float32,
    "$amqp": _opaque,
    "$table": _table,
    **{tag: partial(_integer, typed) for tag, typed in _INTEGERS.items()},
}
