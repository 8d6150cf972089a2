"""Composition of the audit service: what it is made of, and in which order it starts."""

from __future__ import annotations

from audit.handlers import Recorder
from audit.pace import Pace
from audit.repository import Records
from audit.routes import router
from audit.sealing import Sealer
from audit.settings import AuditSettings
from warren.consuming import Consuming
from warren.http import create_app, service_token
from warren.runtime import Service
from warren.storage import Mongo


def build(settings: AuditSettings) -> Service:
    """Compose the service; nothing connects before it runs."""
    mongo = Mongo(settings.mongo_url.get_secret_value(), settings.database, settings.name)
    records = Records(mongo.database)
    consuming = Consuming(settings, mongo, prepare=records.prepare)
    sealer = Sealer(records, consuming.facts, settings.audit_seal_interval)
    pace = Pace(settings.audit_gather)
    recorder = Recorder(
        settings.incarnation, settings.name, records, sealer, pace, body_limit=settings.audit_body_limit
    )
    for queue in settings.topology.of(settings.service):
        consuming.consume(queue.name, recorder.handle, accepts=None, on_open=recorder.reopened)
    app = create_app(settings, consuming.health)
    app.include_router(router(records, service_token(settings)))
    # First to start is last to drain: the sealer seals what the consumers finish.
    return Service(settings, consuming.health, app, [sealer, *consuming.parts], on_stop=[mongo.close])
