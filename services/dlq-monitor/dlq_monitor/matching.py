"""Which rule decides about a letter, what, and when. Pure: the same letter always gets the same answer.

A letter is looked at when it is parked, and again when its plan is due: then an action is carried out, or a rule on age
has begun to match. The jitter comes from the letter's id, so that a plan made again is the same plan.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from dlq_monitor.groups import Choice
from dlq_monitor.model import Letter
from dlq_monitor.rules import Discard, Match, Republish, Rule, Rules, Severity
from warren.messaging.policy import is_transient

Action = Literal["republish", "hold", "discard"]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a rule decides; `due` is when to act or to look again, `act` says which. No rule: the letter stays new."""

    rule: str = ""
    do: Action | None = None
    due: datetime | None = None
    act: bool = False
    alert: Severity | None = None

    @property
    def status(self) -> Literal["new", "held", "retrying"]:
        """Return the status of a letter until the plan is due."""
        return "new" if self.do is None else "retrying" if self.do == "republish" else "held"


def plan(rules: Rules, letter: Letter, count: int, now: datetime) -> Plan:
    """Return the plan for a letter whose group has `count` letters."""
    again: datetime | None = None
    for rule in rules.rules:
        if not _fits(rule.match, letter, count) or (isinstance(rule, Republish) and letter.replays >= rule.times):
            continue
        ripe = letter.first + rule.match.older_than if rule.match.older_than else letter.first
        if ripe > now:
            again = min(again or ripe, ripe)
            continue
        due = _due(rule, letter)
        act = due is not None and (again is None or due <= again)
        return Plan(rule.name, rule.do, due if act else again, act, rule.alert)
    return Plan(due=again)


def _fits(match: Match, letter: Letter, count: int) -> bool:
    """Whether all but the age holds."""
    choice = Choice(match.queue, match.type, match.cause, match.group)
    return (
        choice.takes_kind(letter.queue, letter.type, letter.cause.type, letter.group)
        and (match.transient is None or match.transient == is_transient(letter.cause.type))
        and (match.count is None or count >= match.count)
    )


def _due(rule: Rule, letter: Letter) -> datetime | None:
    if isinstance(rule, Republish):
        return letter.first + delay(rule, letter)
    return letter.first + rule.after if isinstance(rule, Discard) else None


def delay(rule: Republish, letter: Letter) -> timedelta:
    """Return how long a letter waits before it is sent: longer each time, by chance a little more or less."""
    seconds = min(rule.delay.total_seconds() * rule.factor**letter.replays, rule.max_delay.total_seconds())
    chance = int(letter.id[:8], 16) / 0xFFFFFFFF * 2 - 1
    return timedelta(seconds=seconds * (1 + rule.jitter * chance))
