"""Gateways as processes behind a network that can be cut, many sessions on them, and the truth about who is where."""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import subprocess
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import httpx

from chat.app import build as build_chat
from chat.settings import ChatSettings
from gateway.auth import Tokens
from gateway.settings import GatewaySettings
from presence.app import build as build_presence
from presence.settings import PresenceSettings
from tests.support.nodes import free_port
from tests.support.proxy import Proxy
from tests.support.services import Running, Services
from tests.support.space import Space
from tests.support.waiting import eventually
from warren.client.raw import RawSocket

SECRET = "s" * 32  # of tokens, in a test
_TOKENS = Tokens(GatewaySettings(jwt_secret=SECRET, guests=True))
OPEN = {
    "guests": True,
    "message_rate": 0,
    "connect_rate": 0,
    "frame_rate": 0,
    "request_rate": 0,
    "sessions_per_address": 0,
}
"""Guests, and no limits on them."""
AT_ONCE = 20
"""Sockets that are opened side by side."""


@dataclass
class Socket:
    """A session of a user in a room."""

    user: str
    room: str
    token: str
    raw: RawSocket

    async def close(self) -> None:
        """Cut it off."""
        self.raw.connection.transport.abort()
        await self.raw.connection.wait_closed()


@dataclass
class Gateway:
    """A gateway process; all its connections to others pass `proxies`."""

    url: str
    process: subprocess.Popen[bytes]
    proxies: Sequence[Proxy]
    sockets: list[Socket] = field(default_factory=list)

    def cut(self) -> None:
        """Let nothing through between it and the others, as a network that fails does; clients still reach it."""
        for proxy in self.proxies:
            proxy.stall()

    def mend(self) -> None:
        """Let all through again, what was held back included."""
        for proxy in self.proxies:
            proxy.flow()


class Edge:
    """`lease` is in seconds, its fourth is between two beats; use as `async with Edge(space, services, …) as edge`."""

    def __init__(self, space: Space, services: Services, *, rooms: int, lease: float = 8) -> None:
        self.gateways: list[Gateway] = []
        self._space, self._services, self._lease = space, services, lease
        self._rooms = [f"room-{secrets.token_hex(3)}-{n}" for n in range(rooms)]
        self._stack = AsyncExitStack()
        self._users = 0

    async def __aenter__(self) -> Self:
        self._chat = await self._services.start(build_chat, ChatSettings)
        self._presence = await self._services.start(build_presence, PresenceSettings, lease=self._lease)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for gateway in self.gateways:
            gateway.process.kill()
            gateway.process.wait()
        await asyncio.gather(*[s.close() for g in self.gateways for s in g.sockets])
        await self._stack.aclose()

    @property
    def presence(self) -> Running:
        """The presence service."""
        return self._presence

    async def gateway(self, **more: object) -> Gateway:
        """Start another gateway, with more settings if need be."""
        ways = [Proxy(url) for url in (self._space.amqp_url, self._chat.url, self._presence.url)]
        for way in ways:
            await self._stack.enter_async_context(way.running())
        port = free_port()
        urls = {"amqp_url": ways[0].url, "chat_url": ways[1].url, "presence_url": ways[2].url}
        settings = {"jwt_secret": SECRET, "log_level": "warning", "beat_seconds": self._lease / 4, **OPEN, **more}
        env = {**os.environ, **self._space.env(port=port, **urls, **settings)}
        process = _start(env)
        gateway = Gateway(f"http://127.0.0.1:{port}", process, ways)
        self.gateways.append(gateway)

        async def ready() -> bool:
            async with httpx.AsyncClient() as http:
                try:
                    return (await http.get(f"{gateway.url}/readyz")).is_success
                except httpx.TransportError:
                    return False

        await eventually(ready, 60, what="the gateway is ready")
        return gateway

    async def enter(self, gateway: Gateway, count: int) -> None:
        """Let as many new users come, each into one room."""
        for first in range(0, count, AT_ONCE):
            await asyncio.gather(*[self._enter(gateway) for _ in range(min(AT_ONCE, count - first))])

    async def leave(self, gateway: Gateway, count: int) -> None:
        """Close as many of its sockets at once, at random."""
        leaving = random.sample(gateway.sockets, count)
        gateway.sockets = [s for s in gateway.sockets if s not in leaving]
        await asyncio.gather(*[s.close() for s in leaving])

    async def kill(self, gateway: Gateway) -> None:
        """`kill -9` it, and with it all its sessions."""
        gateway.process.kill()
        gateway.process.wait()
        self.gateways.remove(gateway)
        await asyncio.gather(*[s.close() for s in gateway.sockets])

    async def right(self, within: float, *, unseen: Sequence[Gateway] = ()) -> float:
        """Wait until presence says of all rooms who is there, without gateways `unseen`; return the seconds."""
        wanted: dict[str, set[str]] = {room: set() for room in self._rooms}
        for gateway in self.gateways:
            for socket in gateway.sockets if gateway not in unseen else ():
                wanted[socket.room].add(socket.user)

        async def same() -> bool:
            found = (await self._presence.http.post("/members", json={"rooms": self._rooms})).json()["rooms"]
            return all({m["id"] for m in found[room]["members"]} == users for room, users in wanted.items())

        began = asyncio.get_running_loop().time()
        await eventually(same, within, what="presence equals the truth", interval=0.1)
        return asyncio.get_running_loop().time() - began

    async def _enter(self, gateway: Gateway) -> None:
        self._users += 1
        token, identity = _TOKENS.guest(f"Guest {self._users}")
        raw = await RawSocket.connect(gateway.url, token, open_timeout=60, ping_interval=None, max_queue=None)
        await raw.expect("welcome", timeout_seconds=60)
        room = self._rooms[self._users % len(self._rooms)]
        await raw.send_json({"type": "join", "room": room})
        await raw.expect("joined", timeout_seconds=60)
        gateway.sockets.append(Socket(identity.user.id, room, token, raw))


def _start(env: dict[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "gateway"], env=env, stdout=subprocess.DEVNULL)
