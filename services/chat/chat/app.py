"""Composition of the chat service: what it is made of, and in which order it starts."""

from __future__ import annotations

from chat.committing import GroupCommit
from chat.handlers import Partition
from chat.repository import Entries, Members
from chat.routes import router
from chat.settings import ChatSettings
from chat.spreading import Spreading
from warren.consuming import Consuming
from warren.contracts.commands import DeleteMessage, EditMessage, PostMessage
from warren.http import create_app, service_token
from warren.messaging import accept
from warren.runtime import Service
from warren.storage import Mongo
from warren.topology import chat_queue


def build(settings: ChatSettings) -> Service:
    """Compose the service; nothing connects before it runs."""
    mongo = Mongo(settings.mongo_url.get_secret_value(), settings.database, settings.name)
    entries = Entries(mongo.database)
    log = GroupCommit(entries)
    consuming = Consuming(settings, mongo, prepare=entries.prepare)
    partitions = []
    for number in range(settings.partitions):
        partition = Partition(number, settings.partitions, log, consuming.facts)
        partitions.append(partition)
        consuming.consume(
            chat_queue(number, settings.partitions),
            partition.handle,
            accepts=accept(PostMessage, EditMessage, DeleteMessage),
            on_open=partition.forget,
            on_close=partition.give_up,
        )
    spreading = Spreading(
        settings.incarnation, settings.name, Members(mongo.database), consuming.consumers, beat=settings.chat_beat
    )
    app = create_app(settings, consuming.health)
    app.include_router(router(entries, partitions, service_token(settings)))
    return Service(settings, consuming.health, app, [*consuming.parts, spreading], on_stop=[mongo.close])
