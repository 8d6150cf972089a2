"""What the gateway asks others: chat for history, presence for members and names. It reads no database itself."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx

from gateway.settings import GatewaySettings
from warren.errors import DependencyDownError, PermanentError
from warren.http import neighbour
from warren.observability.tracing import current_headers

_FINAL = {httpx.codes.NOT_FOUND, httpx.codes.UNPROCESSABLE_ENTITY}


@dataclass(frozen=True, slots=True)
class Page:
    """Entries as `message` frames, the room's head, and whether there are more in the direction asked for."""

    entries: list[dict[str, Any]]
    seq: int
    truncated: bool


@dataclass(frozen=True, slots=True)
class Members:
    """Who is in a room, as of `rev`."""

    members: list[dict[str, str]]
    count: int
    rev: int


class _Neighbour:
    """One service over HTTP, of which several processes may run; `DependencyDownError` when none answers as it should.

    It stays with the process that answered last; which one is asked first is left to chance, lest all gateways ask one.
    """

    def __init__(self, name: str, urls: Sequence[str], settings: GatewaySettings) -> None:
        self.name = name
        self._clients = [neighbour(url, settings) for url in random.sample(urls, len(urls))]

    async def call(self, method: str, path: str, **options: Any) -> Any:
        answer = await self._ask(method, path, headers=current_headers(), **options)
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        if answer.status_code == httpx.codes.UNPROCESSABLE_ENTITY:
            raise PermanentError(f"{self.name} refused the request")
        return answer.json()

    async def ready(self) -> None:
        """Return if a process says that it is ready (a health probe)."""
        await self._ask("GET", "/readyz")

    async def close(self) -> None:
        for client in self._clients:
            await client.aclose()

    async def _ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Ask one process after the other until one gives an answer that another would give as well."""
        reason = "no address is known"
        for client in tuple(self._clients):
            try:
                answer = await client.request(method, path, **options)
            except httpx.HTTPError as e:
                reason = str(e) or type(e).__name__
            else:
                if answer.is_success or answer.status_code in _FINAL:
                    return answer
                reason = f"HTTP {answer.status_code}"
            self._clients.remove(client)  # the others first, next time
            self._clients.append(client)
        raise DependencyDownError(self.name, reason)


class Chat(_Neighbour):
    """The log of rooms."""

    def __init__(self, settings: GatewaySettings) -> None:
        super().__init__("chat", settings.chat_url, settings)

    async def page(self, room: str, *, after: int | None = None, before: int | None = None, limit: int = 50) -> Page:
        """Return a page of a room's log."""
        asked = {"after": after, "before": before, "limit": limit}
        found = await self.call("GET", f"/rooms/{quote(room, safe='')}/entries", params=_given(asked))
        return Page(found["entries"], found["seq"], found["truncated"])

    async def heads(self, rooms: Sequence[str]) -> dict[str, int]:
        """Return the highest `seq` of each room."""
        heads: dict[str, int] = (await self.call("POST", "/heads", json={"rooms": list(rooms)}))["heads"]
        return heads

    async def rooms(self, limit: int) -> list[dict[str, Any]]:
        """Return rooms, the most recently active first."""
        found: list[dict[str, Any]] = (await self.call("GET", "/rooms", params={"limit": limit}))["rooms"]
        return found


class Presence(_Neighbour):
    """Who is where, and under which name."""

    def __init__(self, settings: GatewaySettings) -> None:
        super().__init__("presence", settings.presence_url, settings)

    async def members(self, room: str) -> Members:
        """Return who is in a room."""
        found = await self.call("GET", f"/rooms/{quote(room, safe='')}/members")
        return Members(found["members"], found["count"], found["rev"])

    async def revs(self, rooms: Sequence[str]) -> dict[str, int]:
        """Return the `rev` of each room."""
        revs: dict[str, int] = (await self.call("POST", "/revs", json={"rooms": list(rooms)}))["revs"]
        return revs

    async def name_of(self, user: str) -> str | None:
        """Return a user's present name, if presence knows one."""
        found = await self.call("GET", f"/users/{quote(user, safe='')}", timeout=0.5)
        return found["name"] if found else None


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in values.items() if v is not None}
