"""Opening a websocket to a gateway, and what its refusals and close codes mean."""

from __future__ import annotations

import base64
import ipaddress
from urllib.parse import urlsplit, urlunsplit

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidStatus
from websockets.typing import Subprotocol

from warren.client.errors import ClientError, RefusedError, TokenExpiredError, UnreachableError
from warren.contracts.closing import CLOSE_CODES, EXPIRED
from warren.contracts.frames import PROTOCOL

OPEN_SECONDS = 10.0
PING_SECONDS = 10.0
"""A link that answers no ping for this long counts as dead."""

FRAME_LIMIT = 64 * 1024 * 1024
"""Bytes: a snapshot is a whole page of the largest bodies."""

_CODES = {code.code: code for code in CLOSE_CODES}
_PASSING = frozenset({408, 425, 429})


def websocket_url(base: str) -> str:
    """Turn `http://host:port` into `ws://host:port/ws`, https into wss."""
    parts = urlsplit(base)
    scheme = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}.get(parts.scheme)
    if scheme is None or not parts.netloc:
        raise RefusedError("url", f"{base!r} is no gateway's address; it looks like http://127.0.0.1:8080")
    return urlunsplit((scheme, parts.netloc, parts.path.rstrip("/") + "/ws", "", ""))


def is_loopback(base: str) -> bool:
    """Return whether an address is on this machine, where no proxy from the environment may come between."""
    host = urlsplit(base).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def open_socket(base: str, token: str | None) -> ClientConnection:
    """Connect to the gateway at `base`; the token goes in the header, never in the URL.

    Raises `RefusedError` where trying again is of no use, else `UnreachableError`.
    """
    try:
        return await connect(
            websocket_url(base),
            subprotocols=[Subprotocol(PROTOCOL)],
            additional_headers={"Authorization": f"Bearer {token}"} if token else None,
            compression=None,
            proxy=None if is_loopback(base) else True,
            open_timeout=OPEN_SECONDS,
            ping_interval=PING_SECONDS,
            ping_timeout=PING_SECONDS,
            close_timeout=2,
            max_size=FRAME_LIMIT,
        )
    except InvalidStatus as e:
        raise _http_refusal(base, e) from None
    except TimeoutError:
        raise UnreachableError(f"{base} took too long to answer") from None
    except (OSError, InvalidHandshake) as e:
        raise UnreachableError(f"{base} does not answer: {e}") from None


def _http_refusal(base: str, refusal: InvalidStatus) -> ClientError:
    status = refusal.response.status_code
    if 400 <= status < 500 and status not in _PASSING:
        return RefusedError(f"http_{status}", f"{base} refused the connection with HTTP {status}")
    return UnreachableError(
        f"{base} refused the connection for now with HTTP {status}",
        retry_after=seconds(refusal.response.headers.get("Retry-After")),
    )


def seconds(text: str | float | None) -> float:
    """Read a number of seconds from a header or a frame; 0.0 for none (an HTTP date counts as none)."""
    try:
        return max(0.0, float(text or 0))
    except (TypeError, ValueError):
        return 0.0


def expiry(token: str | None) -> float | None:
    """Return when a JWT says that it expires, in seconds since the epoch; None if it does not say so readably."""
    try:
        claims = (token or "").split(".")[1]
        return float(orjson.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["exp"])
    except (IndexError, KeyError, TypeError, ValueError):
        return None


def closing_error(code: int | None, reason: str | None) -> ClientError:
    """Say what a close code means: `RefusedError` if the client may not come back."""
    known = _CODES.get(code or 0)
    if known is None:
        said = f" ({code}{': ' + reason if reason else ''})" if code else ""
        return UnreachableError(f"the connection was lost{said}")
    if not known.reconnect:
        return RefusedError(known.name, reason or known.meaning)
    kind = TokenExpiredError if known is EXPIRED else UnreachableError
    return kind(f"closed by the server ({known.name}): {reason or known.meaning}", retry_after=known.after)
