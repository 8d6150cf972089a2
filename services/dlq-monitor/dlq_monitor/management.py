"""The broker's management API as a neighbour: not needed for parking, but people are blind without it."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

import httpx

from warren.errors import DependencyDownError


class Management:
    """A client for the management API at `url`, which holds user and password; an empty `url` is no neighbour."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.known = bool(parts.hostname)
        self._http = httpx.AsyncClient(
            base_url=f"{parts.scheme}://{parts.hostname}:{parts.port or 15672}" if self.known else "",
            auth=(unquote(parts.username or ""), unquote(parts.password or "")),
            timeout=2,
        )

    async def probe(self) -> None:
        """Return when it answers and lets us in; raise `DependencyDownError` when not."""
        try:
            answer = await self._http.get("/api/overview")
        except httpx.HTTPError as e:
            raise DependencyDownError("management", str(e) or type(e).__name__) from None
        if answer.status_code != httpx.codes.OK:
            raise DependencyDownError("management", f"it answers {answer.status_code}")

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()
