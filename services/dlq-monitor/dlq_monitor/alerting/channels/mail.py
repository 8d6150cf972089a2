"""Mail over SMTP, in a thread of its own: the standard library's client knows all of TLS and nothing of asyncio."""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from typing import Literal, Self
from urllib.parse import unquote, urlsplit

from dlq_monitor.alerting import wording
from dlq_monitor.alerting.channels.base import FOR_PEOPLE, TIMEOUT, DeliveryError
from dlq_monitor.alerting.model import Notice

_SCHEMES: dict[str, tuple[Literal["starttls", "tls", "plain"], int]] = {
    "smtp": ("starttls", 587),
    "smtps": ("tls", 465),
    "smtp+plain": ("plain", 25),
}


@dataclass(frozen=True, slots=True)
class Server:
    """An SMTP server: `smtp://` insists on STARTTLS, `smtps://` is TLS at once, `smtp+plain://` is neither."""

    host: str
    port: int
    security: Literal["starttls", "tls", "plain"]
    user: str
    password: str

    @classmethod
    def of(cls, url: str) -> Self:
        """Read it from a URL; raises `ValueError` for any other."""
        parts = urlsplit(url)
        if parts.scheme not in _SCHEMES or not parts.hostname:
            raise ValueError("must be smtp://, smtps:// or smtp+plain://[user:password@]host[:port]")
        security, port = _SCHEMES[parts.scheme]
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        return cls(parts.hostname, parts.port or port, security, user, password)


class MailChannel:
    """One mail per notice, from `sender` to `recipients`. `ca` is a file of further certificates to trust."""

    name = "mail"
    kinds = FOR_PEOPLE

    def __init__(self, server: Server, sender: str, recipients: tuple[str, ...], ca: str = "") -> None:
        self._server = server
        self._sender = sender
        self._recipients = recipients
        self._ca = ca

    async def send(self, notice: Notice) -> None:
        """Send it."""
        message = self._message(notice)
        try:
            await asyncio.to_thread(self._deliver, message)
        except (smtplib.SMTPException, OSError, ValueError) as e:
            raise DeliveryError(f"{type(e).__name__}: {e}") from None

    def _message(self, notice: Notice) -> EmailMessage:
        message = EmailMessage()
        message["Subject"] = f"[Warren] {wording.title(notice)}"
        message["From"] = self._sender
        message["To"] = ", ".join(self._recipients)
        message["Date"] = format_datetime(notice.time)
        message["Message-ID"] = make_msgid(domain="warren.invalid")
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(wording.text(notice))
        return message

    def _deliver(self, message: EmailMessage) -> None:
        server = self._server
        context = ssl.create_default_context()
        if self._ca:
            context.load_verify_locations(self._ca)
        if server.security == "tls":
            client: smtplib.SMTP = smtplib.SMTP_SSL(server.host, server.port, timeout=TIMEOUT, context=context)
        else:
            client = smtplib.SMTP(server.host, server.port, timeout=TIMEOUT)
        with client:
            if server.security == "starttls":
                client.starttls(context=context)
            if server.user:
                client.login(server.user, server.password)
            if refused := client.send_message(message):
                raise smtplib.SMTPRecipientsRefused(refused)
