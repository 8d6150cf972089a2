"""Outcomes and replays, put together."""

from __future__ import annotations

from collections.abc import Iterable

from dlq_monitor.desk import Desk
from dlq_monitor.handlers import Facts
from dlq_monitor.replaying.model import Replay
from dlq_monitor.replaying.outcomes import Outcomes
from dlq_monitor.replaying.recording import Recording
from dlq_monitor.replaying.replaying import Replaying
from dlq_monitor.replaying.repository import Replays
from dlq_monitor.replaying.sending import Sender, Sending
from dlq_monitor.settings import DlqSettings
from dlq_monitor.watching.watcher import Watcher
from warren.contracts.events import MessageDeleted, MessageEdited, MessagePosted, MessageRejected
from warren.messaging import Feed, Link, pick
from warren.messaging.connection import own_cancellation_only
from warren.messaging.declare import count
from warren.storage import Database


def outcomes(settings: DlqSettings, desk: Desk, facts: Facts, watcher: Watcher, link: Link) -> tuple[Outcomes, Feed]:
    """Return what awaits outcomes, and the feed that it listens to; queues are counted on `link`."""

    async def depths(names: Iterable[str]) -> dict[str, int | None]:
        if not link.connected:
            return {}
        async with own_cancellation_only():
            found = await count(await link.connection(), names)
        return {name: n[0] + _unacked(watcher, name) if n else None for name, n in found.items()}

    awaiting = Outcomes(desk, facts, settings.topology, depths, settle=settings.dlq_settle, actor=settings.service)
    feed = Feed(
        settings.amqp_url.get_secret_value(),
        f"{settings.name} outcomes",
        heartbeat=settings.amqp_heartbeat,
        prefix=settings.service,
        accepts=pick(MessagePosted, MessageEdited, MessageDeleted, MessageRejected),
        handler=awaiting.hear,
        on_reset=lambda: None,  # facts that were missed: quiet resolves what they would have told of
    )
    awaiting.listen_by(feed)
    return awaiting, feed


def _unacked(watcher: Watcher, name: str) -> int:
    history = watcher.history(name)
    return (history.last.unacked or 0) if history else 0


def replaying(settings: DlqSettings, desk: Desk, database: Database, sender: Sender, awaiting: Outcomes) -> Replaying:
    """Return what makes replays."""
    replays = Replays(database)

    def record(replay: Replay) -> Recording:
        return Recording(replay, desk, replays, awaiting)

    def send(replay: Replay, recording: Recording) -> Sending:
        wait = settings.dlq_canary_wait
        return Sending(replay, desk, recording, sender, awaiting, settings.topology, canary_wait=wait)

    return Replaying(desk, replays, record, send)
