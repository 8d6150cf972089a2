"""The chain: any change of any value in a document is found, and said where."""

from __future__ import annotations

from typing import Any

import pytest

from audit import chain
from audit.chain import Head, batches, flaws, link
from audit.model import Record


def a_record(text: str, *keys: str) -> Record:
    return Record(text=text, keys=keys, identity=None, trace="", is_seal=False)


RECORDS = [a_record('{"a":1}', "room:x", "user:y"), a_record('{"a":2}', "room:x"), a_record('{"a":3}')]


def test_documents_follow_each_other() -> None:
    first = link(Head("c"), RECORDS, "2026-11-23T05:00:00.000Z")
    second = link(Head.of(first), RECORDS[:1], "2026-11-23T05:00:01.000Z")

    assert (first["n"], first["prev"], first["total"], first["keys"]) == (1, "", 3, ["room:x", "user:y"])
    assert (second["n"], second["prev"], second["total"]) == (2, first["hash"], 4)
    assert flaws(first, Head("c")) == flaws(second, Head.of(first)) == []


@pytest.mark.parametrize("field", ["chain", "n", "prev", "count", "total", "time", "entries", "sums", "keys", "hash"])
def test_no_field_can_change_unseen(field: str) -> None:
    document = link(Head("c", 4, "f" * 64, 9), RECORDS, "2026-11-23T05:00:00.000Z")
    changed: dict[type, Any] = {int: 77, str: "other", list: ["other"]}
    document[field] = changed[type(document[field])]

    assert "changed" in flaws(document, Head("c", 4, "f" * 64, 9))[0]


def test_the_changed_record_is_named() -> None:
    document = link(Head("c"), RECORDS, "now")
    document["entries"] = [document["entries"][0], '{"a":9}', document["entries"][2]]
    assert flaws(document, None) == ["its content was changed: record 2 of 3"]


def test_a_field_that_was_added_or_is_no_json_is_a_change() -> None:
    document = link(Head("c"), RECORDS, "now")
    assert "what stands around" in flaws({**document, "note": object()}, None)[0]
    assert flaws({k: v for k, v in document.items() if k != "prev"}, None) != []


def test_a_document_with_a_right_hash_must_still_fit_its_chain() -> None:
    document = link(Head("c", 1, "a" * 64, 5), RECORDS, "now")

    assert "does not follow" in flaws(document, Head("c", 1, "b" * 64, 5))[0]
    assert "counts 8 records" in flaws(document, Head("c", 1, "a" * 64, 6))[0]
    assert flaws(document, None) == []


def test_batches_are_split_by_size_and_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain, "MAX_CHARACTERS", 10)
    monkeypatch.setattr(chain, "MAX_RECORDS", 3)
    texts = ["aaaa", "bbbb", "cccc", "d" * 50, "e", "f", "g", "h"]

    split = [[r.text for r in b] for b in batches([a_record(t) for t in texts])]

    assert split == [["aaaa", "bbbb"], ["cccc"], ["d" * 50], ["e", "f", "g"], ["h"]]
    assert list(batches([])) == []
