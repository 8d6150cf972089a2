"""What makes a group, which letters there are, and what is said of a group."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlq_monitor.fingerprint import MAX_MESSAGE, Kind, normalised
from dlq_monitor.groups import Choice, Group, Said
from dlq_monitor.ledger import Ledger
from dlq_monitor.model import OPEN, STATUSES, Status

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
KIND = Kind("chat.commands.1-of-16", "message.post.v1", "TimeoutError", "no answer in <n> s", "app.py:ask")


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("no answer in 5 s", "no answer in <n> s"),
        ("no answer in 12.75 s", "no answer in <n> s"),
        ("user 'ann' is unknown", "user <value> is unknown"),
        ('user "an\\"n" is unknown', "user <value> is unknown"),
        ("it can't be: isn't there", "it can't be: isn't there"),
        ("key b'\\x00' and u'k'", "key <value> and <value>"),
        ("entry 6f9619ff-8b86-d011-b42d-00cf4fc964ff is gone", "entry <n> is gone"),
        ("hash deadbeef01 at 0x7F00AA", "hash <n> at <n>"),
        ("order ord_9f8a7s6d5f4g3h2j1", "order <n>"),
        ("at 2026-01-02T03:04:05.678Z: full", "at <time>: full"),
        ("127.0.0.1:5672 refused", "<n> refused"),
        ("two\n  lines\tof it", "two lines of it"),
        ("decade facade", "decade facade"),
    ],
)
def test_what_names_one_case_is_taken_out(message: str, kind: str) -> None:
    assert normalised(message) == kind


@given(st.text(max_size=50), st.integers(0, 10**12), st.integers(0, 10**12), st.uuids(), st.uuids())
def test_messages_that_differ_in_numbers_and_ids_are_of_one_kind(
    text: str, n: int, m: int, a: object, b: object
) -> None:
    words = "".join(c for c in text if c.isalpha() and c.isascii())
    one, other = (f"{words} {number} of {id}: {words}" for number, id in ((n, a), (m, b)))  # noqa: A001 - a message's
    assert normalised(one) == normalised(other)


@given(st.text(max_size=5000))
def test_any_message_has_a_kind(text: str) -> None:
    assert len(normalised(text)) <= MAX_MESSAGE
    assert len(Kind("q", "t", "c", normalised(text), text).id) == 12


def test_a_series_has_seven_days_in_steps_with_the_newest_last() -> None:
    group = Group(KIND, NOON, NOON)
    for hours, count in ((0, 1), (2, 2), (3, 4), (167, 8), (168, 16)):
        for _ in range(count):
            group.count(NOON - timedelta(hours=hours))
    series = group.series(NOON, 3)
    assert (len(series), series[-1], series[-2], series[0], sum(series)) == (56, 3, 4, 8, 15)
    assert sum(n for _, n in group.chart(NOON)) == sum(series)


_events = st.lists(
    st.tuples(
        st.sampled_from(["add", "move", "remove"]), st.integers(1, 30), st.sampled_from("ab"), st.sampled_from(STATUSES)
    ),
    max_size=60,
)


@given(_events, st.integers(0, 31), st.integers(1, 10), st.sets(st.sampled_from(STATUSES), min_size=1))
def test_the_ledger_knows_what_a_plain_list_knows(
    events: list[tuple[str, int, str, Status]], before: int, limit: int, statuses: set[Status]
) -> None:
    ledger, plain = Ledger(), dict[tuple[int, str], Status]()
    for what, number, name, status in events:
        group = name + str(number % 2)  # a number is of one group
        if what == "add":
            assert ledger.add(number, group, status, float(number)) == ((number, group) not in plain)
            plain.setdefault((number, group), status)
        elif what == "move":
            ledger.move(number, group, status)
            plain |= {(number, group): status} if (number, group) in plain else {}
        else:
            assert ledger.remove(number, group) == ((number, group) in plain)
            plain.pop((number, group), None)
    groups = {g for _, g in plain}
    chosen = sorted(n for (n, _), s in plain.items() if s in statuses)
    assert set(ledger.groups) == groups
    assert len(ledger) == len(plain)
    assert ledger.by_status() == Counter(plain.values())
    assert ledger.count(groups, statuses, None) == len(chosen)
    newest = ledger.newest(groups, statuses, since=None, before=before, limit=limit)
    assert newest == [n for n in reversed(chosen) if n < before][:limit]
    assert (
        ledger.oldest(statuses, above=before, below=25, limit=limit) == [n for n in chosen if before < n < 25][:limit]
    )
    assert ledger.count(groups, statuses, float(before)) == len([n for n in chosen if n >= before])


def test_letters_are_found_by_time_although_clocks_step_back() -> None:
    ledger = Ledger()
    for number, time in enumerate((10.0, 20.0, 15.0, 30.0), 1):
        ledger.add(number, "g", "new", time)
    assert ledger.count(["g"], ["new"], 20.0) == 3
    assert ledger.count(["g"], ["new"], 31.0) == 0


def test_a_groups_status_is_what_people_said_else_the_most_urgent_of_its_letters() -> None:
    group = Group(KIND, NOON, NOON)
    assert [group.status({s: 1, "discarded": 5}) for s in STATUSES] == [
        "new", "held", "retrying", "resolved", "resolved", "discarded", "discarded", "discarded", "resolved",
    ]  # fmt: skip
    assert group.status(dict.fromkeys(OPEN, 1)) == "new"
    group.said = Said(verdict="held")
    assert group.status({"new": 1}) == "held"


def test_a_closed_group_is_reopened_by_a_later_letter_only() -> None:
    group = Group(KIND, NOON, NOON, said=Said(verdict="resolved", since=NOON))
    assert not group.reopened(NOON, "dlq-monitor")
    assert group.reopened(NOON + timedelta(seconds=1), "dlq-monitor")
    assert (group.said.verdict, [s.action for s in group.said.history]) == (None, ["reopened"])
    assert not group.reopened(NOON + timedelta(seconds=2), "dlq-monitor")
    assert group.reopened(NOON, "dlq-monitor", done=True)


def test_hours_of_seven_days_are_counted_and_no_more_are_held() -> None:
    group = Group(KIND, NOON, NOON)
    for hour in range(1000):
        group.count(NOON + timedelta(hours=hour))
    chart = group.chart(NOON + timedelta(hours=999))
    assert (len(chart), chart[-1][0], {n for _, n in chart}) == (168, NOON + timedelta(hours=999), {1})
    assert len(group.hours) <= 2 * 168


@pytest.mark.parametrize(
    ("choice", "taken"),
    [
        (Choice(), True),
        (Choice(queue="chat.*"), True),
        (Choice(queue="chat"), False),
        (Choice(type="message.?ost.v1"), True),
        (Choice(cause="timeout"), True),
        (Choice(cause="Time*"), True),
        (Choice(cause="time"), True),
        (Choice(cause="*Time"), False),
        (Choice(group=KIND.id[:5]), True),
        (Choice(queue="chat.*", cause="Value"), False),
        (Choice(queue="[c]hat.*"), False),
    ],
)
def test_letters_are_chosen_in_plain_words(choice: Choice, taken: bool) -> None:
    assert choice.takes(Group(KIND, NOON, NOON)) is taken
