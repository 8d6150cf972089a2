"""A gateway's table comes in parts and counts when it is whole."""

from __future__ import annotations

from presence.tables import Tables
from tests.support.presence import at, beat, row, table

ROWS = [row(f"s{i}", f"u{i}", "general") for i in range(10)]


def test_a_plain_beat_is_no_table() -> None:
    assert Tables().add(beat("g1", 0)) is None


def test_it_is_whole_with_its_last_part_in_any_order_and_however_often_they_come() -> None:
    tables, parts = Tables(), table("g1", 5, ROWS, parts=3)
    assert tables.add(parts[2]) is None
    assert tables.add(parts[2]) is None
    assert tables.add(parts[0]) is None
    whole = tables.add(parts[1])
    assert whole is not None
    assert sorted(r.session for r in whole.rows) == sorted(r.session for r in ROWS)
    assert whole.time == at(5), "the moment it was taken is the first part's"


def test_a_part_that_comes_again_brings_it_again_until_it_is_done() -> None:
    tables, parts = Tables(), table("g1", 0, ROWS, parts=2)
    tables.add(parts[0])
    first = tables.add(parts[1])
    assert tables.add(parts[1]) == first
    tables.done("g1")
    assert tables.add(parts[1]) is None


def test_a_newer_table_takes_the_place_of_an_unfinished_one() -> None:
    tables = Tables()
    old, new = table("g1", 0, ROWS, parts=2, id="old"), table("g1", 100, ROWS[:2], parts=2, id="new")
    tables.add(old[0])
    tables.add(new[0])
    assert tables.add(old[1]) is None
    whole = tables.add(new[1])
    assert whole is not None
    assert len(whole.rows) == 2


def test_gateways_do_not_mix() -> None:
    tables = Tables()
    ours, theirs = table("g1", 0, ROWS, parts=2), table("g2", 0, ROWS, parts=2)
    assert tables.add(ours[0]) is None
    assert tables.add(theirs[1]) is None
    assert tables.add(ours[1]) is not None


def test_nonsense_never_completes() -> None:
    tables = Tables()
    [whole] = table("g1", 0, ROWS)
    assert whole.table is not None
    nonsense = whole.model_copy(update={"table": whole.table.model_copy(update={"part": 5, "parts": 2})})
    assert tables.add(nonsense) is None
    assert tables.add(nonsense.model_copy(update={"table": whole.table.model_copy(update={"parts": 10**9})})) is None
