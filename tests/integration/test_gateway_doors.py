"""A gateway that trusts an identity provider, names origins and lets guests into some rooms only."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any

import jwt
import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from chat.app import build as build_chat
from chat.settings import ChatSettings
from gateway.app import build as build_gateway
from gateway.settings import GatewaySettings
from presence.app import build as build_presence
from presence.settings import PresenceSettings
from tests.support.services import Running, Services
from tests.support.space import Space
from tests.support.stack import enter
from tests.support.wire import Wire
from warren.client.raw import RawSocket

KEYS = {"old": ec.generate_private_key(ec.SECP256R1()), "new": ec.generate_private_key(ec.SECP256R1())}
ISSUER = "https://id.example"


class Provider:
    """Serves the public keys that it `shows`."""

    def __init__(self) -> None:
        self.shows = ["old"]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            keys = [self._public(kid) for kid in self.shows]
            body = orjson.dumps({"keys": keys})
            writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            await writer.drain()
        writer.close()

    @staticmethod
    def _public(kid: str) -> dict[str, Any]:
        algorithm = jwt.get_algorithm_by_name("ES256")
        return {**algorithm.to_jwk(KEYS[kid].public_key(), as_dict=True), "kid": kid}  # type: ignore[call-overload]


def token(kid: str, **claims: object) -> str:
    said = {"sub": "ann", "name": "Ann", "aud": "chat", "iss": ISSUER, "exp": time.time() + 600, **claims}
    return jwt.encode(said, KEYS[kid], "ES256", headers={"kid": kid})


@pytest.fixture
async def provider() -> AsyncIterator[tuple[Provider, str]]:
    provider = Provider()
    server = await asyncio.start_server(provider.serve, "127.0.0.1", 0)
    async with server:
        yield provider, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/keys"


@pytest.fixture
async def gateway(services: Services, wire: Wire, space: Space, provider: tuple[Provider, str]) -> Running:
    await wire.declare(space.topology, "audit")
    chat = await services.start(build_chat, ChatSettings)
    presence = await services.start(build_presence, PresenceSettings)
    running = await services.start(
        build_gateway,
        GatewaySettings,
        chat_url=chat.url,
        presence_url=presence.url,
        jwt_secret="s" * 40,
        guests=True,
        guest_rooms="lobby,open-*",
        jwt_jwks_url=provider[1],
        jwt_audience="chat",
        jwt_issuer=ISSUER,
        origins="https://app.example,https://*.wild.example",
    )
    del running.http.headers["Authorization"]  # no one's, from here on
    return running


async def test_the_doors_of_a_gateway(gateway: Running, provider: tuple[Provider, str]) -> None:
    await keys_rotate(gateway, provider[0])
    await only_what_is_meant_for_us(gateway)
    await guests_stay_where_guests_may_be(gateway)
    await named_pages_may_come(gateway)


async def keys_rotate(gateway: Running, provider: Provider) -> None:
    async with await enter(gateway.url, "", "general", token("old")) as socket:
        provider.shows = ["new"]
        await socket.send_json({"type": "token", "token": token("new"), "ref": 1})
        await socket.expect("ack", ref=1)  # the key set was fetched for it
    async with await RawSocket.connect(gateway.url, token("old")) as socket:
        assert await socket.closed() == (4001, "token")


async def only_what_is_meant_for_us(gateway: Running) -> None:
    for wrong in ({"aud": "billing"}, {"iss": "https://evil.example"}):
        async with await RawSocket.connect(gateway.url, token("new", **wrong)) as socket:
            assert await socket.closed() == (4001, "token")
    by_secret = jwt.encode({"sub": "ann", "aud": "chat", "iss": ISSUER, "exp": time.time() + 60}, "s" * 40, "HS256")
    async with await RawSocket.connect(gateway.url, by_secret) as socket:
        assert await socket.closed() == (4001, "token")


async def guests_stay_where_guests_may_be(gateway: Running) -> None:
    async with await enter(gateway.url, "Guest", "open-1") as socket:
        await socket.send_json({"type": "join", "room": "staff", "ref": 1})
        assert (await socket.expect("error", ref=1))["code"] == "forbidden"


async def named_pages_may_come(gateway: Running) -> None:
    good = token("new")
    for origin, allowed in (
        ("https://app.example", True),
        ("https://a.wild.example", True),
        ("https://wild.example", False),
        ("https://evil.example", False),
        ("null", False),
    ):
        async with await RawSocket.connect(gateway.url, good, origin=origin) as socket:
            if allowed:
                await socket.expect("welcome")
            else:
                assert await socket.closed() == (4003, "forbidden")
        sent = {"Origin": origin, "Authorization": f"Bearer {good}"}
        answer = await gateway.http.get("/api/rooms", headers=sent)
        assert answer.status_code == (200 if allowed else 403)
        assert answer.headers.get("Access-Control-Allow-Origin") == (origin if allowed else None)
        asked = {
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,content-type",
        }
        preflight = await gateway.http.options("/api/rooms/general/messages", headers={"Origin": origin, **asked})
        assert preflight.status_code == (200 if allowed else 400)
        assert preflight.headers.get("Access-Control-Allow-Origin") == (origin if allowed else None)
        assert "Access-Control-Allow-Credentials" not in preflight.headers
