"""AMQP: the only package that imports aio-pika."""

from warren.messaging.codec import accept, pick
from warren.messaging.connection import Link
from warren.messaging.consumer import Consumer
from warren.messaging.feed import Feed
from warren.messaging.publisher import Publisher

__all__ = ["Consumer", "Feed", "Link", "Publisher", "accept", "pick"]
