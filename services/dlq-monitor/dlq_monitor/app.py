"""Composition of the dlq-monitor service: what it is made of, and in which order it starts."""

from __future__ import annotations

from dlq_monitor.decisions import Decisions
from dlq_monitor.handlers import Parking
from dlq_monitor.management import Management
from dlq_monitor.repository import Letters
from dlq_monitor.routes import router
from dlq_monitor.settings import DlqSettings
from warren.consuming import Consuming
from warren.http import create_app, service_token
from warren.messaging.declare import gravedigger
from warren.runtime import Service
from warren.storage import Mongo


def build(settings: DlqSettings) -> Service:
    """Compose the service; nothing connects before it runs."""
    topology = settings.topology
    mongo = Mongo(settings.mongo_url.get_secret_value(), settings.database, settings.name)
    letters = Letters(mongo.database)
    own = gravedigger(topology, settings.extra_queues)
    consuming = Consuming(settings, mongo, prepare=letters.prepare, setup=own)
    for queue in dict.fromkeys((*topology.dead_queues(), *settings.extra_queues)):
        parking = Parking(
            queue,
            letters,
            consuming.facts,
            topology=topology,
            body_limit=settings.dlq_body_limit,
            actor=settings.service,
        )
        consuming.consume(queue, parking.handle, accepts=None, whole=True)
    management = Management(settings.management_url.get_secret_value())
    if management.known:
        consuming.health.add("management", management.probe, essential=False)
    decisions = Decisions(letters, consuming.failed, consuming.facts, topology)
    app = create_app(settings, consuming.health)
    app.include_router(router(letters, decisions, service_token(settings)))
    return Service(settings, consuming.health, app, consuming.parts, on_stop=[mongo.close, management.close])
