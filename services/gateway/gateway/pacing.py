"""Requests of one address go at a pace: what is above it waits, and what would wait too long is refused, late."""

from __future__ import annotations

import asyncio

from fastapi.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.limits import BURST_SECONDS, Rates
from warren.http import OPERATIONS

PATIENCE = 2.0
"""Seconds that a request waits for its turn."""

SERVICES = 5
"""Requests to the API cost as much as that many files: they are worked, by the services behind too."""

COSTLY = {"/api/rooms": 3}
"""What asks the store about many rooms counts as that many requests."""


class PacedRequests:
    """Lets through `rate` API requests per second and address, or `SERVICES` times as many files; 0: all.

    Probes and metrics have a pace of their own, so that no flood from their address makes a healthy gateway look ill.
    A refusal comes when the patience is over: who asks again at once gains nothing.
    """

    def __init__(self, app: ASGIApp, rate: float) -> None:
        self._app = app
        self._rates = Rates(rate * SERVICES, BURST_SECONDS * rate * SERVICES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request in its turn."""
        if scope["type"] == "http" and (wait := self._wait(scope)):
            await asyncio.sleep(min(wait, PATIENCE))
            if wait > PATIENCE:
                refusal = JSONResponse({"detail": "too many requests from this address"}, 429, {"Retry-After": "1"})
                await refusal(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _wait(self, scope: Scope) -> float:
        path: str = scope["path"]
        key = (scope["client"][0] if scope["client"] else "", path in OPERATIONS)
        cost = SERVICES * COSTLY.get(path, 1) if path.startswith("/api/") else 1
        wait = self._rates.spend(key, cost)
        if wait > PATIENCE:
            self._rates.spend(key, -cost)  # it is not served
        return wait
