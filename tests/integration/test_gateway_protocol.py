"""The protocol at the socket itself: versions, limits, heartbeats, on gateways in this process."""

from __future__ import annotations

import asyncio
import base64
from urllib.parse import urlsplit

import pytest
from websockets.exceptions import InvalidStatus

from chat.app import build as build_chat
from chat.settings import ChatSettings
from gateway.app import build
from gateway.settings import GatewaySettings
from presence.app import build as build_presence
from presence.settings import PresenceSettings
from tests.support.services import Services
from tests.support.space import Space
from tests.support.stack import guest
from tests.support.wire import Wire
from warren.client.raw import RawSocket
from warren.contracts.frames import Limits

HEARTBEAT = 0.4


class Gateways:
    """Chat, presence, and gateways that all serve the same rooms."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def open(self) -> None:
        chat, presence = await asyncio.gather(
            self._services.start(build_chat, ChatSettings), self._services.start(build_presence, PresenceSettings)
        )
        self._settings = {"chat_url": chat.url, "presence_url": presence.url, "jwt_secret": "x" * 32, "guests": True}

    async def start(self, **settings: object) -> str:
        """Start a gateway; returns its address."""
        return (await self._services.start(build, GatewaySettings, **{**self._settings, **settings})).url


@pytest.fixture
async def gateways(services: Services, wire: Wire, space: Space) -> Gateways:
    await wire.declare(space.topology, "audit")
    gateways = Gateways(services)
    await gateways.open()
    return gateways


async def test_versions_limits_and_heartbeats(gateways: Gateways) -> None:
    url = await gateways.start(heartbeat_seconds=HEARTBEAT, rooms_per_session=3)
    token = (await guest(url, "Ann"))["token"]

    offered = ("warren.v9", "warren.v1", "other")
    async with await RawSocket.connect(url, token, subprotocols=offered) as ann:
        assert ann.connection.subprotocol == "warren.v1"
        welcome = await ann.expect("welcome")
        assert welcome["protocol"] == 1
        limits = Limits.model_validate(welcome["limits"])
        assert set(welcome["limits"]) == set(Limits.model_fields)
        assert (limits.rooms, limits.heartbeat) == (3, HEARTBEAT)

        await ann.send_text('{"type":"launch","ref":"mine"}')
        assert (await ann.expect("error", code="bad_frame"))["ref"] == "mine"

        for unknown in (("warren.v2",), ("warren.v2", f"bearer.{token}"), ("other",)):
            with pytest.raises(InvalidStatus) as refused:
                await RawSocket.connect(url, token, subprotocols=unknown)
            assert refused.value.response.status_code == 400
            assert refused.value.response.body == b"this server speaks warren.v1"

        async with await RawSocket.connect(url, token, subprotocols=None) as plain:
            assert plain.connection.subprotocol is None
            await plain.expect("welcome")

        said = await _silent(url, token)
        assert b"\x89\x04" in said, "no ping came"
        assert said.endswith(b"\x88\x08" + (4012).to_bytes(2, "big") + b"silent")

        await ann.send_json({"type": "ping", "ref": 1})
        await ann.expect("pong", ref=1)


async def _silent(url: str, token: str) -> bytes:
    """Open a socket by hand, answer nothing, and return all that came until the server let go."""
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    lines = (
        "GET /ws HTTP/1.1",
        f"Host: {address.netloc}",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {base64.b64encode(bytes(16)).decode()}",
        f"Authorization: Bearer {token}",
    )
    writer.write("".join(f"{line}\r\n" for line in (*lines, "")).encode())
    try:
        async with asyncio.timeout(20):
            return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()
