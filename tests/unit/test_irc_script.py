"""Who does what in a log, and the check that a room holds just that."""

from __future__ import annotations

from typing import Any

import pytest

from warren.irc.compare import compare
from warren.irc.pace import clock_times, steady_times
from warren.irc.parse import parse
from warren.irc.script import Do, Script, write_script


def script(*lines: str, most: int = 800) -> Script:
    return write_script(parse("\n".join(lines).encode()), most)


def steps(*lines: str, most: int = 800) -> list[tuple[str, int, str]]:
    return [(step.do.value, step.user, step.name) for step in script(*lines, most=most).steps]


def said(name: str, text: str = "x") -> str:
    return f"[10:00] <{name}> {text}"


def came(name: str) -> str:
    return f"=== {name} [~u@host]  has joined #room"


def quits(name: str) -> str:
    return f"=== {name} [~u@host]  has quit [bye]"


def renamed(name: str, to: str) -> str:
    return f"=== {name} is now known as {to}"


def test_who_speaks_without_having_joined_enters_first() -> None:
    assert steps(said("ada"), said("ada")) == [("enter", 0, "ada"), ("say", 0, "ada"), ("say", 0, "ada")]


def test_who_quits_and_comes_back_is_the_same_user() -> None:
    assert steps(came("ada"), quits("ada"), said("ada")) == [
        ("enter", 0, "ada"),
        ("quit", 0, "ada"),
        ("enter", 0, "ada"),
        ("say", 0, "ada"),
    ]


def test_who_joins_while_here_has_been_away() -> None:
    assert steps(came("ada"), came("ada")) == [("enter", 0, "ada"), ("leave", 0, "ada"), ("enter", 0, "ada")]


def test_a_nick_given_up_belongs_to_someone_new() -> None:
    assert steps(said("ada"), renamed("ada", "bea"), said("ada"), said("bea")) == [
        ("enter", 0, "ada"),
        ("say", 0, "ada"),
        ("rename", 0, "bea"),
        ("enter", 1, "ada"),
        ("say", 1, "ada"),
        ("say", 0, "bea"),
    ]


def test_who_takes_the_nick_of_another_sees_that_one_quit() -> None:
    assert steps(came("ada"), came("bea"), renamed("bea", "ada"), said("ada")) == [
        ("enter", 0, "ada"),
        ("enter", 1, "bea"),
        ("quit", 0, "ada"),
        ("rename", 1, "ada"),
        ("say", 1, "ada"),
    ]


def test_there_and_back_again() -> None:
    there = [renamed("ada", "bea"), renamed("bea", "ada")]
    assert {user for _, user, _ in steps(said("ada"), *there, said("ada"))} == {0}


def test_the_longest_quiet_makes_room() -> None:
    played = script(said("ada"), said("bea"), said("ada"), said("cyd"), most=2)
    assert ("quit", 1, "bea") in [(step.do.value, step.user, step.name) for step in played.steps]
    assert played.evicted == 1


def test_an_action_is_a_message_as_the_log_has_it() -> None:
    assert [step.body for step in script("=== ada waves").says] == ["* ada waves"]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (said("ada", " "), "nothing said"),
        (said("ada", "x" * 16385), "longer than a message may be"),
        (said("a" * 65), "not a possible name"),
        (said("a\x02b"), "not a possible name"),
        (renamed("ada", "a\x02b"), "not a possible name"),
        ("=== netjoined: a -> b", "no user's doing"),
    ],
)
def test_what_cannot_be_played_is_said(line: str, why: str) -> None:
    played = script(line)
    assert (played.steps, played.skipped) == ([], [(1, why)])


def test_the_clock_is_spread_over_its_minute() -> None:
    played = script("[10:00] <a> x", "[10:00] <a> y", "[10:02] <a> z")  # with entering, three steps at 10:00
    assert clock_times(played.steps, 2.0) == [0.0, 10.0, 20.0, 60.0]


def test_a_steady_rate_counts_messages_only() -> None:
    played = script(said("a"), said("b"), said("a"))
    kinds_and_times = [(s.do, t) for s, t in zip(played.steps, steady_times(played.steps, 4.0), strict=True)]
    assert [t for do, t in kinds_and_times if do is Do.SAY] == [0.0, 0.25, 0.5]


PLAYED = script(said("ada", "one"), said("bea", "two"), renamed("bea", "cyd"), said("bea", "three"), said("cyd", "4"))
IDS = {step.line: f"run-{step.line}" for step in PLAYED.says}
USERS = {f"u{n}": n for n in range(PLAYED.users)}


def room() -> list[dict[str, Any]]:
    return [
        {"seq": 7 + n, "id": IDS[s.line], "user": {"id": f"u{s.user}", "name": s.name}, "body": s.body}
        for n, s in enumerate(PLAYED.says, start=1)
    ]


def test_a_room_as_it_should_be() -> None:
    found = compare(room(), PLAYED.says, USERS, IDS, after=7)
    assert (found.same, found.others, found.count) == (4, 0, 0)


def test_entries_of_others_in_between_are_no_difference() -> None:
    entries = room()
    entries.insert(1, {"seq": 0, "id": "x", "user": {"id": "else", "name": "ada"}, "body": "one"})
    for seq, entry in enumerate(entries, start=8):
        entry["seq"] = seq
    found = compare(entries, PLAYED.says, USERS, IDS, after=7)
    assert (found.same, found.others, found.count) == (4, 1, 0)


@pytest.mark.parametrize(
    ("change", "count", "said_of_it"),
    [
        (lambda e: e[2].update(body="Three"), 1, "line 4, entry 10: body is 'Three' instead of 'three'"),
        (lambda e: e[3]["user"].update(name="bea"), 1, "line 5, entry 11: name is 'bea' instead of 'cyd'"),
        (lambda e: e[1]["user"].update(id="u0"), 1, "line 2, entry 9: user is '0' instead of '1'"),
        (lambda e: e.pop(), 1, "line 5 is missing: <cyd> '4'"),
        (lambda e: e.append(e[0] | {"seq": 12}), 1, "entry 12 by ada is one too many: 'one'"),
        (lambda e: e[3].update(seq=12), 1, "entry 12 comes where 11 should be"),
        (lambda e: e.insert(0, e.pop(1)), 5, "entry 9 comes where 8 should be"),
    ],
)
def test_a_difference_is_found_and_named(change: Any, count: int, said_of_it: str) -> None:
    entries = room()
    change(entries)
    found = compare(entries, PLAYED.says, USERS, IDS, after=7)
    assert found.count == count
    assert found.differences[0] == said_of_it
