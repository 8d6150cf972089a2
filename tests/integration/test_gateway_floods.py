"""Whoever asks, connects or sends too much waits; who does not is served meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import httpx
import pytest

from gateway.app import build
from gateway.pacing import PATIENCE
from gateway.settings import GatewaySettings
from tests.support.services import Running, Services
from tests.support.space import Space
from tests.support.stack import guest
from tests.support.wire import Wire
from warren.client.raw import RawSocket

OTHER = "127.0.0.2"
"""An address that does nothing wrong."""


@pytest.fixture
async def gateway(services: Services, wire: Wire, space: Space) -> Running:
    await wire.declare(space.topology)
    return await services.start(
        build,
        GatewaySettings,
        guests=True,
        jwt_secret="s" * 32,
        request_rate=5,
        connections_per_address=60,
        frame_rate=500,
        message_burst=5,
        message_rate=1,
    )


async def test_requests_above_the_rate_wait_and_the_last_of_them_are_refused(gateway: Running) -> None:
    async with _from("127.0.0.1", gateway) as many, _from(OTHER, gateway) as one:
        began = time.monotonic()
        asked = [asyncio.create_task(many.get("/api/users/ann")) for _ in range(50)]
        done, waiting = await asyncio.wait(asked, timeout=PATIENCE / 2)
        assert len(done) >= 20, "a burst is answered at once"
        assert waiting
        assert (await one.get("/api/users/ann")).status_code == 401
        assert (await many.get("/livez")).status_code == 200, "a probe from the same address"
        answers = [await one for one in asked]
        assert {a.status_code for a in answers} == {401, 429}
        assert all(a.headers["Retry-After"] for a in answers if a.status_code == 429)
        assert sum(a.status_code == 401 for a in answers) <= 20 + 5 * (time.monotonic() - began)
        assert time.monotonic() - began >= PATIENCE, "a refusal is no sooner than an answer"


async def test_an_address_has_so_many_connections(gateway: Running) -> None:
    async with contextlib.AsyncExitStack() as opened:
        streams = [await opened.enter_async_context(_connected(gateway)) for _ in range(70)]
        ends = [asyncio.create_task(reader.read()) for reader, _ in streams]
        done, _ = await asyncio.wait(ends, timeout=5, return_when=asyncio.FIRST_COMPLETED)
        assert done
        async with _from(OTHER, gateway) as one:
            assert (await one.get("/livez")).status_code == 200
        assert sum(e.done() for e in ends) in {10, 11}, "the one that asked whether it is ready may stay open"
        for end in ends:
            end.cancel()
    async with _from("127.0.0.1", gateway) as again, asyncio.timeout(5):
        while True:  # the places are given back when the server has seen the ends
            with contextlib.suppress(httpx.TransportError):
                assert (await again.get("/livez")).status_code == 200
                break


async def test_frames_that_are_refused_are_heard_less_often(gateway: Running) -> None:
    base = str(gateway.http.base_url)
    token = (await guest(base, "Ann"))["token"]
    async with await RawSocket.connect(base, token) as ann, await _other(base) as bob:
        await ann.expect("welcome")
        await bob.expect("welcome")
        began = time.monotonic()
        for n in range(300):
            await ann.send_json({"type": "message", "ref": n, "id": str(n), "room": "r", "body": "x"})
        await bob.send_json({"type": "nonsense", "ref": "b"})
        await bob.expect("error", ref="b")
        await ann.expect("error", ref=299)
        assert time.monotonic() - began >= (290 * 10 - 2 * 500) / 500 * 0.9, "as if each refused one were ten"


def _from(address: str, gateway: Running) -> httpx.AsyncClient:
    transport = httpx.AsyncHTTPTransport(local_address=address)
    return httpx.AsyncClient(base_url=gateway.http.base_url, transport=transport, timeout=20)


async def _other(base: str) -> RawSocket:
    return await RawSocket.connect(base, (await guest(base, "Bob"))["token"], local_addr=(OTHER, 0))


@contextlib.asynccontextmanager
async def _connected(gateway: Running) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    url = gateway.http.base_url
    reader, writer = await asyncio.open_connection(url.host, url.port)
    yield reader, writer
    writer.transport.abort()
