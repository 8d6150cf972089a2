"""The web client and the headers that keep pages safe."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fastapi import FastAPI, Request, Response
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles
from starlette.middleware.base import RequestResponseEndpoint

from gateway.origins import Origins

WEB = Path(__file__).parent / "web"

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-cache",
}
_DOCUMENTS = {"/docs", "/redoc"}
DOCUMENTS_CSP = (  # FastAPI's own pages bring scripts from elsewhere, and in the page
    "default-src 'none'; script-src https://cdn.jsdelivr.net 'unsafe-inline'; worker-src blob:; connect-src 'self'; "
    "style-src https://cdn.jsdelivr.net https://fonts.googleapis.com 'unsafe-inline'; "
    "font-src https://fonts.gstatic.com; img-src https: data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def add_pages(app: FastAPI, origins: Sequence[str]) -> None:
    """Serve the client at `/`, its files under `/web`, and add security headers to every answer.

    Pages of the named origins may use the REST interface, too; with a token, not with credentials of the browser's.
    """

    @app.get("/", include_in_schema=False)
    async def index() -> Response:
        return FileResponse(WEB / "index.html")

    app.mount("/web", StaticFiles(directory=WEB), name="web")

    @app.middleware("http")
    async def secure(request: Request, call_next: RequestResponseEndpoint) -> Response:
        answer = await call_next(request)
        if request.url.path in _DOCUMENTS:
            answer.headers["Content-Security-Policy"] = DOCUMENTS_CSP
        for name, value in HEADERS.items():
            answer.headers.setdefault(name, value)
        return answer

    app.add_middleware(
        CORSMiddleware,
        allow_origin_regex=Origins(origins).pattern,
        allow_methods=["GET", "POST"],
        allow_headers=["Authorization", "Content-Type"],
        expose_headers=["Retry-After"],
    )
