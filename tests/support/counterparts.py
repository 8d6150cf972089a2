"""What alerts are sent to, as real servers: one for HTTP that keeps what it gets, and one for mail."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import orjson
import uvicorn
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

HOST = "127.0.0.1"
USER, PASSWORD = "warren", "a pass:word"


@dataclass(frozen=True, slots=True)
class Taken:
    """One request."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return orjson.loads(self.body)


@dataclass
class Sink:
    """An HTTP server that takes everything at `port`, or answers `status`; Alertmanager's path asks for its shape."""

    port: int
    status: int = 200
    taken: list[Taken] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://{HOST}:{self.port}"

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Sink]:
        """Serve until the end of the block."""
        app = Starlette(routes=[Route("/{path:path}", self._take, methods=["GET", "POST"])])
        server = uvicorn.Server(uvicorn.Config(app, host=HOST, port=self.port, log_config=None, lifespan="off"))
        server.capture_signals = _no_signals  # type: ignore[method-assign]  # the test's own process keeps its own
        task = asyncio.create_task(server.serve())
        try:
            yield self
        finally:
            server.should_exit = True
            await task

    async def _take(self, request: Request) -> Response:
        taken = Taken(request.method, request.url.path, dict(request.headers), await request.body())
        if self.status == 200 and taken.path.endswith("/api/v2/alerts") and (wrong := _not_alertmanagers(taken)):
            return JSONResponse({"code": 400, "message": wrong}, 400)
        if self.status == 200:
            self.taken.append(taken)
        return JSONResponse({}, self.status)


@contextmanager
def _no_signals() -> Iterator[None]:
    yield


def _not_alertmanagers(taken: Taken) -> str:
    """Say why Alertmanager would refuse it (`postableAlerts` of its API version 2)."""
    for alert in taken.json:
        if unknown := alert.keys() - {"labels", "annotations", "startsAt", "endsAt", "generatorURL"}:
            return f"unknown {unknown}"
        names = [*alert["labels"], *alert.get("annotations", {})]
        if not alert["labels"].get("alertname") or not all(n.isidentifier() and n.isascii() for n in names):
            return f"labels {names}"
        begins, ends = (datetime.fromisoformat(alert[k]) for k in ("startsAt", "endsAt"))
        if begins.tzinfo is None or ends < begins:
            return "times"
    return ""


@dataclass
class Mailbox:
    """An SMTP server that insists on STARTTLS and a login; `ca` is what its clients must trust."""

    directory: Path
    port: int
    mails: list[EmailMessage] = field(default_factory=list)

    @property
    def ca(self) -> Path:
        """Its certificate."""
        return self.directory / "cert.pem"

    @property
    def url(self) -> str:
        """Its address with user and password."""
        return f"smtp://{USER}:a%20pass%3Aword@localhost:{self.port}"

    def certify(self) -> None:
        """Make its certificate."""
        command = (
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
        )
        more = ["-addext", "subjectAltName=DNS:localhost", "-keyout", "key.pem", "-out", "cert.pem"]
        subprocess.run([*command.split(), *more], cwd=self.directory, check=True, capture_output=True)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Mailbox]:
        """Serve until the end of the block."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.ca, self.directory / "key.pem")
        controller = Controller(
            self,
            hostname="localhost",
            port=self.port,
            tls_context=context,
            require_starttls=True,
            authenticator=_authenticated,
            auth_required=True,
        )
        await asyncio.to_thread(controller.start)
        try:
            yield self
        finally:
            await asyncio.to_thread(controller.stop)

    async def handle_DATA(self, _: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        """Keep a mail that came over TLS."""
        assert session.ssl is not None
        assert isinstance(envelope.content, bytes)
        mail = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        mail["X-Recipients"] = ",".join(envelope.rcpt_tos)
        self.mails.append(mail)
        return "250 OK"


def _authenticated(*given: Any) -> AuthResult:
    data = given[-1]
    good = isinstance(data, LoginPassword) and (data.login, data.password) == (USER.encode(), PASSWORD.encode())
    return AuthResult(success=good)
