"""The part that looks at the broker every few seconds, keeps what it saw, and says what is wrong.

Two ways lead to the broker. Over AMQP, queues of the topology are counted exactly and at once, whatever becomes of the
management API, on a connection that never publishes, so that no alarm blocks it. Over the management API comes the
rest.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from prometheus_client import Counter, Gauge

from dlq_monitor.alerting.model import Condition
from dlq_monitor.watching import findings
from dlq_monitor.watching.figures import Figures, figures
from dlq_monitor.watching.findings import Limits
from dlq_monitor.watching.losses import Losses
from dlq_monitor.watching.management import Answer, Management
from dlq_monitor.watching.samples import History, Look, Sample, Traits
from dlq_monitor.watching.settings import WatchSettings
from warren.errors import DependencyDownError, WarrenError
from warren.messaging import Link
from warren.messaging.connection import LOST, own_cancellation_only
from warren.messaging.declare import count
from warren.topology import EPHEMERAL, PUBLIC_EXCHANGES, Topology, retry_exchange

log = logging.getLogger(__name__)

MAX_QUEUES = 500
"""Queues with a history, at the most: 500 of them take about 60 MB. Those of the topology come first."""

QUEUE_READY = Gauge("warren_queue_ready", "Messages that wait in a queue", ["queue"])
QUEUE_UNACKED = Gauge("warren_queue_unacked", "Messages of a queue in the hands of consumers", ["queue"])
QUEUE_CONSUMERS = Gauge("warren_queue_consumers", "Consumers of a queue", ["queue"])
QUEUE_AGE = Gauge("warren_queue_oldest_seconds", "Age of a queue's oldest message, as far as it is known", ["queue"])
LOOKS = Counter("warren_broker_looks", "Looks at the broker", ["way", "outcome"])


@dataclass(frozen=True, slots=True)
class Finder:
    """A source of alerts over a function."""

    name: str
    find: Callable[[], Iterable[Condition]]

    async def conditions(self) -> Sequence[Condition]:
        """Return what it finds."""
        return list(self.find())


class Watcher:
    """Watches one virtual host; `names` are the queues that must be there and consumed."""

    def __init__(
        self, management: Management, link: Link, names: Iterable[str], topology: Topology, settings: WatchSettings
    ) -> None:
        self._management = management
        self._link = link
        self._names = tuple(names)
        self._exchanges = _routed(topology)
        self._settings = settings
        self._limits = Limits(
            settings.watch_backlog, settings.watch_backlog_limit, settings.watch_window, settings.watch_stuck
        )
        self._histories: dict[str, History] = {}
        self._figures: dict[str, Figures] = {}
        self._losses: dict[str, Losses] = {}
        self._counted = False
        self.look = Look(0.0)
        self.left_out = 0
        """Queues that are not watched because there are too many."""

    @property
    def sources(self) -> list[Finder]:
        """Sources of alerts; what one cannot know now, another may."""
        return [
            Finder("reach", lambda: findings.reach(self._seen(), "" if self._link.connected else self._link.reason)),
            Finder("queues", self._queues),
            Finder("broker", self._broker),
        ]

    @property
    def management(self) -> str:
        """Say how the management API is."""
        return (self.look.management or "ok") if self._management.known else "not configured"

    def figures(self) -> dict[str, tuple[History, Figures]]:
        """Return all queues with their figures, by name."""
        return {name: (h, self._figures[name]) for name, h in sorted(self._histories.items())}

    def history(self, name: str) -> History | None:
        """Return what is known of a queue over time."""
        return self._histories.get(name)

    async def run(self) -> None:
        """Look again and again until cancelled; whatever fails is said and tried again."""
        if not self._management.known:
            log.warning("no management API is configured: only depths and consumers of our own queues are watched")
        while True:
            began = time.monotonic()
            try:
                await self._look()
            except Exception:  # a watch that ends would be worse than one that fails
                log.exception("a look at the broker failed")
            await asyncio.sleep(max(0.5, self._settings.watch_interval - (time.monotonic() - began)))

    async def drain(self) -> None:
        """Nothing to finish."""

    async def _look(self) -> None:
        now = time.time()
        (answer, reason), counts = await asyncio.gather(self._ask(now), self._count())
        self._counted = counts is not None
        queues = dict(answer.queues) if answer else {}
        for name, found in (counts or {}).items():
            traits, sample = queues.get(name) or (Traits("quorum"), None)
            if found is None:
                queues.pop(name, None)
                continue
            ready, consumers = found
            sample = replace(sample, ready=ready, consumers=consumers) if sample else Sample(now, ready, consumers)
            queues[name] = (replace(traits, expected=True), sample)
        missing = tuple(name for name, found in (counts or {}).items() if found is None)
        look = Look(now, queues, missing, reason)
        if answer:
            look = replace(
                look,
                nodes=answer.nodes,
                alarms=answer.alarms,
                blocked=answer.blocked,
                flows=answer.flows,
                version=answer.version,
            )
        self.see(look)

    def see(self, look: Look) -> None:
        """Take what was seen; what the management API would have to say stays as it was while it is away."""
        wanted = {n: q for n, q in look.queues.items() if not self._ignored(n)}
        ordered = sorted(wanted, key=lambda n: (not wanted[n][0].expected, n not in self._histories, n))
        self.left_out = max(0, len(ordered) - MAX_QUEUES)
        for name in ordered[:MAX_QUEUES]:
            traits, sample = wanted[name]
            history = self._histories.setdefault(name, History(traits))
            history.traits = traits
            history.add(sample)
            self._measure(name, history)
        stay = set(ordered[:MAX_QUEUES]) if not look.management and self._management.known else None
        for name in list(self._histories):
            if name in look.missing or (stay is not None and name not in stay):
                self._forget(name)
        for exchange in self._exchanges & look.flows.keys():
            self._losses.setdefault(exchange, Losses()).add(look.flows[exchange], look.time)
        self.look = look

    async def _ask(self, now: float) -> tuple[Answer | None, str]:
        if not self._management.known:
            return None, ""
        try:
            async with asyncio.timeout(5):
                answer = await self._management.look(now)
        except (DependencyDownError, TimeoutError) as e:
            LOOKS.labels("management", "failed").inc()
            return None, str(e) or "it does not answer in time"
        LOOKS.labels("management", "done").inc()
        return answer, ""

    async def _count(self) -> dict[str, tuple[int, int] | None] | None:
        if not self._link.connected:
            return None
        try:
            async with asyncio.timeout(5), own_cancellation_only():
                found = await count(await self._link.connection(), self._names)
        except LOST as e:
            LOOKS.labels("amqp", "failed").inc()
            log.warning("queues could not be counted", extra={"fields": {"reason": f"{type(e).__name__}: {e}"}})
            return None
        LOOKS.labels("amqp", "done").inc()
        return found

    def _queues(self) -> Iterable[Condition]:
        look = self._seen()
        if not self._counted and (look.management or not self._management.known):
            raise WarrenError("no way leads to the broker")
        queues = self.figures()
        missing = tuple(n for n in look.missing if not self._ignored(n))
        return [*findings.of_queues(queues, missing), *findings.of_backlogs(queues, self._limits)]

    def _broker(self) -> Iterable[Condition]:
        look = self._seen()
        if not self._management.known:
            return []
        if look.management:
            raise WarrenError(look.management)
        return [*findings.of_broker(look, self._losses), *findings.of_consumers(self.figures(), self._limits)]

    def _seen(self) -> Look:
        if not self.look.time:
            raise WarrenError("nothing was seen yet")
        return self.look

    def _ignored(self, name: str) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in self._settings.ignored_queues)

    def _measure(self, name: str, history: History) -> None:
        sample = history.last
        self._figures[name] = now = figures(history, window=self._limits.window, limit=self._limits.limit)
        QUEUE_READY.labels(name).set(sample.ready)
        QUEUE_CONSUMERS.labels(name).set(sample.consumers)
        if sample.unacked is not None:
            QUEUE_UNACKED.labels(name).set(sample.unacked)
        QUEUE_AGE.labels(name).set(now.age or 0)

    def _forget(self, name: str) -> None:
        del self._histories[name], self._figures[name]
        for gauge in (QUEUE_READY, QUEUE_UNACKED, QUEUE_CONSUMERS, QUEUE_AGE):
            with suppress(KeyError):
                gauge.remove(name)


def _routed(topology: Topology) -> frozenset[str]:
    """Exchanges of which every message should reach a queue: typing and probes on the ephemeral one need not."""
    public = {e.name for e in PUBLIC_EXCHANGES} - {EPHEMERAL}
    again = {retry_exchange(s) for s in topology.services()}
    return frozenset(public | again)
