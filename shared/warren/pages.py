"""Pages that services serve, and the headers that keep them safe. What pages share lies in `warren/web`."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI, Response
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles
from starlette.datastructures import MutableHeaders
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

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

    app.add_middleware(SecureAnswers)


class SecureAnswers:
    """Puts the security headers on every answer that does not bring its own."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        document = {"Content-Security-Policy": DOCUMENTS_CSP} if scope["path"] in _DOCUMENTS else {}

        async def secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(document)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, secured)


def _files(directory: Path) -> ASGIApp:
    """Serve files, compressed: scripts and styles shrink to a third."""
    return GZipMiddleware(StaticFiles(directory=directory))
