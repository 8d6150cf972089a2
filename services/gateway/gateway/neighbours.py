"""What the gateway asks others: chat for history, presence for members and names. It reads no database itself.

What each join and each handshake asks goes out in batches (see `batching`): thousands come at once when a gateway dies.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import httpx

from gateway.batching import Batching
from gateway.catching_up import Page, PageWanted, shared
from gateway.settings import GatewaySettings
from warren.errors import DependencyDownError, PermanentError
from warren.http import neighbour
from warren.observability.tracing import current_headers
from warren.recent import FRESH_SECONDS, Recent

_ROOMS = 1000
"""Rooms to choose from for one who may read some only."""

_PAGES_AT_ONCE = 20
_READS_AT_ONCE = 100
_MEMBERS_AT_ONCE = 50
_NAMES_AT_ONCE = 100
_NAMES_REST = 0.05
"""Seconds: a hundred handshakes a second need twenty questions, not a hundred."""


@dataclass(frozen=True, slots=True)
class Members:
    """Who is in a room, as of `rev`; `members` is None in a large one."""

    members: list[dict[str, str]] | None
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
                if answer.is_success or answer.status_code == httpx.codes.UNPROCESSABLE_ENTITY:
                    return answer
                reason = f"HTTP {answer.status_code}"
            self._clients.remove(client)  # the others first, next time
            self._clients.append(client)
        raise DependencyDownError(self.name, reason)


class Chat(_Neighbour):
    """The log of rooms."""

    def __init__(self, settings: GatewaySettings) -> None:
        super().__init__("chat", settings.chat_url, settings)
        self._page = Batching(self._pages, most=_PAGES_AT_ONCE, together=lambda wanted: wanted.room)
        self.read: Batching[tuple[str, str], int] = Batching(self._reads, most=_READS_AT_ONCE)
        """Returns the `seq` up to which a user (id) has read a room, 0 for nothing yet."""
        self.rooms: Recent[list[dict[str, Any]]] = Recent(self._rooms, stale=FRESH_SECONDS)
        """Returns the rooms that were active last, the latest first."""

    async def page(self, room: str, *, after: int | None = None, before: int | None = None, limit: int = 50) -> Page:
        """Return a page of a room's log."""
        return await self._page(PageWanted(room, after, before, limit))

    async def _pages(self, wanted: Sequence[PageWanted]) -> list[Page]:
        asked = shared(wanted)
        found = await self._ask_pages([*dict.fromkeys(asked.values())])
        short = [w for w in wanted if w is not asked[w] and found[asked[w]].truncated]
        found |= await self._ask_pages(short)  # a page that is not whole is cut for those further on
        return [found[w] if w in found else found[asked[w]].beyond(w.after) for w in wanted]

    async def _ask_pages(self, wanted: Sequence[PageWanted]) -> dict[PageWanted, Page]:
        pages: dict[PageWanted, Page] = {}
        for start in range(0, len(wanted), _PAGES_AT_ONCE):
            some = wanted[start : start + _PAGES_AT_ONCE]
            answer = await self.call("POST", "/pages", json={"pages": [_given(asdict(w)) for w in some]})
            found = [Page(p["entries"], p["seq"], p["truncated"]) for p in answer["pages"]]
            pages.update(zip(some, found, strict=True))
        return pages

    async def _reads(self, readers: Sequence[tuple[str, str]]) -> list[int]:
        found: list[int] = (await self.call("POST", "/reads", json={"readers": list(readers)}))["reads"]
        return found

    async def heads(self, rooms: Sequence[str]) -> dict[str, int]:
        """Return the highest `seq` of each room."""
        heads: dict[str, int] = (await self.call("POST", "/heads", json={"rooms": list(rooms)}))["heads"]
        return heads

    async def _rooms(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self.call("GET", "/rooms", params={"limit": _ROOMS}))["rooms"]
        return found


class Presence(_Neighbour):
    """Who is where, and under which name."""

    def __init__(self, settings: GatewaySettings) -> None:
        super().__init__("presence", settings.presence_url, settings)
        self._limit = {"limit": settings.members_shown} if settings.members_shown else {}
        self.members: Batching[str, Members] = Batching(self._members, most=_MEMBERS_AT_ONCE)
        """Returns who is in a room."""
        self.name_of: Batching[str, str | None] = Batching(self._names, most=_NAMES_AT_ONCE, rest=_NAMES_REST)
        """Returns a user's present name, if presence knows one."""

    async def _members(self, rooms: Sequence[str]) -> list[Members]:
        found = await self.call("POST", "/members", json={"rooms": list(rooms), **self._limit})
        return [Members(m["members"], m["count"], m["rev"]) for m in map(found["rooms"].__getitem__, rooms)]

    async def _names(self, users: Sequence[str]) -> list[str | None]:
        found = await self.call("POST", "/names", json={"users": list(users)}, timeout=0.5)
        return [found["names"].get(user) for user in users]

    async def page(self, room: str, after: str | None, limit: int) -> dict[str, Any]:
        """Return a page of a room's members in the order of their ids, and whether more follow."""
        wanted = {"room": room, "after": after or "", "limit": limit}
        found: dict[str, Any] = await self.call("POST", "/members/page", json=wanted)
        return found

    async def person(self, user: str) -> dict[str, str] | None:
        """Return how a user is, as members are described; None for one who is not known."""
        people: dict[str, dict[str, str]] = (await self.call("POST", "/people", json={"users": [user]}))["people"]
        return people.get(user)

    async def revs(self, rooms: Sequence[str]) -> dict[str, int]:
        """Return the `rev` of each room."""
        revs: dict[str, int] = (await self.call("POST", "/revs", json={"rooms": list(rooms)}))["revs"]
        return revs


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in values.items() if v is not None}
