"""One AMQP connection that is opened again whenever it is lost.

Plain connections, not aio-pika's robust ones: a robust channel keeps stale state, restores in a fixed rhythm and
may take its whole connection down with it. Here everything that depends on a connection is simply built anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable

import aio_pika
from aio_pika.abc import AbstractConnection
from aio_pika.exceptions import AMQPError
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_random_exponential

from warren.errors import WarrenError
from warren.messaging.stream import Connection

log = logging.getLogger(__name__)

LOST = (AMQPError, OSError, RuntimeError, TimeoutError)
"""What aio-pika raises when a connection or channel is gone; a closed channel is a RuntimeError there."""


def back_off(tries: int) -> float:
    """Seconds to wait before try number `tries` + 1: exponential with full jitter, at most three."""
    return random.uniform(0, min(3.0, 0.05 * 2 ** min(tries, 10)))


Setup = Callable[[AbstractConnection], Awaitable[None]]


@contextlib.asynccontextmanager
async def own_cancellation_only() -> AsyncIterator[None]:
    """Tell our own cancellation from what aiormq makes of a dead link: it mixes the two up both ways.

    A CancelledError that nobody asked for becomes a ConnectionError, and so does the bare Exception that stands for a
    frame that was not written, and the StopAsyncIteration for an end before the first frame (a loop of tries around it
    would end, as if the last had worked); an error in the place of the cancellation that we did ask for becomes a
    CancelledError again, or the task would go on for ever.
    """
    task = asyncio.current_task()
    try:
        yield
    except asyncio.CancelledError:
        if task is not None and task.cancelling():
            raise
        raise ConnectionError("the broker's connection was lost") from None
    except Exception as e:
        if task is not None and task.cancelling():
            raise asyncio.CancelledError from None
        if type(e) is Exception or isinstance(e, StopAsyncIteration):
            raise ConnectionError("the broker's connection was lost") from e
        raise


class Link:
    """A connection named for operators; `setup` runs on each new one before anyone may use it."""

    def __init__(self, url: str, name: str, *, heartbeat: int, setup: Setup | None = None) -> None:
        self.name = name
        self.reason = "not connected yet"
        self.generation = 0
        self._url = url
        self._heartbeat = heartbeat
        self._setup = setup
        self._connection: AbstractConnection | None = None
        self._up = asyncio.Event()
        self._lost = asyncio.Event()

    @property
    def connected(self) -> bool:
        """Whether the connection is open and set up."""
        return self._up.is_set()

    async def connection(self) -> AbstractConnection:
        """Wait for the open connection."""
        while True:
            await self._up.wait()
            if self._connection is not None:
                return self._connection

    def renew(self, reason: str, of: AbstractConnection | None = None) -> None:
        """Give the present connection up (only if it is still `of`): it is closed, opened and set up again."""
        if of is not None and of is not self._connection:
            return
        log.warning("connection is renewed", extra={"fields": {"link": self.name, "reason": reason}})
        self.reason = reason
        self._up.clear()
        self._lost.set()

    async def run(self) -> None:
        """Keep the connection open until cancelled."""
        while True:
            try:
                self._connection = await self._attempts()(self._open)
                log.info("connected", extra={"fields": {"link": self.name}})
                self.generation += 1
                self._up.set()
                await self._lost.wait()
            finally:
                self._up.clear()
                await self._close()

    async def drain(self) -> None:
        """Nothing to finish: closing is enough."""

    async def _open(self) -> AbstractConnection:
        self._lost = lost = asyncio.Event()
        async with own_cancellation_only():
            connection = await aio_pika.connect(
                self._url,
                timeout=10,
                heartbeat=self._heartbeat,
                connection_class=Connection,
                client_properties={"connection_name": self.name, "product": "Warren"},
            )
        self._connection = connection

        def on_close(_: object, error: BaseException | None = None) -> None:
            if connection is not self._connection:
                return
            self.reason = str(error) or type(error).__name__
            self._up.clear()
            lost.set()

        connection.close_callbacks.add(on_close)
        if self._setup is not None:
            try:
                async with asyncio.timeout(20), own_cancellation_only():
                    await self._setup(connection)
            except BaseException:
                await self._close()
                raise
        return connection

    def _attempts(self) -> AsyncRetrying:
        def say(state: RetryCallState) -> None:
            error = state.outcome.exception() if state.outcome else None
            self.reason = f"{type(error).__name__}: {error}"
            log.warning(
                "cannot connect to the broker",
                extra={"fields": {"link": self.name, "reason": self.reason, "attempt": state.attempt_number}},
            )

        return AsyncRetrying(
            wait=wait_random_exponential(multiplier=0.1, max=3),
            retry=retry_if_exception_type((*LOST, WarrenError)),
            before_sleep=say,
        )

    async def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None or connection.is_closed:
            return
        with contextlib.suppress(*LOST):  # it is being thrown away: what it says no longer matters
            async with asyncio.timeout(3), own_cancellation_only():
                await connection.close()
