"""The HTTP side that all services share: operations' endpoints, the token between services, error answers."""

from __future__ import annotations

import hmac
import logging
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import httpx
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from warren import __version__
from warren.contracts import REGISTRY
from warren.errors import ContractError, DependencyDownError
from warren.health import Health
from warren.observability import tracing
from warren.settings import Settings

log = logging.getLogger(__name__)

_not_ready: dict[int | str, dict[str, Any]] = {503: {"description": "An essential neighbour fails, or it drains"}}
_not_inside: dict[int | str, dict[str, Any]] = {403: {"description": "No clients, please"}}
OPERATIONS = ("/livez", "/readyz", "/health", "/lb", "/metrics", "/info")
UNTRACED = ",".join((*OPERATIONS, "/ws"))
_bearer = HTTPBearer(auto_error=False, description="The token between services, WARREN_SERVICE_TOKEN")


def create_app(settings: Settings, health: Health, **options: Any) -> FastAPI:
    """Return an app with `/livez /readyz /health /lb /metrics /info`; the service adds its own routes."""
    app = FastAPI(title=f"Warren {settings.service}", version=__version__, **options)
    _add_operations(app, settings, health)

    @app.exception_handler(DependencyDownError)
    async def away(_: Request, error: DependencyDownError) -> Response:
        return JSONResponse({"detail": str(error)}, 503, {"Retry-After": "2"})

    @app.exception_handler(ContractError)
    async def wrong(_: Request, error: ContractError) -> Response:
        return JSONResponse({"detail": str(error)}, 422)

    if tracing.exporting():  # it costs each request a third of a millisecond
        from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor  # noqa: PLC0415 - as late, see tracing

        FastAPIInstrumentor.instrument_app(app, excluded_urls=UNTRACED, exclude_spans=["send", "receive"])
    return app


def service_token(settings: Settings) -> Callable[..., Awaitable[None]]:
    """Return a dependency that lets only holders of the service token in."""
    wanted = settings.service_token.get_secret_value()

    async def check(given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]) -> None:
        if not wanted:
            raise HTTPException(403, "this endpoint needs WARREN_SERVICE_TOKEN to be set")
        if given is None or not hmac.compare_digest(given.credentials.encode(), wanted.encode()):
            raise HTTPException(401, "a valid service token is needed", {"WWW-Authenticate": "Bearer"})

    return check


def neighbour(base_url: str, settings: Settings, timeout: float = 5.0) -> httpx.AsyncClient:
    """Return a client for another service's HTTP endpoints, with the service token."""
    token = settings.service_token.get_secret_value()
    return httpx.AsyncClient(
        base_url=base_url,
        timeout=httpx.Timeout(timeout, connect=1.0),
        headers={"Authorization": f"Bearer {token}"},
        limits=httpx.Limits(max_connections=50, max_keepalive_connections=20, keepalive_expiry=30),
    )


def _add_operations(app: FastAPI, settings: Settings, health: Health) -> None:
    @app.get("/livez", tags=["operations"], summary="The process runs")
    async def livez() -> dict[str, str]:
        return {"status": "alive"}

    @app.get("/readyz", tags=["operations"], summary="It can do its work: 200, else 503", responses=_not_ready)
    async def readyz() -> Response:
        report = health.report()
        return JSONResponse(report, 200 if health.ready else 503)

    @app.get("/health", tags=["operations"], summary="Every neighbour, essential or not", responses=_not_ready)
    async def report() -> Response:
        found = health.report()
        return JSONResponse(found, 503 if found["status"] == "error" else 200)

    @app.get(
        "/lb", tags=["operations"], summary="For load balancers: 200 to get clients, else 403", responses=_not_inside
    )
    async def lb() -> Response:
        inside = health.in_rotation
        return JSONResponse({"in_rotation": inside}, 200 if inside else 403)

    @app.get("/metrics", tags=["operations"], summary="Prometheus metrics", response_class=PlainTextResponse)
    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    @app.get("/info", tags=["operations"], summary="Name, version, contracts")
    async def info() -> dict[str, Any]:
        return {
            "service": settings.service,
            "instance": settings.name,
            "incarnation": settings.incarnation,
            "version": __version__,
            "partitions": settings.partitions,
            "contracts": sorted(REGISTRY),
        }
