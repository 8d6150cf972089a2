"""AMQP's field tables (headers), read so that they can be written again bit by bit.

pamqp reads all widths of numbers as one type and writes the narrowest, halves floats, cuts names at 128 bytes, and
fails on text that is no UTF-8, on times beyond the year 9999 and on deep tables: the connection is then lost, and the
same message comes again on the next one. Here a value that Python's own types would not give back as it came keeps its
AMQP type: a number in a class of its width, anything else as `Opaque`. RabbitMQ passes most of this on without a look.

Source of the types: https://www.rabbitmq.com/amqp-0-9-1-errata (section 3).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

MAX_DEPTH = 16
"""Levels of tables and arrays that are read; what lies deeper stays opaque."""

MAX_NAME = 255
"""Bytes."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LONG = struct.Struct(">I")
_TIME = struct.Struct(">Q")
_DOUBLE = struct.Struct(">d")
_FLOAT = struct.Struct(">f")
_DECIMAL = struct.Struct(">Bi")


class Int8(int):
    """`b`."""


class UInt8(int):
    """`B`."""


class Int16(int):
    """`s`."""


class UInt16(int):
    """`u`."""


class Int32(int):
    """`I`."""


class UInt32(int):
    """`i`."""


class Int64(int):
    """`l`."""


class Float32(float):
    """`f`."""


class Name(str):
    """A field's name that is no UTF-8: readable, and its `raw` bytes."""

    __slots__ = ("raw",)

    def __new__(cls, raw: bytes) -> Name:
        """Make it of its bytes."""
        name = super().__new__(cls, readable(raw))
        name.raw = raw
        return name

    raw: bytes


@dataclass(frozen=True, slots=True)
class Opaque:
    """A value as it came: its type's letter and its bytes; of strings, tables and arrays without their length."""

    kind: str
    data: bytes


INTEGERS: dict[type[int], tuple[bytes, struct.Struct]] = {
    Int8: (b"b", struct.Struct(">b")),
    UInt8: (b"B", struct.Struct(">B")),
    Int16: (b"s", struct.Struct(">h")),
    UInt16: (b"u", struct.Struct(">H")),
    Int32: (b"I", struct.Struct(">i")),
    UInt32: (b"i", struct.Struct(">I")),
    Int64: (b"l", struct.Struct(">q")),
}
_NARROWEST = tuple(
    (range(-(2 ** (bits - 1)), 2 ** (bits - 1)) if signed else range(2**bits), *INTEGERS[kind])
    for kind, bits, signed in (
        (Int8, 8, True),
        (Int16, 16, True),
        (UInt16, 16, False),
        (Int32, 32, True),
        (UInt32, 32, False),
        (Int64, 64, True),
    )
)
"""In which of them a plain number is written: the first that holds it."""

_SIZES = {"t": 1, "D": 5, "f": 4, "d": 8, "T": 8, "L": 8, "V": 0, "\0": 0}
_SIZED = frozenset("SxFA")


def readable(data: bytes) -> str:
    r"""Return bytes as text; those that are not UTF-8 as `\xNN`, and never more than a short string holds."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode(errors="backslashreplace").encode()[:MAX_NAME].decode(errors="ignore")


def read_table(data: bytes) -> tuple[int, dict[str, Any]]:
    """Read a table with its length; returns the bytes used, and the table. Of a name that comes twice the last counts.

    Raises `ValueError` for bytes that are none.
    """
    content, end = _sized(data, 0)
    return end, _table(content, 0)


def write_table(table: Mapping[str, Any]) -> bytes:
    """Write a table with its length; raises `TypeError` or `ValueError` for what AMQP cannot hold."""
    return _with_size(b"".join(_write_name(name) + write_value(value) for name, value in table.items()))


def write_value(value: Any) -> bytes:
    """Write a value with its type; raises as `write_table`."""
    kind = type(value)
    writer = _WRITERS.get(kind) or next((_WRITERS[base] for base in kind.__mro__ if base in _WRITERS), None)
    if writer is None:
        raise TypeError(f"AMQP has no type for a {kind.__name__}")
    return writer(value)


def is_well_formed(value: Opaque) -> bool:
    """Whether a broker would take it: a table or array that is none would cost the connection."""
    left = [value]
    while left:
        one = left.pop()
        if one.kind in {"F", "A"}:
            try:
                inner = [v for _, v in (_fields if one.kind == "F" else _items)(one.data, MAX_DEPTH)]
            except ValueError:
                return False
            left += [v for v in inner if isinstance(v, Opaque)]
        elif one.kind not in _SIZED and len(one.data) != _SIZES.get(one.kind):
            return False
    return True


def _table(data: bytes, depth: int) -> dict[str, Any]:
    return {_name(name): value for name, value in _fields(data, depth)}


def _fields(data: bytes, depth: int) -> Iterator[tuple[bytes, Any]]:
    at = 0
    while at < len(data):
        begin = at + 1
        at = begin + data[at]
        name = data[begin:at]
        value, at = _value(data, at, depth)
        yield name, value


def _items(data: bytes, depth: int) -> Iterator[tuple[None, Any]]:
    at = 0
    while at < len(data):
        value, at = _value(data, at, depth)
        yield None, value


def _value(data: bytes, at: int, depth: int) -> tuple[Any, int]:
    """Read the value that begins at a place; returns it, and where it ends."""
    kind, at = data[at : at + 1], at + 1
    if kind == b"S":  # most of them are
        content, at = _sized(data, at)
        try:
            return content.decode(), at
        except UnicodeDecodeError:
            return Opaque("S", content), at
    if kind in _BY_LETTER:
        typed, packed = _BY_LETTER[kind]
        if at + packed.size > len(data):
            raise ValueError("a number is cut off")
        number = packed.unpack_from(data, at)[0]
        return number if _narrowest(number) == kind else typed(number), at + packed.size
    letter = kind.decode("latin-1")
    if letter in _SIZED:
        content, at = _sized(data, at)
    elif letter in _SIZES and kind:
        end = at + _SIZES[letter]
        if end > len(data):
            raise ValueError("a value is cut off")
        content, at = data[at:end], end
    else:
        raise ValueError(f"{kind!r} is no type of AMQP")
    return _of(letter, content, depth), at


def _of(letter: str, content: bytes, depth: int) -> Any:
    """Return a value of Python's own types where they give it back as it came, else an opaque one."""
    value: Any
    if letter == "x":
        return bytearray(content)
    if letter in {"F", "A"}:
        if depth >= MAX_DEPTH:
            return Opaque(letter, content)
        value = _table(content, depth + 1) if letter == "F" else [v for _, v in _items(content, depth + 1)]
        twice = letter == "F" and write_table(value)[4:] != content  # a name that comes twice
        return Opaque(letter, content) if twice else value
    reader = _READERS.get(letter)
    try:
        value = reader(content) if reader else None
        exact = reader is not None and value == value and write_value(value)[1:] == content  # noqa: PLR0124 - no NaN
    except (ValueError, OverflowError):
        exact = False
    return value if exact else Opaque(letter, content)


