"""What chat, presence, audit and any further consuming service have in common, composed once.

Three AMQP connections (a blocked or broken one must not take the others along): facts out, work in, failed events
out. The store is prepared before the first delivery is taken.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from tenacity import AsyncRetrying, retry_if_exception_type, wait_random_exponential

from warren.errors import DependencyDownError, TransientError
from warren.health import Health
from warren.messaging import Consumer, Link, Publisher
from warren.messaging.codec import Accepted
from warren.messaging.declare import owner, publisher
from warren.messaging.worker import Handler
from warren.runtime import Part
from warren.settings import Settings
from warren.storage import STORE, Mongo


class Consuming:
    """Links, publishers, consumers and health checks of a consuming service.

    `mongo` is its store, if it has one, and `prepare` makes indexes there. `facts` publishes on `warren.events`.
    """

    def __init__(
        self,
        settings: Settings,
        mongo: Mongo | None = None,
        *,
        prepare: Callable[[], Awaitable[None]] | None = None,
        setup: Callable[..., Awaitable[None]] | None = None,
    ) -> None:
        self._settings = settings
        self._mongo = mongo
        self.health = Health(settings.alive_file)
        own = setup or owner(settings.topology, settings.service)
        self._work = self._link("work", own)
        self._facts = self._link("facts", publisher(settings.topology, settings.service))
        self._failed = self._link("failed", own)
        self.facts = Publisher(self._facts, settings.service, timeout=settings.publish_timeout)
        self.failed = Publisher(self._failed, settings.service, timeout=settings.publish_timeout)
        self.consumers: list[Consumer] = []
        self._ready = _Preparation(prepare)
        self.health.add("broker", self._broker_is_well)
        if mongo is not None:
            self.health.add(STORE, mongo.ping)

    def consume(
        self,
        queue: str,
        handler: Handler,
        *,
        accepts: Accepted | None,
        on_open: Callable[[], None] | None = None,
        on_close: Callable[[], None] | None = None,
        whole: bool = False,
    ) -> Consumer:
        """Work a queue (see `Consumer`)."""
        consumer = Consumer(
            self._work,
            self._settings.topology.named(queue) or queue,
            handler,
            service=self._settings.service,
            instance=self._settings.name,
            failed=self.failed,
            accepts=accepts,
            probes=self._probes(),
            on_open=on_open,
            on_close=on_close,
            batch_size=self._settings.batch_size,
            prefetch=self._settings.prefetch,
            whole=whole,
        )
        self.consumers.append(consumer)
        return consumer

    @property
    def parts(self) -> list[Part]:
        """Parts of the service in their starting order."""
        first: list[Part] = [self._failed, self._facts, self._work]
        return [*first, _Prepared(self.consumers, self._ready, self._facts)]

    def _link(self, purpose: str, setup: Callable[..., Awaitable[None]] | None) -> Link:
        settings = self._settings
        name = f"{settings.name} {purpose}"
        return Link(settings.amqp_url.get_secret_value(), name, heartbeat=settings.amqp_heartbeat, setup=setup)

    def _probes(self) -> Mapping[str, Callable[[], Awaitable[None]]]:
        async def broker() -> None:
            await self.facts.probe()
            await self.failed.probe()

        probes: dict[str, Callable[[], Awaitable[None]]] = {"broker": broker}
        if self._mongo is not None:
            probes[STORE] = self._mongo.ping
        return probes

    async def _broker_is_well(self) -> None:
        for link in (self._work, self._facts, self._failed):
            if not link.connected:
                raise DependencyDownError("broker", f"{link.name}: {link.reason}")
        await self.facts.probe()
        waiting = [c.queue for c in self.consumers if not c.consuming]
        if waiting:
            raise TransientError(f"not consuming {waiting[0]}" + (f" and {len(waiting) - 1} more" * (len(waiting) > 1)))


class _Preparation:
    """Runs `prepare` once, again until the store answers."""

    def __init__(self, prepare: Callable[[], Awaitable[None]] | None) -> None:
        self._prepare = prepare
        self._lock = asyncio.Lock()

    async def wait(self) -> None:
        async with self._lock:
            if self._prepare is not None:
                await self._until_done(self._prepare)
                self._prepare = None

    @staticmethod
    async def _until_done(prepare: Callable[[], Awaitable[None]]) -> None:
        async for attempt in AsyncRetrying(
            wait=wait_random_exponential(multiplier=0.1, max=2), retry=retry_if_exception_type(DependencyDownError)
        ):
            with attempt:
                await prepare()


class _Prepared:
    """Consumers that start when the store is prepared and facts can go out, and drain at the same time."""

    def __init__(self, consumers: Sequence[Consumer], ready: _Preparation, facts: Link) -> None:
        self._consumers = consumers
        self._ready = ready
        self._facts = facts

    async def run(self) -> None:
        await self._ready.wait()
        await self._facts.connection()
        await asyncio.gather(*[c.run() for c in self._consumers])
        await _for_ever()

    async def drain(self) -> None:
        await asyncio.gather(*[c.drain() for c in self._consumers])


async def _for_ever() -> None:
    """Wait for the cancellation: a drained consumer is no failure."""
    await asyncio.Event().wait()
