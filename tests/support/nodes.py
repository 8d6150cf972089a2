"""Where a test run gets its broker and its store from: containers where they are at hand, else native nodes."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from warren.stack.broker import Broker, BrokerMissingError, find_server
from warren.stack.ports import is_free
from warren.stack.process import LOOPBACK, Process
from warren.stack.store import Store

FIRST_PORT, LAST_PORT = 20_000, 29_900
MANAGEMENT_PORT = 15672


@dataclass(frozen=True, slots=True)
class Nodes:
    """A running broker and store; the URLs are the administrator's, for the virtual host `/`."""

    amqp_url: str
    management_url: str
    mongo_url: str
    source: str


def free_port() -> int:
    """Return a port that is free now, outside of what the system hands out to outgoing connections."""
    while True:
        number = random.randint(FIRST_PORT, LAST_PORT)
        if is_free(LOOPBACK, number):
            return number


@contextmanager
def nodes(directory: Path) -> Iterator[Nodes]:
    """Start a broker and a store, of whatever kind this machine has, and stop them at the end."""
    images = _images()
    with _containers(*images) if images else _native(directory) as found:
        yield found


@contextmanager
def native_broker(directory: Path) -> Iterator[Broker]:
    """Start a broker node that a test may kill; raises `BrokerMissingError` where RabbitMQ is not installed."""
    broker = new_broker(directory)
    with _started(broker):
        yield broker


@contextmanager
def native_store(directory: Path) -> Iterator[Store]:
    """Start a store that a test may kill."""
    store = Store(directory, port=free_port())
    with _started(store):
        yield store


def remembers(broker: Broker, queue: str) -> bool:
    """Say whether a queue is on the node's disk: one that is killed half a second after declaring it forgets it.

    (RabbitMQ 3.10 keeps the names of quorum queues in a file that is written with that delay; afterwards the
    queue is there but answers no one.)
    """
    return any(queue.encode() in path.read_bytes() for path in broker.home.rglob("names.dets"))


def has_native_broker() -> bool:
    """Say whether RabbitMQ is installed here."""
    try:
        find_server()
    except BrokerMissingError:
        return False
    return True


def new_broker(directory: Path) -> Broker:
    """Return a broker node that is not started yet, with the administrator as its only user."""
    return Broker(
        directory,
        users=(),
        port=free_port(),
        management_port=free_port(),
        distribution_port=free_port(),
        metrics_port=free_port(),
    )


@contextmanager
def _native(directory: Path) -> Iterator[Nodes]:
    broker, store = new_broker(directory), Store(directory, port=free_port())
    with _started(broker, store):
        yield Nodes(broker.url, broker.management_url, store.url, "native")


@contextmanager
def _started(*processes: Process) -> Iterator[None]:
    """Run them from this thread, whose end the kernel would take for theirs."""

    async def start() -> None:
        await asyncio.gather(*(p.start() for p in processes))
        await asyncio.gather(*(p.ready() for p in processes))

    async def stop() -> None:
        await asyncio.gather(*(p.stop() for p in processes))

    try:
        asyncio.run(start())
        yield
    finally:
        for process in processes:
            process.kill()  # nothing here is kept: an orderly end would only take time
        asyncio.run(stop())


def _images() -> tuple[str, str] | None:
    """Return local images of broker and store, or None where no engine answers or one is missing."""
    import docker  # type: ignore[import-untyped]  # testcontainers brings it along, without types
    from docker.errors import DockerException  # type: ignore[import-untyped]

    try:
        client = docker.from_env(timeout=2)
        tags = sorted((t for image in client.images.list() for t in image.tags), reverse=True)
    except DockerException:
        return None
    broker = next((t for t in tags if t.startswith("rabbitmq:") and t.endswith("-management")), None)
    store = next((t for t in tags if t.startswith("mongo:")), None)
    return (broker, store) if broker and store else None


@contextmanager
def _containers(broker_image: str, store_image: str) -> Iterator[Nodes]:
    from testcontainers.community.mongodb import MongoDbContainer
    from testcontainers.community.rabbitmq import RabbitMqContainer

    with (
        RabbitMqContainer(broker_image).with_exposed_ports(MANAGEMENT_PORT) as broker,
        MongoDbContainer(store_image) as store,
    ):
        who = f"{broker.username}:{broker.password}"
        host = broker.get_container_host_ip()
        yield Nodes(
            f"amqp://{who}@{host}:{broker.get_exposed_port(broker.port)}/",
            f"http://{who}@{host}:{broker.get_exposed_port(MANAGEMENT_PORT)}",
            store.get_connection_url(),
            "containers",
        )
