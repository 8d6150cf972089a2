"""What a channel is, and what those over HTTP have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import httpx

from dlq_monitor.alerting.model import Kind, Notice
from warren.errors import WarrenError

FOR_PEOPLE: frozenset[Kind] = frozenset({"raised", "reminder", "cleared", "test"})
TIMEOUT = 10.0
"""Seconds for one delivery."""


class DeliveryError(WarrenError):
    """The counterpart did not take a notice; the message says why, and holds no secret."""


class Channel(Protocol):
    """A way to tell someone. `kinds` are the notices it is told."""

    name: str
    kinds: frozenset[Kind]

    async def send(self, notice: Notice) -> None:
        """Deliver one notice whole; raises `DeliveryError` or `DependencyDownError`. It may be called again with it."""
        ...


async def post(http: httpx.AsyncClient, url: str, **options: Any) -> None:
    """POST, and raise `DeliveryError` unless it was taken. Addresses may be secrets, so none is named."""
    try:
        answer = await http.post(url, timeout=TIMEOUT, **options)
    except (httpx.HTTPError, httpx.InvalidURL) as e:
        raise DeliveryError(f"it does not answer ({type(e).__name__})") from None
    if not answer.is_success:
        raise DeliveryError(f"it answers {answer.status_code} {answer.reason_phrase}: {answer.text[:200]}".rstrip(": "))


def bearer(token: str) -> Mapping[str, str]:
    """Return the header that carries a token, if there is one."""
    return {"Authorization": f"Bearer {token}"} if token else {}
