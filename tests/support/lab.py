"""A small service for tests of the runtime: one queue, one contract, a handler of the test's own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import ClassVar

from warren.contracts import Contract
from warren.envelope import Event, event
from warren.messaging import Consumer, Link, Publisher, accept
from warren.messaging.connection import Setup
from warren.messaging.declare import declare_public_exchanges, declare_service
from warren.topology import EVENTS, Binding, Queue

SERVICE = "lab"
QUEUE = Queue("lab.events", SERVICE, (Binding(EVENTS, "lab.#"),), single_active=True)
DEAD = "lab.dead"
KEY = "lab.1"


class Sample(Contract):
    """The event that the lab works."""

    TYPE: ClassVar[str] = "lab.sample.v1"
    n: int


def sample(n: int, key: str = KEY) -> Event:
    """Return the sample number `n`."""
    return event(Sample(n=n), EVENTS, key)


def number(one: Event) -> int:
    """Return the number of a sample."""
    assert isinstance(one.data, Sample)
    return one.data.n


def owns_lab() -> Setup:
    """Declare the lab's queues."""

    async def setup(connection) -> None:  # type: ignore[no-untyped-def]
        async with connection.channel() as channel:
            await declare_public_exchanges(channel)
            await declare_service(channel, SERVICE, [QUEUE])

    return setup


class Lab:
    """Links, publisher and consumers on one broker; `seen` are the numbers that were handled, by batch."""

    def __init__(self, url: str, *, heartbeat: int = 6, timeout: float = 8) -> None:
        self.url = url
        self.seen: list[list[int]] = []
        self._heartbeat = heartbeat
        self._timeout = timeout
        self._tasks: list[asyncio.Task[None]] = []
        self.publisher = self.new_publisher("facts")
        self.failed = self.new_publisher("failed")

    @property
    def numbers(self) -> list[int]:
        """All numbers in the order of handling."""
        return [n for batch in self.seen for n in batch]

    def link(self, purpose: str) -> Link:
        """Open a link that declares the lab."""
        link = Link(self.url, f"lab {purpose}", heartbeat=self._heartbeat, setup=owns_lab())
        self._spawn(link.run())
        return link

    def new_publisher(self, purpose: str) -> Publisher:
        """Return a publisher on a link of its own."""
        return Publisher(self.link(purpose), SERVICE, timeout=self._timeout)

    async def note(self, events: Sequence[Event]) -> None:
        """Handle a batch: remember it."""
        self.seen.append([number(e) for e in events])

    def consume(
        self,
        handler: Callable[[Sequence[Event]], Awaitable[None]] | None = None,
        *,
        probes: Mapping[str, Callable[[], Awaitable[None]]] | None = None,
        batch_size: int = 200,
        prefetch: int = 400,
    ) -> Consumer:
        """Start a consumer."""
        consumer = Consumer(
            self.link("work"),
            QUEUE,
            handler or self.note,
            service=SERVICE,
            instance="lab@test",
            failed=self.failed,
            accepts=accept(Sample),
            probes={"broker": self.publisher.probe} | dict(probes or {}),
            batch_size=batch_size,
            prefetch=prefetch,
        )
        self._spawn(consumer.run())
        return consumer

    async def publish(self, numbers: Sequence[int], key: str = KEY) -> None:
        """Publish samples, in order, each confirmed."""
        await self.publisher.publish_all([sample(n, key) for n in numbers])

    async def close(self) -> None:
        """End everything."""
        left = set(self._tasks)
        while left:
            for task in left:
                task.cancel()
            _, left = await asyncio.wait(left, timeout=1)

    def _spawn(self, work: Awaitable[None]) -> None:
        self._tasks.append(asyncio.ensure_future(work))  # type: ignore[arg-type]
