"""Run a service: set up, start its parts, serve HTTP, and on SIGTERM drain them in order.

A part that ends by itself or fails ends the process with exit code 1: whoever supervises it starts a fresh one.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import uvicorn
import uvloop
from starlette.types import ASGIApp

from warren.errors import WarrenError
from warren.health import Health
from warren.observability import logging as logs
from warren.observability import tracing
from warren.observability.watchdog import Watchdog
from warren.settings import Settings

log = logging.getLogger(__name__)


class Part(Protocol):
    """Something that runs as long as the process: a link, a consumer, a health check."""

    async def run(self) -> None:
        """Run until cancelled."""

    async def drain(self) -> None:
        """Take nothing new and finish what has begun."""


@dataclass
class Service:
    """A composed service: `parts` are started in order and drained in reverse order."""

    settings: Settings
    health: Health
    app: ASGIApp
    parts: Sequence[Part]
    on_stop: Sequence[Callable[[], object]] = ()
    uvicorn_options: dict[str, Any] = field(default_factory=dict)


class _Server(uvicorn.Server):
    """Uvicorn without signal handlers of its own: the runtime decides when it stops."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


T = TypeVar("T", bound=Settings)


def main(settings: type[T], build: Callable[[T], Service]) -> None:
    """Entry point of every service's `__main__`: exits with 0 after a drain, 1 after a failure, 2 on bad settings."""
    try:
        loaded = settings.load()
        logs.configure(loaded.service, loaded.name, loaded.log_level)
        gc.freeze()  # the modules stay: without them, a full collection is shorter by some 50 ms
        sys.exit(uvloop.run(_run(loaded, build)))
    except WarrenError as e:
        log.critical(str(e))
        sys.exit(2)


async def _run(settings: T, build: Callable[[T], Service]) -> int:
    provider = tracing.configure(settings.service, settings.name)
    try:
        return await serve(build(settings))
    finally:
        provider.shutdown()


async def serve(service: Service, stop: asyncio.Event | None = None) -> int:
    """Run a service until a signal (or `stop`) and drain it; returns the exit code. Cancelled, it ends undrained."""
    began = time.monotonic()
    stopping = stop or _stop_on_signals()
    settings = service.settings
    server = _Server(
        uvicorn.Config(
            service.app,
            host=settings.host,
            port=settings.port,
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            **service.uvicorn_options,
        )
    )
    parts: list[Part] = [Watchdog(), service.health, *service.parts]
    running = {asyncio.create_task(p.run(), name=type(p).__name__): p for p in parts}
    http = asyncio.create_task(server.serve(), name="http")
    waiting = asyncio.create_task(stopping.wait(), name="stop")
    log.info("started", extra={"fields": {"host": settings.host, "port": settings.port}})
    try:
        done, _ = await asyncio.wait({*running, http, waiting}, return_when=asyncio.FIRST_COMPLETED)
    except asyncio.CancelledError:
        await _cancel({*running, http, waiting})
        raise
    failed = [t for t in done if t is not waiting]
    for task in failed:
        error = None if task.cancelled() else task.exception()
        log.critical("a part ended by itself", extra={"fields": {"part": task.get_name()}}, exc_info=error)
    log.info("draining", extra={"fields": {"after_s": round(time.monotonic() - began, 1)}})
    await _drain(list(reversed(service.parts)), service.health, settings.drain_seconds)
    server.should_exit = True
    waiting.cancel()
    await _cancel(running)
    with contextlib.suppress(TimeoutError, asyncio.CancelledError):  # it may hold connections that never end
        await asyncio.wait_for(http, 5)
    for close in service.on_stop:
        result = close()
        if asyncio.iscoroutine(result):
            await result
    log.info("stopped")
    return 1 if failed else 0


async def _drain(parts: Sequence[Part], health: Health, seconds: float) -> None:
    await health.drain()
    try:
        async with asyncio.timeout(seconds):
            for part in parts:
                await part.drain()
    except TimeoutError:
        log.warning("not everything was finished in time", extra={"fields": {"seconds": seconds}})


async def _cancel(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks until all have ended: a library may take one cancellation for an error of its own."""
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=1)


def _stop_on_signals() -> asyncio.Event:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    return stopping
