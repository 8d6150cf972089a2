"""Which letters a replay sends, where they go, and what can be said of their outcome. Pure.

What a letter is, its group knows: a plan of 100,000 letters asks the store for none.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from dlq_monitor.fingerprint import Kind, overflow
from dlq_monitor.resending import Target
from warren.topology import Topology, retry_exchange

Outcome = Literal["fact", "quiet"]
"""How it is seen that a letter did its work: by a fact that names it, or as it did not die again."""

SEVERAL = ""
"""The queue of letters whose group takes the rest: it has letters of several."""


@dataclass(frozen=True, slots=True)
class Part:
    """Letters of one type that go one way; `at_least_once`: nobody vouches that a second arrival has no effect."""

    queue: str
    exchange: str
    type: str
    count: int
    outcome: Outcome
    at_least_once: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """`numbers` in the order of sending; letters left out: `busy` ones are part of another replay."""

    numbers: array[int]
    parts: Sequence[Part]
    busy: int = 0
    unsendable: int = 0
    """It is not known which queue they died in."""


def planned(
    chosen: Iterable[tuple[Kind, Sequence[int]]],
    topology: Topology,
    *,
    to: Target | None,
    dead_queues: Collection[str],
    busy: Collection[int],
) -> Plan:
    """Plan letters in the order of parking, so that those of one room go in their first order."""
    counts: dict[tuple[str, str], int] = {}
    numbers: list[int] = []
    left_out = unsendable = 0
    for kind, some in chosen:
        several = kind == overflow(kind.queue)
        if kind.queue in dead_queues and not several and to is None:
            unsendable += len(some)
            continue
        free = [n for n in some if n not in busy]
        left_out += len(some) - len(free)
        if free:
            key = (SEVERAL if several else kind.queue, kind.type)
            counts[key] = counts.get(key, 0) + len(free)
            numbers += free
    parts = [part(queue, type_, count, topology, to) for (queue, type_), count in sorted(counts.items())]
    return Plan(array("q", sorted(numbers)), parts, left_out, unsendable)


def part(queue: str, type_: str, count: int, topology: Topology, to: Target | None = None) -> Part:
    """Return the way of `count` letters of a type that died in `queue`."""
    if to is not None:
        return Part("", to.exchange, type_, count, "quiet", at_least_once=True)
    known = topology.named(queue)
    outcome: Outcome = "fact" if known and known.answers else "quiet"
    exchange = retry_exchange(known.service) if known else ""
    return Part(queue, exchange, type_, count, outcome, at_least_once=known is None)
