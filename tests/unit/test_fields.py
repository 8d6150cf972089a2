"""AMQP field tables: whatever a broker may deliver is read, and written again bit by bit."""

from __future__ import annotations

import struct
from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlq_monitor.tagging import shown, tagged, untagged
from tests.support.wire_tables import tables
from warren.messaging.fields import (
    MAX_DEPTH,
    Float32,
    Int64,
    Name,
    Opaque,
    UInt8,
    is_well_formed,
    read_table,
    write_table,
    write_value,
)


@given(tables())
def test_any_table_is_written_as_it_was_read(raw: bytes) -> None:
    used, table = read_table(raw + b"rest")
    assert used == len(raw)
    assert write_table(table) == raw


@given(tables())
def test_any_table_survives_the_way_through_json(raw: bytes) -> None:
    _, table = read_table(raw)
    assert write_table(untagged(orjson.loads(orjson.dumps(tagged(table))))) == raw
    orjson.dumps(shown(table))


@given(tables(), st.integers(0, 300), st.binary(min_size=1, max_size=3))
def test_bytes_that_are_no_table_are_an_error_or_another_table(raw: bytes, at: int, other: bytes) -> None:
    """Never a crash of another kind, and never a value that cannot be written."""
    broken = raw[: at % len(raw)] + other + raw[at % len(raw) + len(other) :]
    try:
        _, table = read_table(broken)
    except ValueError:
        return
    write_table(table)


@pytest.mark.parametrize(
    ("written", "value", "kind"),
    [
        (b"b\x05", 5, int),
        (b"B\x05", 5, UInt8),
        (b"l" + struct.pack(">q", 5), 5, Int64),
        (b"l" + struct.pack(">q", 2**40), 2**40, int),
        (b"f" + struct.pack(">f", 0.1), struct.unpack(">f", struct.pack(">f", 0.1))[0], Float32),
        (b"D\x02" + struct.pack(">i", -100), Decimal("-1.00"), Decimal),
        (b"d\x7f\xf0\0\0\0\0\0\x01", Opaque("d", b"\x7f\xf0\0\0\0\0\0\x01"), Opaque),
        (b"t\x02", Opaque("t", b"\x02"), Opaque),
        (b"S\0\0\0\x01\xff", Opaque("S", b"\xff"), Opaque),
        (b"T" + b"\xff" * 8, Opaque("T", b"\xff" * 8), Opaque),
    ],
)
def test_a_value_keeps_its_type(written: bytes, value: Any, kind: type) -> None:
    _, table = read_table(struct.pack(">I", len(written) + 2) + b"\x01n" + written)
    assert (table["n"], type(table["n"])) == (value, kind)
    assert write_value(table["n"]) == written


def test_a_name_that_is_no_text_can_be_read() -> None:
    _, table = read_table(b"\0\0\0\x05\x02\xff\xfet\x01")
    assert list(table) == ["\\xff\\xfe"]
    assert isinstance(next(iter(table)), Name)


def test_what_lies_too_deep_stays_as_it_is() -> None:
    value = b""
    for _ in range(200):
        value = b"A" + struct.pack(">I", len(value)) + value
    raw = struct.pack(">I", len(value) + 2) + b"\x01n" + value
    _, table = read_table(raw)
    assert write_table(table) == raw
    found, depth = table["n"], 0
    while isinstance(found, list):
        found, depth = found[0], depth + 1
    assert (depth, type(found)) == (MAX_DEPTH, Opaque)
    assert is_well_formed(found)


@pytest.mark.parametrize("tag", [{"$int8": 300}, {"$int8": "x"}, {"$amqp": ["t", "AAAA"]}, {"$amqp": ["F", "AAAA"]}])
def test_a_tag_that_would_cost_the_connection_is_refused(tag: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"fit|invalid|no value"):
        untagged(tag)
