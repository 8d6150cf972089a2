"""Composition of the presence service: what it is made of, and in which order it starts."""

from __future__ import annotations

from presence.handlers import Presence
from presence.lease import LeaseKeeper
from presence.repository import Repository
from presence.routes import router
from presence.settings import PresenceSettings
from presence.views import Views
from warren.consuming import Consuming
from warren.contracts.signals import (
    GatewayBeat,
    RenameUser,
    RoomJoined,
    RoomLeft,
    SessionClosed,
    SessionOpened,
    SessionStatus,
)
from warren.http import create_app, service_token
from warren.messaging import accept
from warren.runtime import Service
from warren.storage import Mongo

SIGNALS = (SessionOpened, SessionStatus, SessionClosed, RoomJoined, RoomLeft, GatewayBeat, RenameUser)


def build(settings: PresenceSettings) -> Service:
    """Compose the service; nothing connects before it runs."""
    mongo = Mongo(settings.mongo_url.get_secret_value(), settings.database, settings.name)
    repository = Repository(mongo.database, seen_days=settings.seen_days)
    consuming = Consuming(settings, mongo, prepare=repository.prepare)
    presence = Presence(
        repository,
        consuming.facts,
        partitions=settings.partitions,
        lease=settings.lease,
        unique_names=settings.unique_names,
    )
    [queue] = settings.topology.of(settings.service)
    consumer = consuming.consume(queue.name, presence.handle, accepts=accept(*SIGNALS), on_open=presence.forget)
    leases = LeaseKeeper(presence, consumer, consuming.facts.probe, lease=settings.lease)
    app = create_app(settings, consuming.health)
    app.include_router(router(Views(presence, repository, consumer), service_token(settings)))
    return Service(settings, consuming.health, app, [*consuming.parts, leases], on_stop=[mongo.close])