def _read_decimal(content: bytes) -> Decimal:
    scale, number = _DECIMAL.unpack(content)
    return Decimal((int(number < 0), tuple(map(int, str(abs(number)))), -scale))


def _narrowest(number: int) -> bytes:
    return next((kind for span, kind, _ in _NARROWEST if number in span), b"")


def _name(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return Name(raw)


def _sized(data: bytes, at: int) -> tuple[bytes, int]:
    if at + 4 > len(data):
        raise ValueError("a length is cut off")
    end = at + 4 + int(_LONG.unpack_from(data, at)[0])
    if end > len(data):
        raise ValueError("a value is cut off")
    return data[at + 4 : end], end


def _with_size(content: bytes) -> bytes:
    return _LONG.pack(len(content)) + content


def _write_name(name: str) -> bytes:
    raw = name.raw if isinstance(name, Name) else name.encode()
    if len(raw) > MAX_NAME:
        raise ValueError(f"a name has {len(raw)} bytes, at most {MAX_NAME} are possible")
    return bytes([len(raw)]) + raw


def _write_plain_int(value: int) -> bytes:
    for span, kind, packed in _NARROWEST:
        if value in span:
            return kind + packed.pack(value)
    raise ValueError(f"{value} has more than 64 bits")


def _write_time(value: datetime) -> bytes:
    moment = value if value.tzinfo else value.replace(tzinfo=UTC)
    return b"T" + _TIME.pack((moment - _EPOCH) // timedelta(seconds=1) % 2**64)


def _write_decimal(value: Decimal) -> bytes:
    _, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int):
        raise ValueError(f"{value} is no number")  # noqa: TRY004 - its type is right
    scale = max(0, -exponent)
    number = int(value.scaleb(scale)) if len(digits) + abs(exponent) < 300 else 2**31
    if scale > 255 or not -(2**31) <= number < 2**31:
        raise ValueError(f"{value} does not fit into a decimal")
    return b"D" + _DECIMAL.pack(scale, number)


def _write_opaque(value: Opaque) -> bytes:
    sized = value.kind in _SIZED
    return value.kind.encode("latin-1") + (_with_size(value.data) if sized else value.data)


def _typed(kind: bytes, packed: struct.Struct) -> Callable[[Any], bytes]:
    def write(value: Any) -> bytes:
        try:
            return kind + packed.pack(value)
        except struct.error:
            raise ValueError(f"{value} does not fit into its type") from None

    return write


_BY_LETTER = {kind: (typed, packed) for typed, (kind, packed) in INTEGERS.items()}
_READERS: dict[str, Callable[[bytes], Any]] = {
    "t": lambda content: content != b"\0",
    "V": lambda _: None,
    "d": lambda content: _DOUBLE.unpack(content)[0],
    "f": lambda content: Float32(_FLOAT.unpack(content)[0]),
    "D": _read_decimal,
    "T": lambda content: _EPOCH + timedelta(seconds=_TIME.unpack(content)[0]),
}
_WRITERS: dict[type, Callable[[Any], bytes]] = {
    str: lambda value: b"S" + _with_size(value.encode()),
    bool: lambda value: b"t" + bytes([value]),
    int: _write_plain_int,
    float: lambda value: b"d" + _DOUBLE.pack(value),
    Float32: _typed(b"f", _FLOAT),
    Decimal: _write_decimal,
    datetime: _write_time,
    type(None): lambda _: b"V",
    dict: lambda value: b"F" + write_table(value),
    list: lambda value: b"A" + _with_size(b"".join(map(write_value, value))),
    tuple: lambda value: b"A" + _with_size(b"".join(map(write_value, value))),
    bytes: lambda value: b"x" + _with_size(value),
    bytearray: lambda value: b"x" + _with_size(bytes(value)),
    Opaque: _write_opaque,
    **{typed: _typed(kind, packed) for typed, (kind, packed) in INTEGERS.items()},
}
