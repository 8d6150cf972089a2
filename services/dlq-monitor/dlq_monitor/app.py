"""Composition of the dlq-monitor service: what it is made of, and in which order it starts."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

import httpx

from dlq_monitor.alerting import routes as alert_routes
from dlq_monitor.alerting.alerting import Alerting
from dlq_monitor.alerting.composing import channels
from dlq_monitor.alerting.letters import WaitingLetters
from dlq_monitor.alerting.repository import AlertStore
from dlq_monitor.decisions import Decisions
from dlq_monitor.handlers import Parking
from dlq_monitor.repository import Letters
from dlq_monitor.routes import router
from dlq_monitor.settings import DlqSettings
from dlq_monitor.watching import routes as queue_routes
from dlq_monitor.watching.management import MANAGEMENT, Management
from dlq_monitor.watching.watcher import Watcher
from warren.consuming import Consuming
from warren.http import create_app, service_token
from warren.messaging import Link
from warren.messaging.declare import gravedigger
from warren.runtime import Service
from warren.storage import Mongo


def build(settings: DlqSettings) -> Service:
    """Compose the service; nothing connects before it runs."""
    topology = settings.topology
    mongo = Mongo(settings.mongo_url.get_secret_value(), settings.database, settings.name)
    letters = Letters(mongo.database)
    waiting = WaitingLetters(letters, settings.watch_interval)
    own = gravedigger(topology, settings.extra_queues)
    consuming = Consuming(settings, mongo, prepare=letters.prepare, setup=own)
    dead = tuple(dict.fromkeys((*topology.dead_queues(), *settings.extra_queues)))
    for queue in dead:
        parking = Parking(
            queue,
            waiting,
            consuming.facts,
            topology=topology,
            body_limit=settings.dlq_body_limit,
            actor=settings.service,
        )
        consuming.consume(queue, parking.handle, accepts=None, whole=True)
    amqp_url = settings.amqp_url.get_secret_value()
    management = Management(settings.management_url.get_secret_value(), unquote(urlsplit(amqp_url).path[1:]) or "/")
    if management.known:
        consuming.health.add(MANAGEMENT, management.probe, essential=False)
    watch = Link(amqp_url, f"{settings.name} watch", heartbeat=settings.amqp_heartbeat)
    names = (*(q.name for q in topology.queues), *dead)
    watcher = Watcher(management, watch, names, topology, settings)
    http = httpx.AsyncClient()
    told = channels(settings, consuming.facts, http)
    alerting = Alerting(AlertStore(mongo.database), told, settings.patience, retry=settings.alert_retry)
    alerting.sources += [*watcher.sources, waiting]
    alerting.watched_by(consuming.health)
    decisions = Decisions(letters, consuming.failed, consuming.facts, topology)
    app = create_app(settings, consuming.health)
    guard = service_token(settings)
    app.include_router(router(letters, decisions, guard))
    app.include_router(queue_routes.router(watcher, settings.watch_backlog_limit, guard))
    app.include_router(alert_routes.router(alerting, guard))
    parts = [*consuming.parts, watch, watcher, alerting]
    closing = [mongo.close, management.close, http.aclose]
    return Service(settings, consuming.health, app, parts, on_stop=closing)
