"""Read whatever a broker may deliver: RabbitMQ passes strings, times and tables on without looking into them.

pamqp, below aiormq, raises on a short string or a header name that is not UTF-8, on a time beyond the year 9999, and on
tables nested too deep. The connection is then lost; as the broker delivers the same message on the next one, a single
such message would keep its consumer away from its queue. These decoders take the place of pamqp's in its own tables of
decoders: what cannot be read is kept in a readable form and refused later like any other bad message.
"""

from __future__ import annotations

import struct
from datetime import UTC, datetime

from pamqp import decode, encode
from pamqp.common import FieldValue

MAX_DEPTH = 16
"""Levels of tables and arrays within headers; what lies deeper is left out."""

MAX_SHORT_STRING = 255
"""Bytes."""

_pamqps_write_value = encode.encode_table_value

_LATEST = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


def install() -> None:
    """Put these decoders in the place of pamqp's; idempotent."""
    decode.METHODS |= {"shortstr": _short_string, "timestamp": _timestamp, "table": _table}
    decode.TABLE_MAPPING |= {b"T": _timestamp, b"S": _long_string, b"F": _table, b"A": _array}
    encode.encode_table_value = _write_value


def _write_value(value: FieldValue) -> bytes:
    """Write a float with all its digits: pamqp halves them, and refuses what is too large for the half."""
    return b"d" + struct.pack(">d", value) if isinstance(value, float) else _pamqps_write_value(value)


def readable(data: bytes) -> str:
    r"""Return bytes as text; those that are not UTF-8 as `\xNN`, and never more than a short string holds."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode(errors="backslashreplace").encode()[:MAX_SHORT_STRING].decode(errors="ignore")


def _short_string(value: bytes) -> tuple[int, str]:
    end = value[0] + 1
    return end, readable(value[1:end])


def _long_string(value: bytes) -> tuple[int, str | bytearray]:
    """Bytes that are no text stay bytes, as the one type of them that can be written again."""
    end, data = _sized(value)
    try:
        return end, data.decode()
    except UnicodeDecodeError:
        return end, bytearray(data)


def _timestamp(value: bytes) -> tuple[int, datetime]:
    try:
        return decode.timestamp(value)
    except (ValueError, OverflowError, OSError):
        return 8, _LATEST


def _table(value: bytes, depth: int = 0) -> tuple[int, dict[str, FieldValue]]:
    end, data = _sized(value)
    found: dict[str, FieldValue] = {}
    position = 0
    while position < len(data):
        begin = position + 1
        position = begin + data[position]
        name = readable(data[begin:position])
        used, found[name] = _value(data[position:], depth)
        position += used
    return end, found


def _array(value: bytes, depth: int = 0) -> tuple[int, list[FieldValue]]:
    end, data = _sized(value)
    found: list[FieldValue] = []
    position = 0
    while position < len(data):
        used, item = _value(data[position:], depth)
        found.append(item)
        position += used
    return end, found


def _value(data: bytes, depth: int) -> tuple[int, FieldValue]:
    kind = data[:1]
    if kind not in {b"F", b"A"}:
        return decode.embedded_value(data)
    if depth >= MAX_DEPTH:
        return _sized(data[1:])[0] + 1, None
    used, value = (_table if kind == b"F" else _array)(data[1:], depth + 1)
    return used + 1, value


def _sized(value: bytes) -> tuple[int, bytes]:
    end = 4 + int(struct.unpack_from(">I", value)[0])
    return end, value[4:end]
