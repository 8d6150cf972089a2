"""Warren's services in the process of the test."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import httpx

from tests.support.nodes import free_port
from tests.support.space import Space
from tests.support.waiting import eventually
from warren.runtime import Service, serve
from warren.settings import Settings

S = TypeVar("S", bound=Settings)


@dataclass
class Running:
    """A service that runs; `http` has its address and the service token."""

    service: Service
    url: str
    http: httpx.AsyncClient
    task: asyncio.Task[int]
    stopping: asyncio.Event

    async def is_ready(self) -> bool:
        """Ask `/readyz`."""
        try:
            return (await self.http.get("/readyz")).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    async def stop(self) -> int:
        """Drain it and return its exit code."""
        self.stopping.set()
        code = await self.task
        await self.http.aclose()
        return code


@dataclass
class Services:
    """Starts services for one test: `await services.start(build, ChatSettings, partitions=4)`."""

    space: Space
    running: list[Running] = field(default_factory=list)

    async def start(
        self, build: Callable[[S], Service], settings: type[S], *, wait: bool = True, **overrides: object
    ) -> Running:
        """Build a service with the test's own broker, store and a free port, run it, and wait until it is ready."""
        port = free_port()
        service = build(settings(**{**self.space.settings, "port": port, **overrides}))  # type: ignore[arg-type]
        stopping = asyncio.Event()
        http = httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}",
            headers={"Authorization": f"Bearer {self.space.settings['service_token']}"},
            timeout=10,
        )
        task = asyncio.create_task(serve(service, stopping))
        started = Running(service, f"http://127.0.0.1:{port}", http, task, stopping)
        self.running.append(started)
        if wait:
            await eventually(started.is_ready, 20, what=f"{service.settings.service} is ready")
        return started

    async def stop(self) -> None:
        """Stop what still runs."""
        for running in reversed(self.running):
            if not running.task.done():
                await running.stop()
            await running.http.aclose()
