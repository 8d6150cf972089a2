"""Every exchange and queue of Warren, as values; retry and dead queues are derived from the work queues.

Nothing here connects anywhere: `warren.messaging.declare` makes it so on a broker.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

COMMANDS = "warren.commands"
EVENTS = "warren.events"
EPHEMERAL = "warren.ephemeral"
DEAD = "warren.dead"

READS = "chat.reads"
"""Where chat learns how far users have read. Their order does not matter: several consumers may share it."""

DELIVERY_LIMIT = 10
"""Deliveries of one message after which the broker itself takes it for poison."""

NEVER = 1_000_000
"""Delivery limit of queues that must not lose what waits there (RabbitMQ 4 has a default of 20)."""

Arguments = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Exchange:
    """A durable exchange."""

    name: str
    kind: str = "topic"


PUBLIC_EXCHANGES = (Exchange(COMMANDS), Exchange(EVENTS), Exchange(EPHEMERAL), Exchange(DEAD, "direct"))


@dataclass(frozen=True, slots=True)
class Binding:
    """`exchange` sends what matches `key` to the queue."""

    exchange: str
    key: str


@dataclass(frozen=True, slots=True)
class FailurePolicy:
    """What becomes of an event that fails in a queue (`warren.messaging.policy` carries it out).

    `delays`: whole seconds before the second and each later attempt; one more failure is a death. `permanent`: names of
    error classes, their subclasses included, that no later attempt mends: dead at once. All others may be passing.
    """

    delays: tuple[int, ...] = (1, 5, 30)
    permanent: tuple[str, ...] = ("PermanentError",)


@dataclass(frozen=True, slots=True)
class Queue:
    """A durable work queue of `service`, quorum, without a maximum length.

    `single_active`: one consumer at a time, so that order holds over processes. `answers`: the key under which
    `warren.events` brings a fact for whatever was worked there, with its id as `correlation_id`; empty: there is none.
    `on_failure`: how often and when an event that failed is tried again.
    """

    name: str
    service: str
    bindings: tuple[Binding, ...]
    single_active: bool = False
    answers: str = ""
    on_failure: FailurePolicy = FailurePolicy()

    @property
    def arguments(self) -> Arguments:
        """Arguments of `queue.declare`."""
        arguments: Arguments = {
            "x-queue-type": "quorum",
            "x-delivery-limit": DELIVERY_LIMIT,
            "x-dead-letter-exchange": DEAD,
            "x-dead-letter-routing-key": dead_queue(self.service),
            "x-dead-letter-strategy": "at-least-once",
            "x-overflow": "reject-publish",
        }
        if self.single_active:
            arguments["x-single-active-consumer"] = True
        return arguments


@dataclass(frozen=True, slots=True)
class DelayQueue:
    """Holds a retried event for `delay` seconds, then hands it to its service's own exchange."""

    service: str
    delay: int

    @property
    def name(self) -> str:
        """Name of the queue and of the fanout exchange before it."""
        return f"{self.service}.retry.{self.delay}s"

    @property
    def arguments(self) -> Arguments:
        """Arguments of `queue.declare`."""
        return {
            "x-queue-type": "quorum",
            "x-delivery-limit": NEVER,
            "x-message-ttl": self.delay * 1000,
            "x-dead-letter-exchange": retry_exchange(self.service),
            "x-dead-letter-strategy": "at-least-once",
            "x-overflow": "reject-publish",
        }


DEAD_QUEUE_ARGUMENTS: Arguments = {"x-queue-type": "quorum", "x-delivery-limit": NEVER}


def dead_queue(service: str) -> str:
    """Name of a service's dead queue, and of the key that leads there on `warren.dead`."""
    return f"{service}.dead"


def retry_exchange(service: str) -> str:
    """Name of a service's own topic exchange: retried and replayed events come back through it."""
    return f"{service}.again"


def delay_queues(queues: Iterable[Queue]) -> tuple[DelayQueue, ...]:
    """Return the delay queues of a service's work queues, the shortest delay first."""
    delays = {(queue.service, delay) for queue in queues for delay in queue.on_failure.delays}
    return tuple(DelayQueue(service, delay) for service, delay in sorted(delays))


def partition(room: str, partitions: int) -> int:
    """Return the partition of a room: the unit of order, of bundles and of gateway bindings."""
    return crc32(room.encode()) % partitions


def chat_queue(number: int, partitions: int) -> str:
    """Name of a command queue; P is part of it, so that a gateway with another P finds nothing."""
    return f"chat.commands.{number}-of-{partitions}"


def _bind(exchange: str, *keys: str) -> tuple[Binding, ...]:
    return tuple(Binding(exchange, key) for key in keys)


@dataclass(frozen=True, slots=True)
class Topology:
    """All work queues of a deployment with `partitions` partitions. A new service adds its queue in `queues`."""

    partitions: int = 16
    queues: tuple[Queue, ...] = field(init=False)

    def __post_init__(self) -> None:
        chat = tuple(
            Queue(
                chat_queue(p, self.partitions),
                "chat",
                _bind(COMMANDS, f"chat.{p}"),
                single_active=True,
                answers=f"room.{p}",
            )
            for p in range(self.partitions)
        )
        others = (
            Queue(READS, "chat", _bind(EPHEMERAL, "user.read")),
            Queue(
                "presence.events",
                "presence",
                _bind(EVENTS, "signal.#", "session.#", "gateway.beat", "user.rename"),
                single_active=True,
            ),
            Queue("audit.events", "audit", (*_bind(COMMANDS, "#"), *_bind(EVENTS, "#"))),
        )
        object.__setattr__(self, "queues", chat + others)

    def of(self, service: str) -> tuple[Queue, ...]:
        """Work queues that a service consumes."""
        return tuple(q for q in self.queues if q.service == service)

    def services(self) -> tuple[str, ...]:
        """Services with work queues, and so with retry and dead queues, in order."""
        return tuple(dict.fromkeys(q.service for q in self.queues))

    def named(self, name: str) -> Queue | None:
        """Return the work queue of that name."""
        return next((q for q in self.queues if q.name == name), None)

    def dead_queues(self) -> tuple[str, ...]:
        """Names of all dead queues."""
        return tuple(dead_queue(s) for s in self.services())

    def destinations(self, publisher: str) -> Iterator[Queue]:
        """Durable queues that must exist before `publisher` publishes, lest a message vanish unrouted."""
        for queue in self.queues:
            needed = queue.service == "audit" or (publisher == "gateway" and queue.service in {"chat", "presence"})
            if needed and queue.service != publisher:
                yield queue


def room_key(kind: str, room: str, partitions: int) -> str:
    """Routing key of what belongs to a room; `kind` is chat (commands), room (facts) or signal."""
    return f"{kind}.{partition(room, partitions)}"
