"""A provider's keys over HTTP: rotated, away, and never asked for too often."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import jwt
import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from gateway import jwks
from gateway.jwks import Keys
from tests.support.waiting import eventually
from warren.errors import DependencyDownError


@dataclass
class Provider:
    """An HTTP server that answers everything with `body`."""

    body: bytes = b""
    status: int = 200
    asked: int = 0
    url: str = ""
    kids: list[str] = field(default_factory=list)

    def rotate(self, *kids: str) -> None:
        self.body = orjson.dumps({"keys": [_jwk(kid) for kid in kids]})

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.asked += 1
        writer.write(
            b"HTTP/1.1 %d X\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % (self.status, len(self.body))
        )
        writer.write(self.body)
        with contextlib.suppress(ConnectionError):
            await writer.drain()
        writer.close()


def _jwk(kid: str) -> dict[str, Any]:
    public = ed25519.Ed25519PrivateKey.generate().public_key()
    found: dict[str, Any] = jwt.get_algorithm_by_name("EdDSA").to_jwk(public, as_dict=True)  # type: ignore[call-overload]
    return {**found, "kid": kid}


@pytest.fixture
async def provider(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Provider]:
    monkeypatch.setattr(jwks, "PAUSE_SECONDS", 0.05)
    monkeypatch.setattr(jwks, "WAIT_SECONDS", 2.0)
    provider = Provider()
    server = await asyncio.start_server(provider.answer, "127.0.0.1", 0)
    provider.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/jwks"
    async with server:
        yield provider


@contextlib.asynccontextmanager
async def running(provider: Provider) -> AsyncIterator[Keys]:
    keys = Keys(provider.url)
    task = asyncio.create_task(keys.run())
    yield keys
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_new_key_is_fetched_when_a_token_names_it_and_the_old_one_goes(provider: Provider) -> None:
    provider.rotate("a")
    async with running(provider) as keys:
        assert await keys.find("a", "EdDSA")
        await keys.check()
        provider.rotate("b")
        assert await keys.find("a", "EdDSA")  # nothing was missing so far
        assert await keys.find("b", "EdDSA")
        assert await keys.find("a", "EdDSA") is None


async def test_many_unknown_keys_at_once_cost_one_fetch(provider: Provider) -> None:
    provider.rotate("a")
    async with running(provider) as keys:
        await keys.find("a", "EdDSA")
        asked = provider.asked
        assert not any(await asyncio.gather(*(keys.find(f"forged-{n}", "EdDSA") for n in range(500))))
        assert provider.asked == asked + 1


@pytest.mark.parametrize("wrong", [(500, b"{}"), (200, b"<html>"), (200, b"[]"), (200, b" " * 1_100_000), (302, b"")])
async def test_the_last_good_set_holds_while_the_provider_is_away(provider: Provider, wrong: tuple[int, bytes]) -> None:
    provider.rotate("a")
    async with running(provider) as keys:
        await keys.find("a", "EdDSA")
        provider.status, provider.body = wrong
        with pytest.raises(DependencyDownError):
            await keys.find("b", "EdDSA")
        assert await keys.find("a", "EdDSA")
        provider.status = 200
        provider.rotate("b")
        assert await keys.find("b", "EdDSA")


async def test_a_gateway_without_any_set_says_so_until_it_has_one(provider: Provider) -> None:
    provider.status = 503
    async with running(provider) as keys:
        await eventually(lambda: provider.asked, 5, what="the provider is asked")
        with pytest.raises(DependencyDownError):
            await keys.check()
        provider.status = 200
        provider.rotate("a")
        assert await keys.find("a", "EdDSA")
        await keys.check()
