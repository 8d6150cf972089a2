"""Facts on `warren.events`: each alert by itself, under the same id however often it is published."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from dlq_monitor.alerting.model import Kind, Notice
from warren.envelope import Event, event
from warren.topology import EVENTS


class Facts(Protocol):
    """Where facts go (see `warren.messaging.Publisher`)."""

    async def publish_all(self, events: Sequence[Event]) -> None: ...


class EventChannel:
    """Publishes `alert.raised` and `alert.cleared`; a reminder is no new fact."""

    name = "event"
    kinds: frozenset[Kind] = frozenset({"raised", "cleared", "test"})

    def __init__(self, facts: Facts) -> None:
        self._facts = facts

    async def send(self, notice: Notice) -> None:
        """Publish them, each confirmed."""
        events = []
        for alert in notice.alerts:
            verb = "cleared" if alert.cleared else "raised"
            events.append(replace(event(alert.fact, EVENTS, f"alert.{verb}"), id=f"{alert.id}.{verb}"))
        await self._facts.publish_all(events)
