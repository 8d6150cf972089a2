"""Composition of the chat service: what it is made of, and in which order it starts."""

from __future__ import annotations

from chat.committing import GroupCommit
from chat.handlers import Partition
from chat.reading.handlers import Reading
from chat.reading.repository import Positions
from chat.repository import Entries, Members
from chat.routes import router
from chat.settings import ChatSettings
from chat.spreading import Spreading
from warren.consuming import Consuming
from warren.contracts.commands import DeleteMessage, EditMessage, PostMessage
from warren.contracts.events import UserRead
from warren.http import create_app, service_token
from warren.messaging import accept
from warren.runtime import Service
from warren.storage import Mongo
from warren.topology import READS, chat_queue


def build(settings: ChatSettings) -> Service:
    """Compose the service; nothing connects before it runs."""
    mongo = Mongo(settings.mongo_url.get_secret_value(), settings.database, settings.name)
    entries = Entries(mongo.database)
    positions = Positions(mongo.database)
    log = GroupCommit(entries)

    async def prepare() -> None:
        await entries.prepare()
        await positions.prepare()

    consuming = Consuming(settings, mongo, prepare=prepare)
    partitions, subscribers = [], []
    for number in range(settings.partitions):
        partition = Partition(number, settings.partitions, log, consuming.facts)
        partitions.append(partition)
        subscriber = consuming.consume(
            chat_queue(number, settings.partitions),
            partition.handle,
            accepts=accept(PostMessage, EditMessage, DeleteMessage),
            on_open=partition.forget,
            on_close=partition.give_up,
        )
        subscribers.append(subscriber)
    spreading = Spreading(
        settings.incarnation, settings.name, Members(mongo.database), subscribers, beat=settings.chat_beat
    )
    consuming.consume(READS, Reading(positions).handle, accepts=accept(UserRead))
    app = create_app(settings, consuming.health)
    app.include_router(router(entries, positions, partitions, service_token(settings)))
    return Service(settings, consuming.health, app, [*consuming.parts, spreading], on_stop=[mongo.close])
