"""Compares a room's history with the script that was played into it. Pure: entries in, differences out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from warren.irc.script import Step

SHOWN = 10


@dataclass(slots=True)
class Comparison:
    """What was found: `same` entries as they should be, `others` by people of no concern to us.

    `differences` holds a sentence for each of the first few of `count`.
    """

    same: int = 0
    others: int = 0
    count: int = 0
    differences: list[str] = field(default_factory=list)

    def differs(self, sentence: str) -> None:
        """Note a difference."""
        self.count += 1
        if len(self.differences) < SHOWN:
            self.differences.append(sentence)


def compare(
    entries: Iterable[Mapping[str, Any]],
    expected: Sequence[Step],
    users: Mapping[str, int],
    ids: Mapping[int, str],
    after: int,
) -> Comparison:
    """Compare the entries after `after` with the messages `expected`.

    `users` maps the ids of our users to their numbers, `ids` a line's number to its message's id. Ours must be
    exactly the expected ones, in order, each with its user, name and body; `seq` must be dense over all entries.
    """
    result, seq, at = Comparison(), after, 0
    for entry in entries:
        seq += 1
        if entry["seq"] != seq:
            result.differs(f"entry {entry['seq']} comes where {seq} should be")
            seq = entry["seq"]
        user = users.get(entry["user"]["id"])
        if user is None:
            result.others += 1
            continue
        if at >= len(expected):
            result.differs(f"entry {seq} by {entry['user']['name']} is one too many: {_short(entry['body'])}")
            continue
        step = expected[at]
        at += 1
        wrong = _wrong(entry, step, user, ids[step.line])
        if wrong:
            result.differs(f"line {step.line}, entry {seq}: {wrong}")
        else:
            result.same += 1
    for step in expected[at:]:
        result.differs(f"line {step.line} is missing: <{step.name}> {_short(step.body)}")
    return result


def _wrong(entry: Mapping[str, Any], step: Step, user: int, id: str) -> str:  # noqa: A002 - the protocol's word
    pairs = (
        ("id", entry["id"], id),
        ("body", entry["body"], step.body),
        ("name", entry["user"]["name"], step.name),
        ("user", user, step.user),
    )
    return ", ".join(
        f"{what} is {_short(str(found))} instead of {_short(str(wanted))}"
        for what, found, wanted in pairs
        if found != wanted
    )


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:59] + "…")
