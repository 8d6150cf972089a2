"""The part that asks all sources again and again, keeps the book of alerts and its store, and hands notices out.

An alert is stored before it is told, with the channels that are still owed the news: what a crash keeps from being told
is told after the next start. Without the store, alerts are told all the same and stored when it is back.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter as Tally
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from prometheus_client import Gauge
from tenacity import AsyncRetrying, retry_if_exception_type, wait_random_exponential

from dlq_monitor.alerting.book import Book, Patience, copies
from dlq_monitor.alerting.channels.base import Channel
from dlq_monitor.alerting.courier import Courier
from dlq_monitor.alerting.model import Alert, Condition, Notice, Silence, Source
from warren.contracts import now
from warren.errors import DependencyDownError, WarrenError
from warren.health import Health
from warren.ids import uuid7

log = logging.getLogger(__name__)

FIRING = Gauge("warren_alerts_firing", "Alerts that are firing", ["alert", "severity"])

TICK = 1.0
"""Seconds between two turns."""

TIMEOUT = 5.0
"""Seconds that a source, or the store, may take in a turn."""


class UnknownError(WarrenError):
    """There is no channel or silence of that name."""


class Store(Protocol):
    """Where alerts are kept (see `dlq_monitor.alerting.repository.AlertStore`)."""

    async def prepare(self) -> None: ...
    async def save(self, alerts: Sequence[Alert]) -> None: ...
    async def delivered(self, ids: Sequence[str], state: str, channel: str) -> None: ...
    async def load(self) -> list[Alert]: ...
    async def past(self, limit: int) -> list[Alert]: ...
    async def silences(self, now: datetime) -> list[Silence]: ...
    async def silence(self, silence: Silence) -> None: ...


class Alerting:
    """Alerts of this process. `sources` may be added to until it runs."""

    def __init__(self, store: Store, channels: Iterable[Channel], patience: Patience, *, retry: float) -> None:
        self.sources: list[Source] = []
        self._store = store
        self._patience = patience
        self.couriers = {c.name: Courier(c, self._delivered, retry=retry) for c in channels}
        self.book = Book(now(), patience, self.couriers)
        self._unsaved: dict[str, Alert] = {}
        self._unknown: dict[str, str] = {}

    def watched_by(self, health: Health) -> None:
        """Report each channel, and the sources, as non-essential neighbours."""
        for name, courier in self.couriers.items():
            health.add(f"alerts.{name}", courier.probe, essential=False)
        health.add("alerts", self._probe, essential=False)

    async def run(self) -> None:
        """Run until cancelled: first take over what was firing before."""
        async with asyncio.TaskGroup() as group:
            for courier in self.couriers.values():
                group.create_task(courier.run(), name=f"alerts to {courier.channel.name}")
            await self._restore()
            while True:
                try:
                    await self._turn()
                except Exception:  # alerts that end would be worse than a turn that fails
                    log.exception("a turn of alerts failed")
                await asyncio.sleep(TICK)

    async def drain(self) -> None:
        """Let what is under way arrive."""
        await asyncio.gather(*[c.drain() for c in self.couriers.values()])

    async def test(self, channel: str, actor: str) -> None:
        """Send a test through a channel now; raises `UnknownError`, or why the channel failed."""
        if channel not in self.couriers:
            raise UnknownError(f"there is no channel {channel}; there are {', '.join(self.couriers)}")
        moment = now()
        condition = Condition("test", "info", f"a test of the channel {channel}, asked for by {actor}")
        alert = Alert(uuid7(), "test", condition, moment, raised=moment)
        await self.couriers[channel].test(Notice("test", (alert,), moment))

    async def silence(self, silence: Silence) -> None:
        """Add a silence, stored before it holds."""
        await self._store.silence(silence)
        self.book.silence(silence)
        fields = {"silence": silence.id, "alert": silence.alert, "labels": dict(silence.labels)}
        log.info("silenced", extra={"fields": {**fields, "who": silence.who, "why": silence.why}})

    async def unsilence(self, silence_id: str, actor: str) -> Silence:
        """End a silence now; raises `UnknownError`. Its beginning and end stay on record."""
        found = [s for s in self.book.silences.values() if s.id.startswith(silence_id)]
        moment = now()
        if len(found) != 1 or found[0].until <= moment:
            raise UnknownError("several silences begin with this id" if len(found) > 1 else "no silence has this id")
        ended = replace(found[0], until=moment, ended_by=actor)
        await self._store.silence(ended)
        self.book.silence(ended)
        log.info("silence ended", extra={"fields": {"silence": ended.id, "who": actor}})
        return ended

    async def past(self, limit: int) -> list[Alert]:
        """Return alerts that were cleared, the newest first."""
        return await self._store.past(limit)

    async def _restore(self) -> None:
        async for attempt in AsyncRetrying(
            wait=wait_random_exponential(multiplier=0.1, max=2), retry=retry_if_exception_type(DependencyDownError)
        ):
            with attempt:
                await self._store.prepare()
                alerts, silences = await self._store.load(), await self._store.silences(now())
        self.book = Book(now(), self._patience, self.couriers)  # it is quiet from when it can first speak
        self.book.restore(alerts, silences)
        for alert in sorted(alerts, key=lambda a: a.since):
            notice = Notice("cleared" if alert.cleared else "raised", copies([alert]), now())
            for channel in alert.owed & self.couriers.keys():
                self.couriers[channel].hand(notice)

    async def _turn(self) -> None:
        turn = self.book.turn(await self._found(), now())
        self._unsaved |= {a.id: a for a in turn.changed}
        await self._save()
        for notice in turn.notices:
            for courier in self.couriers.values():
                courier.hand(notice)
        if turn.changed:
            FIRING.clear()
            firing = Tally((a.condition.alert, a.condition.severity) for a in self.book.firing)
            for labels, count in firing.items():
                FIRING.labels(*labels).set(count)

    async def _found(self) -> Mapping[str, Sequence[Condition]]:
        answers = await asyncio.gather(*[self._ask(s) for s in self.sources])
        found = {s.name: c for s, c in zip(self.sources, answers, strict=True) if c is not None}
        gone = {a.source for a in self.book.alerts} - {s.name for s in self.sources}
        return {**dict.fromkeys(gone, ()), **found}

    async def _ask(self, source: Source) -> Sequence[Condition] | None:
        try:
            async with asyncio.timeout(TIMEOUT):
                found = await source.conditions()
        except Exception as e:  # noqa: BLE001 - whatever a source raises: it could not say, and the others can
            reason = str(e) or type(e).__name__
            if self._unknown.get(source.name) != reason:
                log.warning("a source of alerts fails", extra={"fields": {"source": source.name, "reason": reason}})
            self._unknown[source.name] = reason
            return None
        self._unknown.pop(source.name, None)
        return found

    async def _save(self) -> None:
        saving = list(self._unsaved.values())
        if not saving:
            return
        try:
            async with asyncio.timeout(TIMEOUT):
                await self._store.save(saving)
        except (DependencyDownError, TimeoutError) as e:
            log.warning("alerts could not be stored yet", extra={"fields": {"reason": str(e)}})
        else:
            self._unsaved = {}

    async def _delivered(self, channel: str, notice: Notice) -> None:
        if notice.kind not in {"raised", "cleared"}:
            return
        self.book.delivered(notice.alerts, channel)
        for alert in notice.alerts:
            if unsaved := self._unsaved.get(alert.id):
                unsaved.owed.discard(channel)
        state = "cleared" if notice.kind == "cleared" else "firing"
        try:
            await self._store.delivered([a.id for a in notice.alerts], state, channel)
        except Exception as e:  # noqa: BLE001 - whatever it is, the channel goes on
            fields = {"channel": channel, "reason": str(e)}
            log.warning("it is not on record that an alert was told: it will be again", extra={"fields": fields})

    async def _probe(self) -> None:
        if self._unknown:
            raise WarrenError("; ".join(f"{name} cannot say: {why}" for name, why in self._unknown.items()))
