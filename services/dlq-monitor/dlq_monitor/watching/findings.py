"""What is wrong with the broker and its queues. Pure: from what was seen to conditions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dlq_monitor.alerting.model import Condition
from dlq_monitor.watching.figures import Figures, grows
from dlq_monitor.watching.losses import Losses
from dlq_monitor.watching.samples import Alarm, History, Look

CONSUMERS_HOLD = 5.0
"""Seconds that a queue may be without consumers: a partition is handed over within them."""

AWAY_HOLD = 15.0
BLOCKED_HOLD = 10.0
LOSS_SECONDS = 300.0
"""How long a loss counts as present."""

MAX_NAMES = 3


@dataclass(frozen=True, slots=True)
class Limits:
    """From when on something is wrong: messages, and seconds (see `watching.settings`)."""

    backlog: int
    limit: int
    window: float
    stuck: float


def reach(look: Look, broker: str) -> Iterator[Condition]:
    """Find what cannot be seen; `broker` says why there is no connection, and is empty if there is one."""
    if broker:
        yield Condition("broker_away", "error", f"dlq-monitor has no connection to the broker: {broker}", {}, AWAY_HOLD)
    if look.management:
        words = f"the management API cannot be asked, so the broker is half seen: {look.management}"
        yield Condition("management_away", "warning", words, {}, AWAY_HOLD)


def of_queues(queues: Mapping[str, tuple[History, Figures]], missing: tuple[str, ...]) -> Iterator[Condition]:
    """Find queues that are missing or have no consumers."""
    for name in missing:
        yield Condition("queue_missing", "error", f"{name} does not exist", {"queue": name}, CONSUMERS_HOLD)
    for name, (history, now) in queues.items():
        traits, sample = history.traits, now.sample
        needed = traits.expected or sample.ready > 0
        if sample.consumers == 0 and needed and not (traits.delay or traits.exclusive or traits.kind == "stream"):
            words = f"nobody consumes {name}; {counted(sample.ready)} wait"
            yield Condition("queue_without_consumers", "error", words, {"queue": name}, CONSUMERS_HOLD)


def of_backlogs(queues: Mapping[str, tuple[History, Figures]], limits: Limits) -> Iterator[Condition]:
    """Find queues that get longer, before it hurts."""
    for name, (history, now) in queues.items():
        depth = now.sample.depth
        if history.traits.delay or depth < limits.backlog:
            continue
        if now.growing or depth >= limits.limit:
            words = f"{name} holds {counted(depth)} {estimate(now, limits.limit)}"
            yield Condition("queue_backlog", "warning", words, {"queue": name})


def of_consumers(queues: Mapping[str, tuple[History, Figures]], limits: Limits) -> Iterator[Condition]:
    """Find consumers that hold messages and do not ack, or ever more of them."""
    for name, (history, now) in queues.items():
        if _stuck(history, limits.stuck):
            words = (
                f"{now.sample.consumers} consumers of {name} hold {counted(now.sample.unacked or 0)} "
                f"and have acked none for {span(limits.stuck)}"
            )
            yield Condition("consumer_stuck", "error", words, {"queue": name})
        recent = history.since(now.sample.time - limits.window)
        unacked = now.sample.unacked or 0
        if unacked >= limits.backlog and grows(recent, limits.window, lambda s: s.unacked or 0):
            words = f"{counted(unacked)} of {name} are with consumers unacked, and ever more"
            yield Condition("unacked_grows", "warning", words, {"queue": name})


def of_broker(look: Look, losses: Mapping[str, Losses]) -> Iterator[Condition]:
    """Find alarms, nodes that are down, blocked connections, unroutable messages."""
    for alarm in look.alarms:
        yield _alarm(alarm)
    for node in look.nodes:
        if not node.running:
            yield Condition("broker_node_down", "error", f"node {node.name} does not run", {"node": node.name})
    if look.blocked:
        names = ", ".join(look.blocked[:MAX_NAMES]) + (" and more" if len(look.blocked) > MAX_NAMES else "")
        words = f"the broker takes nothing from {len(look.blocked)} connections: {names}"
        yield Condition("connections_blocked", "warning", words, {}, BLOCKED_HOLD)
    for exchange, seen in losses.items():
        if seen.lost.count and look.time - seen.lost.time < LOSS_SECONDS:
            words = f"at least {counted(seen.lost.count)} to {exchange} reached no queue"
            yield Condition("messages_unroutable", "warning", words, {"exchange": exchange})


def estimate(now: Figures, limit: int) -> str:
    """Say in words what becomes of a queue at present rates."""
    if now.growth is None:
        return "(too early for an estimate)"
    if now.growth < 0 and now.drain is not None:
        return f"and is empty in {span(now.drain)} at present rates"
    rates = f"{_rate(now.rate_in)} in, {_rate(now.rate_out)} out"
    if now.sample.depth >= limit or now.fills is None:
        return f"and does not get shorter ({rates}); it never drains at present rates"
    return (
        f"and grows by {now.growth:,.1f}/s ({rates}); it never drains at present rates, {limit:,} in {span(now.fills)}"
    )


def counted(number: int) -> str:
    """Say a number of messages."""
    return "1 message" if number == 1 else f"{number:,} messages"


def span(seconds: float) -> str:
    """Say a time in its largest unit that gives at least two of it."""
    for unit, size in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _alarm(alarm: Alarm) -> Condition:
    words = f"{alarm.resource} alarm on {alarm.node}: the broker takes no messages until it is over"
    return Condition(f"broker_{alarm.resource}_alarm", "error", words, {"node": alarm.node})


def _stuck(history: History, seconds: float) -> bool:
    last = history.last
    if not last.consumers or not last.unacked or last.taken is None:
        return False
    held = history.since(last.time - seconds)
    whole = last.time - held[0].time >= seconds * 0.9
    return whole and all(s.unacked and s.taken == last.taken for s in held)


def _rate(value: float | None) -> str:
    return "?/s" if value is None else f"{value:,.1f}/s"
