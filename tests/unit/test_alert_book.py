"""The life of alerts, on a clock of the test's own."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from dlq_monitor.alerting.book import Book, Patience
from dlq_monitor.alerting.model import Condition, Notice, Silence

START = datetime(2026, 11, 23, tzinfo=UTC)
PATIENCE = Patience(reminder=3600, quiet=0, settle=15, refresh=60)
MUTE = Condition("mute", "error", "nobody consumes a", {"queue": "a"})
FULL = Condition("full", "warning", "b is full", {"queue": "b"})


class Clocked:
    """A book whose clock is set by the test; `tell(…)` is a turn in which one source finds these conditions."""

    def __init__(self, patience: Patience = PATIENCE, *, begin: float = 0) -> None:
        self.book = Book(_at(begin), patience, ["log", "mail"])

    def tell(self, second: float, *found: Condition, source: str = "watch") -> list[tuple[str, list[str]]]:
        return _short(self.book.turn({source: found}, _at(second)).notices)


def _at(second: float) -> datetime:
    return START + timedelta(seconds=second)


def _short(notices: Sequence[Notice]) -> list[tuple[str, list[str]]]:
    return [(n.kind, [a.condition.alert for a in n.alerts]) for n in notices if n.kind != "refresh"]


def _silence(until: float, **more: str) -> Silence:
    return Silence("s", more.pop("alert", "*"), more, "ada", "a test", START, _at(until))


def test_an_alert_is_raised_once_and_cleared_once() -> None:
    clocked = Clocked()
    assert clocked.tell(0, MUTE) == [("raised", ["mute"])]
    assert [clocked.tell(s, MUTE) for s in range(1, 100)] == [[]] * 99
    assert clocked.tell(100) == []
    assert clocked.tell(114) == []
    assert clocked.tell(115) == [("cleared", ["mute"])]
    assert clocked.tell(116) == []
    assert clocked.book.alerts == []


def test_what_comes_and_goes_stays_one_alert() -> None:
    clocked = Clocked()
    told = [clocked.tell(s, *([MUTE] if s % 10 else [])) for s in range(1, 200)]
    assert [t for t in told if t] == [[("raised", ["mute"])]]


def test_a_condition_must_last_as_long_as_it_says() -> None:
    clocked = Clocked()
    patient = Condition("slow", "warning", "", hold=5)
    assert clocked.tell(0, patient) == []
    assert clocked.tell(4) == []
    assert clocked.tell(5, patient) == []
    assert clocked.tell(9, patient) == []
    assert clocked.tell(10, patient) == [("raised", ["slow"])]


def test_a_reminder_comes_on_time_and_again() -> None:
    clocked = Clocked()
    clocked.tell(0, MUTE)
    assert clocked.tell(3599, MUTE) == []
    assert clocked.tell(3600, MUTE) == [("reminder", ["mute"])]
    assert clocked.tell(3601, MUTE) == []
    assert clocked.tell(7200, MUTE) == [("reminder", ["mute"])]


def test_what_changes_together_is_told_together() -> None:
    clocked = Clocked()
    assert clocked.tell(0, MUTE, FULL) == [("raised", ["mute", "full"])]
    clocked.tell(1)
    assert clocked.tell(16) == [("cleared", ["mute", "full"])]


def test_a_start_is_quiet_and_then_one_summary() -> None:
    clocked = Clocked(Patience(quiet=30, settle=15))
    assert clocked.tell(0, MUTE) == []
    assert clocked.tell(29, MUTE, FULL) == []
    [summary] = clocked.book.turn({"watch": [MUTE, FULL]}, _at(30)).notices
    assert (summary.kind, summary.first, len(summary.alerts)) == ("raised", True, 2)
    assert clocked.tell(31, MUTE, FULL) == []


def test_what_is_over_before_the_quiet_ends_was_never_told() -> None:
    clocked = Clocked(Patience(quiet=30))
    clocked.tell(0, MUTE)
    assert [clocked.tell(s) for s in (20, 30, 60)] == [[], [], []]


def test_a_restart_repeats_nothing_and_clears_what_is_over() -> None:
    before = Clocked()
    before.tell(0, MUTE, FULL)
    after = Clocked(Patience(quiet=30, settle=15), begin=100)
    after.book.restore(before.book.firing, [])
    assert [after.tell(s, MUTE) for s in (100, 129)] == [[], []]
    assert after.tell(130, MUTE) == [("cleared", ["full"])]
    assert after.tell(4000, MUTE) != [("raised", ["mute"])]
    assert [a.condition.alert for a in after.book.firing] == ["mute"]


def test_a_silence_keeps_quiet_until_its_end() -> None:
    clocked = Clocked()
    clocked.book.silence(_silence(100, queue="a*"))
    assert clocked.tell(0, MUTE, FULL) == [("raised", ["full"])]
    assert clocked.tell(99, MUTE, FULL) == []
    assert clocked.book.firing[0].state == "firing"
    assert clocked.tell(100, MUTE, FULL) == [("raised", ["mute"])]


def test_what_was_silent_all_its_life_is_never_told() -> None:
    clocked = Clocked()
    clocked.book.silence(_silence(100, alert="mute"))
    clocked.tell(0, MUTE)
    clocked.tell(10)
    assert clocked.tell(30) == []
    assert clocked.book.alerts == []


def test_what_was_told_is_cleared_in_spite_of_a_silence_but_not_reminded_of() -> None:
    clocked = Clocked()
    clocked.tell(0, MUTE)
    clocked.book.silence(_silence(9000))
    assert clocked.tell(3600, MUTE) == []
    clocked.tell(3700)
    assert clocked.tell(3715) == [("cleared", ["mute"])]


def test_a_source_that_cannot_say_clears_nothing() -> None:
    clocked = Clocked()
    clocked.tell(0, MUTE)
    clocked.tell(1, FULL, source="letters")
    assert clocked.tell(50, FULL, source="letters") == []
    assert len(clocked.book.firing) == 2


def test_all_that_fires_is_refreshed_for_those_who_forget() -> None:
    clocked = Clocked()
    clocked.tell(0, MUTE, FULL)
    kinds = {s: [n.kind for n in clocked.book.turn({"watch": [MUTE, FULL]}, _at(s)).notices] for s in (59, 60, 61, 120)}
    assert kinds == {59: [], 60: ["refresh"], 61: [], 120: ["refresh"]}


def test_what_is_owed_is_known_until_it_is_delivered() -> None:
    clocked = Clocked()
    [notice] = clocked.book.turn({"watch": [MUTE]}, _at(0)).notices
    clocked.book.delivered(notice.alerts, "mail")
    assert clocked.book.firing[0].owed == {"log"}
    assert notice.alerts[0].owed == {"log", "mail"}
