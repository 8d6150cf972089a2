"""A feed: facts for this process only, through an exclusive queue that dies with its connection.

Each connection gets a queue under a fresh name, bounded in length: a full one drops the oldest silently, so whoever
reads a feed compares what it has with the source from time to time (`on_reset` says when it must).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence

from aio_pika.abc import AbstractConnection, AbstractQueue

from warren.envelope import Event
from warren.errors import ContractError
from warren.ids import uuid7
from warren.messaging import codec
from warren.messaging.connection import LOST, Link, own_cancellation_only
from warren.messaging.datapath import Consuming, Delivery, consuming
from warren.messaging.declare import declare_public_exchanges
from warren.messaging.stream import RPC_TIMEOUT

log = logging.getLogger(__name__)

MAX_LENGTH = 100_000
PREFETCH = 1000
Key = tuple[str, str]


class Feed:
    """Delivers events of the bound keys to `handler`, in order; bindings may change at any time."""

    def __init__(
        self,
        url: str,
        name: str,
        *,
        heartbeat: int,
        prefix: str,
        accepts: codec.Accepted,
        handler: Callable[[Sequence[Event]], None],
        on_reset: Callable[[], None],
    ) -> None:
        self.link = Link(url, name, heartbeat=heartbeat, setup=self._setup)
        self._name = name
        self._prefix = prefix
        self._accepts = accepts
        self._handler = handler
        self._on_reset = on_reset
        self._wanted: set[Key] = set()
        self._bound: set[Key] = set()
        self._queue: AbstractQueue | None = None
        self._consuming: Consuming | None = None
        self._binding = asyncio.Lock()

    async def run(self) -> None:
        """Keep the feed open until cancelled."""
        await self.link.run()

    async def drain(self) -> None:
        """Nothing to finish."""

    async def bind(self, exchange: str, key: str) -> None:
        """Begin to receive `key`; returns when the broker routes it here. Waits while the broker is away."""
        wanted = (exchange, key)
        if wanted in self._bound and self.link.connected:
            return
        while True:
            self._wanted.add(wanted)
            connection = await self.link.connection()
            queue = self._queue
            try:
                async with self._binding, own_cancellation_only():
                    if wanted in self._bound and queue is self._queue:
                        return  # by one of many who wanted it at once, and waited for this one's turn
                    if queue is not None:
                        await queue.bind(exchange, key, timeout=RPC_TIMEOUT)
                        self._bound.add(wanted)
                        return
            except LOST as e:
                self.link.renew(f"binding failed: {type(e).__name__}: {e}", connection)

    async def unbind(self, exchange: str, key: str) -> None:
        """Stop receiving `key`; without a connection there is nothing to stop."""
        self._wanted.discard((exchange, key))
        self._bound.discard((exchange, key))
        queue = self._queue
        if queue is None or not self.link.connected:
            return
        try:
            async with self._binding, own_cancellation_only():
                if (exchange, key) not in self._wanted:
                    await queue.unbind(exchange, key, timeout=RPC_TIMEOUT)
        except LOST as e:
            self.link.renew(f"unbinding failed: {type(e).__name__}: {e}")

    async def _setup(self, connection: AbstractConnection) -> None:
        async with connection.channel() as declaring:
            await declare_public_exchanges(declaring)
        channel = await connection.channel(publisher_confirms=False)
        await channel.set_qos(prefetch_count=PREFETCH, timeout=RPC_TIMEOUT)
        underlay = await channel.get_underlay_channel()
        underlay.on_consumer_cancel_callbacks.add(
            lambda _: self.link.renew("the feed's consumer was cancelled", connection)
        )
        channel.close_callbacks.add(lambda *_: self.link.renew("the feed's channel was closed", connection))
        queue = await channel.declare_queue(
            f"{self._prefix}.{uuid7()[:18]}",
            exclusive=True,
            auto_delete=True,
            arguments={"x-max-length": MAX_LENGTH, "x-overflow": "drop-head"},
            timeout=RPC_TIMEOUT,
        )
        self._bound.clear()
        for exchange, key in sorted(self._wanted):
            await queue.bind(exchange, key, timeout=RPC_TIMEOUT)
            self._bound.add((exchange, key))
        pending: list[Delivery] = []

        def on_delivery(message: Delivery) -> None:
            if not pending:
                asyncio.get_running_loop().call_soon(flush)
            pending.append(message)

        def flush() -> None:
            messages, pending[:] = list(pending), []
            self._deliver(messages)
            with contextlib.suppress(ConnectionError):  # a lost channel: its queue is gone, and all that was in it
                receiving.ack(messages[-1])

        receiving = self._consuming = await consuming(connection, channel, on_delivery)
        await receiving.subscribe(queue.name, self._name)
        self._queue = queue
        self._on_reset()

    def _deliver(self, messages: list[Delivery]) -> None:
        events: list[Event] = []
        for message in messages:
            try:
                ours = [e for e in codec.split(message) if e.type in self._accepts]
                events += [codec.decode(e, self._accepts) for e in ours]
            except ContractError as e:
                log.warning(
                    "a broken fact is left out",
                    extra={"fields": {"key": message.routing_key, "reason": str(e)}},
                )
        if events:
            self._handler(events)
