"""Rooms by patterns, and origins by an allow-list."""

from __future__ import annotations

import time

import pytest

from gateway.origins import Origins
from gateway.rights import EVERYWHERE, Right, rights_of


@pytest.mark.parametrize(
    ("claim", "room", "right"),
    [
        ({"read": ["general"]}, "general", Right.READ),
        ({"read": ["general"]}, "general2", Right.NONE),
        ({"read": ["general"]}, "General", Right.NONE),
        ({"read": ["*"], "write": ["team-*"]}, "team-a", Right.WRITE),
        ({"read": ["*"], "write": ["team-*"]}, "steam-a", Right.READ),
        ({"moderate": ["a"]}, "a", Right.MODERATE),
        ({"read": ["*"], "write": ["a"], "moderate": ["*"]}, "a", Right.MODERATE),
        ({"write": ["a*c*e"]}, "abcde", Right.WRITE),
        ({"write": ["a*c*e"]}, "ace", Right.WRITE),
        ({"write": ["a*c*e"]}, "acd", Right.NONE),
        ({"write": ["*b"]}, "abab", Right.WRITE),
        ({"write": ["a*a"]}, "a", Right.NONE),
        ({"write": ["a.c", "[x]", "a?"]}, "abc", Right.NONE),
        ({"write": ["a.c", "[x]", "a?"]}, "[x]", Right.WRITE),
        ({"write": ["x", "raum ü*"]}, "raum über", Right.WRITE),
        ({}, "a", Right.NONE),
        ({"unknown": ["*"]}, "a", Right.NONE),
    ],
)
def test_patterns(claim: dict[str, list[str]], room: str, right: Right) -> None:
    rights = rights_of(claim)
    assert rights.of(room) is rights.of(room) is right


def test_equal_claims_share_their_rights_and_remember_in_bounds() -> None:
    assert rights_of({"read": ["a"]}) is rights_of({"read": ["a"], "write": []})
    for n in range(3_000):
        assert EVERYWHERE.of(str(n)) is Right.WRITE
    assert len(EVERYWHERE._known) <= 1_000


def test_a_pattern_of_many_stars_costs_no_more_than_its_length() -> None:
    rights = rights_of({"read": ["*a" * 60 + "b"] * 100})
    began = time.process_time()
    assert rights.of("a" * 64) is Right.NONE
    assert time.process_time() - began < 0.5  # tried again and again, it would be for ever


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        (None, True),
        ("http://chat.example:8080", True),
        ("https://app.example", True),
        ("https://a.wild.example", True),
        ("https://a.b.wild.example", True),
        ("http://dev.example:3000", True),
        ("https://wild.example", False),
        ("https://evilwild.example", False),
        ("https://a.wild.example.evil.example", False),
        ("https://evil.example/.wild.example", False),
        ("https://evil.example?.wild.example", False),
        ("https://a.wild.example:444", False),
        ("http://a.wild.example", False),
        ("https://appxexample", False),
        ("https://evil.example", False),
        ("http://chat.example", False),
        ("http://dev.example", False),
        ("null", False),
        ("", False),
    ],
)
def test_origins(origin: str | None, allowed: bool) -> None:
    origins = Origins(("https://app.example", "https://*.wild.example", "http://dev.example:3000"))
    assert origins.allows(origin, "chat.example:8080") is allowed


def test_no_origin_is_named_by_default() -> None:
    assert not Origins(()).allows("https://app.example", "chat.example")
    assert not Origins(()).allows("", "")


@pytest.mark.parametrize(
    "wrong", ["*", "app.example", "https://*", "https://a.*.example", "https://a.example/", "null"]
)
def test_what_is_no_origin_is_a_wrong_setting(wrong: str) -> None:
    with pytest.raises(ValueError, match="not an origin"):
        Origins((wrong,))
