"""Field tables as a stranger may send them, in bytes: every AMQP type, any values, any names."""

from __future__ import annotations

import struct

from hypothesis import strategies as st

from warren.messaging.fields import read_table, write_value

_SIZES = {b"t": 1, b"b": 1, b"B": 1, b"s": 2, b"u": 2, b"I": 4, b"i": 4, b"l": 8, b"f": 4, b"d": 8, b"D": 5, b"T": 8}


def _long(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def _fields(values: dict[bytes, bytes]) -> bytes:
    return _long(b"".join(bytes([len(name)]) + name + value for name, value in values.items()))


def _scalar(kind: bytes) -> st.SearchStrategy[bytes]:
    data = st.sampled_from([b"\0", b"\1"]) if kind == b"t" else st.binary(min_size=_SIZES[kind], max_size=_SIZES[kind])
    return data.map(lambda d: kind + d)


_NAMES = st.one_of(st.text("abc$.\0é", min_size=1, max_size=8).map(str.encode), st.binary(min_size=1, max_size=130))
_VALUES = st.recursive(
    st.one_of(
        st.just(b"V"),
        *[_scalar(kind) for kind in _SIZES],
        st.text(max_size=8).map(lambda t: b"S" + _long(t.encode())),
        st.binary(max_size=8).map(lambda d: b"S" + _long(d)),
        st.binary(max_size=8).map(lambda d: b"x" + _long(d)),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda some: b"A" + _long(b"".join(some))),
        st.dictionaries(_NAMES, inner, max_size=3).map(lambda some: b"F" + _fields(some)),
    ),
    max_leaves=10,
)


def sorted_table(table: bytes) -> list[tuple[str, bytes]]:
    """Return the fields of a table with its length, by name: their order means nothing."""
    _, found = read_table(table)
    return sorted((name, write_value(value)) for name, value in found.items())


def tables() -> st.SearchStrategy[bytes]:
    """Return tables with their length, whose names come once."""
    return st.dictionaries(_NAMES, _VALUES, max_size=5).map(_fields)
