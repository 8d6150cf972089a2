"""Connections that never finish, and requests that are too large, end by themselves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial

import httpx
import pytest
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import Response

from gateway import bounds
from gateway.bounds import BoundedBodies, BoundedProtocol
from gateway.limits import Places, Rates
from tests.support.nodes import free_port
from tests.support.waiting import eventually


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[uvicorn.Server]:
    """A server with little patience."""
    monkeypatch.setattr(bounds, "REQUEST_SECONDS", 0.4)
    monkeypatch.setattr(bounds, "ANSWER_SECONDS", 0.8)
    app = FastAPI()

    @app.post("/")
    async def echo(request: Request) -> Response:
        return Response(await request.body())

    @app.get("/slow")
    async def slow(request: Request) -> None:
        begun.set()
        await go_on.wait()
        app.state.gone = await request.is_disconnected()

    @app.get("/large")
    async def large() -> Response:
        return Response(b"x" * 50_000_000)

    begun, go_on = app.state.begun, app.state.go_on = asyncio.Event(), asyncio.Event()

    config = uvicorn.Config(
        BoundedBodies(app, 1_000),
        port=free_port(),
        http=partial(BoundedProtocol, places=Places(0), pace=Rates(0, 0)),
        timeout_keep_alive=1,
        lifespan="off",
        log_config=None,
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    await eventually(lambda: server.started, what="the server listens")
    yield server
    server.should_exit = True
    await task


@pytest.fixture
def port(server: uvicorn.Server) -> int:
    """Where it listens."""
    return server.config.port


async def end(reader: asyncio.StreamReader) -> bytes:
    """Read what is said until the server has hung up; a reset may take it away."""
    try:
        async with asyncio.timeout(5):
            return await reader.read()
    except ConnectionResetError:
        return b""


async def slowly(writer: asyncio.StreamWriter, data: bytes) -> None:
    """Write byte by byte for as long as anyone listens."""
    try:
        for byte in data:
            writer.write(bytes((byte,)))
            await writer.drain()
            await asyncio.sleep(0.05)
    except ConnectionError:
        pass


HEAD = b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nX-Slow: " + b"x" * 1000
SLOW = {
    "nothing at all": b"",
    "a handshake, byte by byte": HEAD,
    "a body, byte by byte": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n" + b"x" * 900,
    "an endless chunk": b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n" + b"x" * 900,
}


@pytest.mark.parametrize("sent", SLOW.values(), ids=SLOW)
async def test_what_never_becomes_a_request_ends(port: int, sent: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head, body, rest = sent.partition(b"\r\n\r\n")
    writer.write(head + body if rest else b"")
    writing = asyncio.create_task(slowly(writer, rest or head))
    said = await end(reader)
    assert not said or said.startswith(b"HTTP/1.1 408 ")
    writing.cancel()
    writer.close()


async def test_a_slow_request_after_a_quick_one_ends_too(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi")
    assert (await reader.readuntil(b"hi")).startswith(b"HTTP/1.1 200 ")
    writing = asyncio.create_task(slowly(writer, HEAD))
    said = await end(reader)
    assert not said or said.startswith(b"HTTP/1.1 408 ")
    writing.cancel()
    writer.close()


async def test_an_answer_that_nobody_reads_is_given_up(server: uvicorn.Server, port: int) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
    writer.write(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
    await eventually(lambda: server.server_state.connections, what="the request has come")
    await eventually(lambda: not server.server_state.connections, what="the connection has gone")
    writer.close()


@pytest.mark.parametrize("many", [6_000, 600_000])
async def test_a_head_without_end_is_refused_and_the_client_can_read_why(port: int, many: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\n" + b"X-Large: yes\r\n" * many)
    async with asyncio.timeout(5):
        said = await reader.read()
    assert said.startswith(b"HTTP/1.1 431 ")
    assert said.endswith(b"\r\n\r\n")
    writer.transport.abort()


async def test_many_headers_are_refused_however_small(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 200)
    async with asyncio.timeout(5):
        assert (await reader.readline()).startswith(b"HTTP/1.1 431 ")
    writer.close()


async def test_requests_wait_unread_for_the_answer_to_the_one_before(server: uvicorn.Server, port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /none HTTP/1.1\r\nHost: x\r\n\r\n" * 2_000)
    most = 0
    for _ in range(2_000):
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 404 ")
        await reader.readuntil(b"}")
        most = max(most, *(len(one.pipeline) for one in server.server_state.connections))
    assert most < 50
    writer.close()


async def test_a_request_in_work_is_told_that_its_client_has_gone(server: uvicorn.Server, port: int) -> None:
    """Also with another one behind it; uvloop raises at the first byte that is written to a client that has gone."""
    state = server.config.app._app.state  # type: ignore[union-attr]
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n" * 2)
    await state.begun.wait()
    writer.transport.abort()
    await eventually(lambda: not server.server_state.connections, what="the connection has gone")
    state.go_on.set()
    await eventually(lambda: not server.server_state.tasks, what="its request is over")
    assert state.gone


async def test_bodies_have_a_size(port: int) -> None:
    async def parts(count: int) -> AsyncIterator[bytes]:
        for _ in range(count):
            yield b"x" * 100

    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
        assert (await http.post("/", content=b"x" * 1_000)).status_code == 200
        assert (await http.post("/", content=b"x" * 1_001)).status_code == 413
        assert (await http.post("/", content=parts(10))).status_code == 200
        assert (await http.post("/", content=parts(11))).status_code == 413
        assert (await http.post("/", content=b"x")).text == "x"  # the connection is as good as before
