"""Composition of the dlq-monitor service: what it is made of, and in which order it starts."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

import httpx

from dlq_monitor.access import routes as access_routes
from dlq_monitor.access.door import Door
from dlq_monitor.access.record import Record, Recorder
from dlq_monitor.access.repository import Entries
from dlq_monitor.access.tokens import Tokens
from dlq_monitor.alerting import routes as alert_routes
from dlq_monitor.alerting.alerting import Alerting
from dlq_monitor.alerting.composing import channels
from dlq_monitor.alerting.letters import WaitingLetters
from dlq_monitor.alerting.repository import AlertStore
from dlq_monitor.api.edits import router as edit_router
from dlq_monitor.api.groups import router as group_router
from dlq_monitor.api.letters import router
from dlq_monitor.api.openapi import ANSWERS, codes
from dlq_monitor.api.page import router as page_router
from dlq_monitor.api.rules import router as rules_router
from dlq_monitor.api.transfer import router as transfer_router
from dlq_monitor.decisions import Decisions
from dlq_monitor.desk import Desk
from dlq_monitor.handlers import Parking
from dlq_monitor.replaying import routes as replay_routes
from dlq_monitor.replaying.composing import outcomes, replaying
from dlq_monitor.repository import Letters, Sayings
from dlq_monitor.retention import Retention
from dlq_monitor.rules import DEFAULT, load
from dlq_monitor.ruling import Ruling
from dlq_monitor.settings import DlqSettings
from dlq_monitor.watching import routes as queue_routes
from dlq_monitor.watching.management import MANAGEMENT, Management
from dlq_monitor.watching.watcher import Watcher
from warren.consuming import Consuming
from warren.http import create_app
from warren.messaging import Link
from warren.messaging.declare import gravedigger
from warren.openapi import document
from warren.pages import add_page
from warren.runtime import Service
from warren.storage import Mongo

WEB = Path(__file__).parent / "web"


def build(settings: DlqSettings) -> Service:
    """Compose the service; nothing connects before it runs."""
    topology = settings.topology
    tokens = Tokens(Path(settings.dlq_tokens) if settings.dlq_tokens else None)
    mongo = Mongo(settings.mongo_url.get_secret_value(), settings.database, settings.name)
    rules = load(Path(settings.dlq_rules) if settings.dlq_rules else DEFAULT)
    desk = Desk(Letters(mongo.database), Sayings(mongo.database), rules, settings.service)
    own = gravedigger(topology, settings.extra_queues)
    consuming = Consuming(settings, mongo, prepare=lambda: prepare(), setup=own)  # noqa: PLW0108 - made below
    dead = tuple(dict.fromkeys((*topology.dead_queues(), *settings.extra_queues)))
    retention = Retention(
        desk, days=settings.dlq_keep_days, count=settings.dlq_keep, open_days=settings.dlq_keep_open_days
    )

    record = Record(Entries(mongo.database), days=settings.dlq_record_days, count=settings.dlq_record)

    amqp_url = settings.amqp_url.get_secret_value()
    management = Management(settings.management_url.get_secret_value(), unquote(urlsplit(amqp_url).path[1:]) or "/")
    if management.known:
        consuming.health.add(MANAGEMENT, management.probe, essential=False)
    watch = Link(amqp_url, f"{settings.name} watch", heartbeat=settings.amqp_heartbeat)
    watcher = Watcher(management, watch, (*(q.name for q in topology.queues), *dead), topology, settings)

    awaiting, feed = outcomes(settings, desk, consuming.facts, watcher, watch)
    replays = replaying(settings, desk, mongo.database, consuming.failed, awaiting)
    limit = settings.dlq_body_limit
    decisions = Decisions(
        desk, consuming.failed, consuming.facts, awaiting, topology, body_limit=limit, actor=settings.service
    )
    for queue in dead:
        parking = Parking(
            queue,
            desk,
            consuming.facts,
            died_again=awaiting.died_again,
            topology=topology,
            body_limit=limit,
            actor=settings.service,
        )
        consuming.consume(queue, parking.handle, accepts=None, whole=True)

    async def prepare() -> None:
        await replays.prepare()  # first: what it claims is nobody else's from the moment that letters are known
        await desk.prepare()
        await awaiting.prepare()
        await record.prepare()

    http = httpx.AsyncClient()
    told = channels(settings, consuming.facts, http)
    alerting = Alerting(AlertStore(mongo.database), told, settings.patience, retry=settings.alert_retry)
    alerting.sources += [*watcher.sources, WaitingLetters(desk)]
    alerting.watched_by(consuming.health)

    app = create_app(settings, consuming.health)
    door = Door(settings.service_token.get_secret_value(), tokens)
    guard = door.check
    app.add_middleware(Recorder, door=door, record=record)
    app.include_router(access_routes.router(record, guard))
    app.include_router(transfer_router(desk, guard))
    app.include_router(router(desk, decisions, guard))
    app.include_router(edit_router(decisions, guard))
    app.include_router(group_router(desk, guard))
    app.include_router(replay_routes.router(desk, decisions, replays, topology, dead, guard))
    app.include_router(rules_router(rules, guard))
    app.include_router(queue_routes.router(watcher, settings.watch_backlog_limit, guard))
    app.include_router(alert_routes.router(alerting, guard))
    app.include_router(page_router(desk, replays, alerting, watcher, settings, guard))
    add_page(app, WEB)
    document(app, ANSWERS, codes)
    parts = [
        *consuming.parts,
        feed,
        awaiting,
        replays,
        retention,
        Ruling(desk, decisions),
        record,
        watch,
        watcher,
        alerting,
    ]
    return Service(settings, consuming.health, app, parts, on_stop=[mongo.close, management.close, http.aclose])
