"""Pages that services serve, and the headers that keep them safe. What pages share lies in `warren/web`."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI, Request, Response
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles
from starlette.middleware.base import RequestResponseEndpoint
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp

SHARED = Path(__file__).parent / "web"

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


def add_page(app: FastAPI, web: Path) -> None:
    """Serve the page in the directory `web` at `/` and its files under `/web`; every answer gets security headers."""

    @app.get("/", include_in_schema=False)
    async def index() -> Response:
        return FileResponse(web / "index.html")

    app.mount("/web/shared", _files(SHARED), name="shared")
    app.mount("/web", _files(web), name="web")

    @app.middleware("http")
    async def secure(request: Request, call_next: RequestResponseEndpoint) -> Response:
        answer = await call_next(request)
        if request.url.path in _DOCUMENTS:
            answer.headers["Content-Security-Policy"] = DOCUMENTS_CSP
        for name, value in HEADERS.items():
            answer.headers.setdefault(name, value)
        return answer


def _files(directory: Path) -> ASGIApp:
    """Serve files, compressed: scripts and styles shrink to a third."""
    return GZipMiddleware(StaticFiles(directory=directory))
