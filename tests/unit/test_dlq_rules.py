"""Rules: read with their lines, matched in their order, planned the same each time."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlq_monitor.matching import Plan, delay, plan
from dlq_monitor.model import Body, Cause, Letter
from dlq_monitor.rules import DEFAULT, Republish, Rules, RulesError, load, parse

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
LETTER = Letter(
    id="80000000" + "0" * 24,
    queue="chat.commands.1-of-16",
    dead_queue="chat.dead",
    service="chat",
    message_id="m",
    type="message.post.v1",
    cause=Cause("TimeoutError", "no answer"),
    attempt=4,
    died_at=NOON,
    exchange="warren.commands",
    routing_key="chat.1",
    properties={},
    headers={},
    body=Body.of(b"{}", 10),
    group="4be1",
    first=NOON,
)
EXACT = "delay: 10s, factor: 3, max_delay: 1m, jitter: 0"


def _rules(*lines: str) -> Rules:
    return parse("rules:\n" + "".join(f"- {{name: r{n}, {line}}}\n" for n, line in enumerate(lines)))


def _plan(rules: Rules, letter: Letter = LETTER, count: int = 1, after: float = 0) -> Plan:
    return plan(rules, letter, count, NOON + timedelta(seconds=after))


def test_by_default_passing_causes_are_sent_three_times_and_all_else_is_held_with_an_alert() -> None:
    rules = load(DEFAULT)
    for replays in range(3):
        found = _plan(rules, replace(LETTER, replays=replays))
        assert (found.do, found.status, found.act, found.alert) == ("republish", "retrying", True, None)
    for letter in (
        replace(LETTER, replays=3),
        replace(LETTER, cause=Cause("ContractError")),
        replace(LETTER, replays=999),
    ):
        found = _plan(rules, letter)
        assert (found.do, found.status, found.due, found.alert) == ("hold", "held", None, "warning")


@pytest.mark.parametrize("cause", ["TransientError", "DependencyDownError", "PublishError", "ConnectionResetError"])
def test_what_passes_by_itself(cause: str) -> None:
    assert _plan(load(DEFAULT), replace(LETTER, cause=Cause(cause))).do == "republish"


@pytest.mark.parametrize(
    ("match", "matches"),
    [
        ("queue: chat.*", True),
        ("queue: chat", False),
        ("type: message.post.v1, cause: timeout", True),
        ("type: message.post.v1, cause: Value", False),
        ("transient: false", False),
        ("group: 4b", True),
        ("group: 4c", False),
        ("count: 3", True),
        ("count: 4", False),
    ],
)
def test_a_rule_matches_when_all_that_is_given_holds(match: str, matches: bool) -> None:
    assert (_plan(_rules(f"match: {{{match}}}, do: hold"), count=3).do == "hold") is matches


def test_the_first_rule_that_matches_decides_and_without_one_it_stays_new() -> None:
    assert _plan(_rules("match: {cause: Value}, do: hold", "do: hold", "do: discard, after: 1d")).rule == "r1"
    assert _plan(_rules("match: {cause: Value}, do: hold")) == Plan()
    assert Plan().status == "new"


def test_the_delay_grows_up_to_its_limit() -> None:
    rules = _rules(f"do: republish, times: 9, {EXACT}")
    dues = [_plan(rules, replace(LETTER, replays=n)).due for n in range(4)]
    assert [(due - NOON).total_seconds() for due in dues if due] == [10, 30, 60, 60]


@given(st.integers(0, 2**128 - 1), st.integers(0, 50))
def test_chance_changes_a_delay_by_no_more_than_is_said_and_the_same_way_each_time(id: int, replays: int) -> None:  # noqa: A002
    rule = Republish(name="r", do="republish", jitter=0.2)
    letter = replace(LETTER, id=f"{id:032x}", replays=replays)
    seconds = min(60 * 5.0**replays, 3600)
    assert 0.8 * seconds <= delay(rule, letter).total_seconds() + 1e-5
    assert delay(rule, letter).total_seconds() <= 1.2 * seconds + 1e-5
    assert delay(rule, letter) == delay(rule, letter)


def test_a_rule_on_age_is_looked_at_again_when_it_may_match() -> None:
    rules = _rules("match: {older_than: 1h}, do: discard, after: 2h", "do: hold, alert: info")
    early = _plan(rules)
    assert (early.rule, early.status, early.due, early.act) == ("r1", "held", NOON + timedelta(hours=1), False)
    late = _plan(rules, after=3600)
    assert (late.rule, late.due, late.act) == ("r0", NOON + timedelta(hours=2), True)


def test_a_rule_on_age_comes_before_a_later_action() -> None:
    rules = _rules("match: {older_than: 20s}, do: hold", f"do: republish, {EXACT}")
    assert _plan(rules).due == NOON + timedelta(seconds=10)
    second = _plan(rules, replace(LETTER, replays=1))
    assert (second.due, second.act, second.status) == (NOON + timedelta(seconds=20), False, "retrying")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("rules: []\nruels: 1\n", "line 2: ruels: there is no such word"),
        ("rules:\n- name: a\n  do: hold\n  tmies: 3\n", "line 4: rule 1 → tmies: there is no such word"),
        ("rules:\n- name: a\n  do: discard\n", "line 2: rule 1 → after: it is missing"),
        ("rules:\n- name: a\n  do: hold\n- name: b\n  do: republish\n  delay: soon\n", "line 6: rule 2 → delay: "),
        ("rules:\n- name: a\n  do: explode\n", "line 2: rule 1: "),
        ("rules:\n- name: a\n  do: hold\n  match: {queue: 5}\n", "line 4: rule 1 → match → queue: "),
        ("rules:\n- [\n", "line 3: "),
        ("", "line 1: the file: "),
        ("rules:\n- {name: a, do: hold}\n- {name: a, do: hold}\n", "two rules have the name 'a'"),
        ("rules: \x00", "no YAML"),
    ],
)
def test_a_fault_is_told_with_its_line(text: str, fault: str) -> None:
    with pytest.raises(RulesError) as e:
        parse(text)
    assert str(e.value).startswith(fault)
