"""Which pages may use the gateway: its own, and those that were named."""

from __future__ import annotations

import re
from collections.abc import Sequence

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

_ORIGIN = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<any>\*\.)?(?P<host>[a-z0-9.-]+|\[[0-9a-f:.]+\])(?P<port>:\d+)?"
)
_LABELS = r"(?:[a-z0-9_-]+\.)+"


class Origins:
    """An allow-list: `https://app.example`, or `https://*.example.com` for all hosts below, without itself."""

    def __init__(self, allowed: Sequence[str]) -> None:
        """Raise ValueError for what is no origin."""
        self.pattern = "|".join(_pattern(origin) for origin in allowed) or "(?!)"
        """Matches the named origins as a whole; no others, and nothing if none are named."""
        self._named = re.compile(self.pattern)

    def allows(self, origin: str | None, host: str | None) -> bool:
        """Whether a page of `origin` may use the gateway, which was asked as `host`; programs send no Origin."""
        if origin is None or self._named.fullmatch(origin):
            return True
        return bool(host) and origin.partition("://")[2] == host


def _pattern(origin: str) -> str:
    found = _ORIGIN.fullmatch(origin.lower())
    if found is None:
        raise ValueError(f"{origin!r} is not an origin like https://app.example or https://*.example.com")
    below = _LABELS if found["any"] else ""
    return re.escape(found["scheme"]) + "://" + below + re.escape(found["host"] + (found["port"] or ""))


def open_to(app: FastAPI, origins: Sequence[str]) -> None:
    """Let pages of the named origins use the REST interface, with a token, not with credentials of the browser's."""
    app.add_middleware(
        CORSMiddleware,
        allow_origin_regex=Origins(origins).pattern,
        allow_methods=["GET", "POST"],
        allow_headers=["Authorization", "Content-Type"],
        expose_headers=["Retry-After"],
    )
