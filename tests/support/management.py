"""The broker's management API, as far as tests need it."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlsplit

import httpx

from warren.stack.definitions import Permissions


class Management:
    """Virtual hosts, queues and connections of one broker."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.user = parts.username or ""
        self._http = httpx.AsyncClient(
            base_url=f"{parts.scheme}://{parts.hostname}:{parts.port}/api",
            auth=(parts.username or "", parts.password or ""),
            timeout=30,
        )

    async def create_vhost(self, name: str) -> None:
        """Make a virtual host where the administrator may do everything."""
        await self._do("PUT", f"/vhosts/{quote(name, safe='')}", {})
        grant = {"configure": ".*", "write": ".*", "read": ".*"}
        await self._do("PUT", f"/permissions/{quote(name, safe='')}/{quote(self.user, safe='')}", grant)

    async def delete_vhost(self, name: str) -> None:
        """Delete a virtual host with all its queues; its connections are closed."""
        await self._do("DELETE", f"/vhosts/{quote(name, safe='')}")

    async def add_user(self, name: str, password: str, vhost: str, grants: Permissions) -> None:
        """Make a user who may do that much on a virtual host."""
        await self._do("PUT", f"/users/{quote(name, safe='')}", {"password": password, "tags": ""})
        grant = {"configure": grants.configure, "write": grants.write, "read": grants.read}
        await self._do("PUT", f"/permissions/{quote(vhost, safe='')}/{quote(name, safe='')}", grant)

    async def delete_user(self, name: str) -> None:
        """Delete a user."""
        await self._do("DELETE", f"/users/{quote(name, safe='')}")

    async def connections(self, vhost: str) -> list[dict[str, Any]]:
        """Return the connections to a virtual host."""
        found = await self._do("GET", "/connections")
        return [c for c in found if c.get("vhost") == vhost]

    async def close_connections(self, vhost: str, containing: str = "") -> int:
        """Close connections to a virtual host whose client-given name contains that text; returns how many."""
        closed = 0
        for connection in await self.connections(vhost):
            if containing in str(connection.get("client_properties", {}).get("connection_name", "")):
                answer = await self._http.delete(f"/connections/{quote(connection['name'], safe='')}")
                closed += answer.status_code == httpx.codes.NO_CONTENT
        return closed

    async def queue(self, vhost: str, name: str) -> dict[str, Any]:
        """Return what the broker says of a queue (its counts lag by up to five seconds)."""
        found: dict[str, Any] = await self._do("GET", f"/queues/{quote(vhost, safe='')}/{quote(name, safe='')}")
        return found

    async def consumers(self, vhost: str) -> list[dict[str, Any]]:
        """Return the consumers on a virtual host; `active` says which is the active one of a queue."""
        found: list[dict[str, Any]] = await self._do("GET", f"/consumers/{quote(vhost, safe='')}")
        return found

    async def close(self) -> None:
        """Close the client."""
        await self._http.aclose()

    async def _do(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        answer = await self._http.request(method, path, json=body)
        answer.raise_for_status()
        return answer.json() if answer.content else None
