"""The gateways' REST interface. One `Rest` may serve any number of clients: it shares its connections."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx
import orjson

from warren.client.errors import RefusedError, UnreachableError
from warren.client.state import Frame
from warren.client.wire import is_loopback, seconds

PAGE = 200
"""Entries in a page of history, at the most."""

MEMBERS_PAGE = 1000
"""Members in a page, at the most."""

_PASSING = frozenset({408, 425, 429})


@dataclass(frozen=True, slots=True)
class Guest:
    """A guest's identity; `expires` is what the server says, RFC 3339."""

    token: str
    user: Frame
    expires: str


class Rest:
    """Asks the first gateway of `urls` that answers.

    Every call raises `RefusedError` where the server refuses for good, `UnreachableError` where it may work
    later. `token` is a user's bearer token.
    """

    def __init__(self, urls: str | Sequence[str], *, timeout_seconds: float = 15.0) -> None:
        self.urls = [urls] if isinstance(urls, str) else list(urls)
        self._timeout = timeout_seconds
        self._http: httpx.AsyncClient | None = None
        self._turn = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        if self._http is not None:
            await self._http.aclose()
            self._http = None

    async def guest(self, name: str | None = None, token: str | None = None) -> Guest:
        """Become a guest under `name`, or under one that the server makes up; with a guest's `token` the same again."""
        body = await self._call("POST", "/api/token", token, body={"name": name} if name else {})
        return Guest(body["token"], body["user"], str(body.get("expires", "")))

    async def rooms(self, token: str | None = None, *, limit: int = 100) -> list[Frame]:
        """List the rooms, the most recently active first: at most `limit` (200)."""
        rooms: list[Frame] = (await self._call("GET", "/api/rooms", token, query={"limit": limit}))["rooms"]
        return rooms

    async def person(self, user: str, token: str | None = None) -> Frame:
        """Return `{"id","name","status"}` of a user, with `seen` if not online; `RefusedError` for an unknown one."""
        return await self._call("GET", f"/api/users/{quote(user, safe='')}", token)

    async def members(
        self, room: str, token: str | None = None, *, after: str | None = None, limit: int = PAGE
    ) -> Frame:
        """Return `{"members","count","rev","truncated"}` of a room: those with the first ids beyond `after`."""
        query = {"limit": limit} | ({} if after is None else {"after": after})
        return await self._call("GET", f"{_path(room)}/members", token, query=query)

    async def everyone(self, room: str, token: str | None = None) -> AsyncIterator[Frame]:
        """Yield every member of a room by id, page by page; who comes or goes meanwhile may be missed."""
        after = None
        while True:
            page = await self.members(room, token, after=after, limit=MEMBERS_PAGE)
            for member in page["members"]:
                yield member
            if not page["truncated"]:
                return
            after = page["members"][-1]["id"]

    async def entries(
        self,
        room: str,
        token: str | None = None,
        *,
        after: int | None = None,
        before: int | None = None,
        limit: int = PAGE,
    ) -> Frame:
        """Return one page `{"entries","seq","truncated"}`; `seq` is the room's head."""
        bounds = {"after": after, "before": before, "limit": limit}
        query = {key: value for key, value in bounds.items() if value is not None}
        return await self._call("GET", f"{_path(room)}/entries", token, query=query)

    async def history(self, room: str, token: str | None = None, *, after: int = 0) -> AsyncIterator[Frame]:
        """Yield every entry after `after` up to the present head, page by page."""
        while True:
            page = await self.entries(room, token, after=after)
            for entry in page["entries"]:
                yield entry
            if not page["entries"] or page["entries"][-1]["seq"] >= page["seq"]:
                return
            after = page["entries"][-1]["seq"]

    async def earlier(self, room: str, token: str | None = None, *, before: int | None = None) -> AsyncIterator[Frame]:
        """Yield every entry before `before`, or all, the latest first, page by page."""
        while before is None or before > 1:
            page = (await self.entries(room, token, before=before))["entries"]
            for entry in reversed(page):
                yield entry
            if not page:
                return
            before = page[0]["seq"]

    async def post(self, room: str, id: str, body: str, token: str | None = None) -> Frame:  # noqa: A002 - the protocol's word
        """Post a message; returns when the broker has it."""
        return await self._call("POST", f"{_path(room)}/messages", token, body={"id": id, "body": body})

    async def _call(
        self,
        method: str,
        path: str,
        token: str | None,
        *,
        query: Frame | None = None,
        body: Frame | None = None,
    ) -> Frame:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        last = UnreachableError("no gateway's address is known")
        for _ in self.urls:
            base = self.urls[self._turn % len(self.urls)].rstrip("/")
            try:
                response = await self._client().request(method, base + path, params=query, json=body, headers=headers)
                return _read(base, response)
            except httpx.TransportError as e:
                last = UnreachableError(f"{base} does not answer: {str(e) or type(e).__name__}")
            except UnreachableError as e:
                last = e
            self._turn += 1
        raise last

    def _client(self) -> httpx.AsyncClient:
        if self._http is None:
            environment = not all(is_loopback(url) for url in self.urls)
            self._http = httpx.AsyncClient(timeout=self._timeout, trust_env=environment)
        return self._http


def _path(room: str) -> str:
    return f"/api/rooms/{quote(room, safe='')}"


def _read(base: str, response: httpx.Response) -> Frame:
    try:
        body: Any = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        body = None
    if response.is_success and isinstance(body, dict):
        return body
    said: Frame = body if isinstance(body, dict) else {}
    message = str(said.get("message") or said.get("detail") or f"HTTP {response.status_code}")
    if 400 <= response.status_code < 500 and response.status_code not in _PASSING:
        raise RefusedError(str(said.get("code") or f"http_{response.status_code}"), message)
    wait = seconds(said.get("retry_after") or response.headers.get("Retry-After"))
    raise UnreachableError(f"{base}: {message}", retry_after=wait)
