"""A flood over one socket: heard in turns, no faster than it may be, and nothing of it lost."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import cast

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from gateway import protocol
from gateway.protocol import BYTES_A_TURN, GatewayProtocol
from tests.support.handmade import PING, TEXT, HandmadeSocket, frame
from tests.support.nodes import free_port
from tests.support.waiting import eventually

TURN = BYTES_A_TURN // len(frame(TEXT, b"1234")) + 1
"""Frames that one turn may hear."""

TEXTS = [f"{n:04}" for n in range(5_000)]
FLOOD = b"".join(frame(TEXT, text.encode()) for text in TEXTS)


@dataclass
class Listening:
    """What a server hears on all its sockets, and what it lets them pay."""

    url: str
    heard: list[str] = field(default_factory=list)
    came: int = 0
    pay: Callable[[int], float] = lambda _: 0.0
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    judged: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        socket = WebSocket(scope, receive, send)
        self.asked.set()
        await self.judged.wait()
        await socket.accept()
        GatewayProtocol.of(socket).attach(lambda m: self.heard.append(cast("str", m)), lambda: None, self._paid)

    def _paid(self, count: int) -> float:
        self.came += count
        return self.pay(count)


@pytest.fixture
async def server() -> AsyncIterator[Listening]:
    port = free_port()
    listening = Listening(f"http://127.0.0.1:{port}")
    listening.judged.set()
    config = uvicorn.Config(listening, port=port, ws=GatewayProtocol, lifespan="off", log_config=None)
    running = uvicorn.Server(config)
    task = asyncio.create_task(running.serve())
    await eventually(lambda: running.started, what="the server listens")
    yield listening
    running.should_exit = True
    await task


async def test_a_flood_is_heard_in_turns_and_in_order(server: Listening) -> None:
    socket = await HandmadeSocket.open(server.url, "")
    largest = _count_turns(server)
    socket.send(FLOOD)
    await eventually(lambda: len(server.heard) == len(TEXTS), what="all is heard")
    assert server.heard == TEXTS
    assert largest() <= TURN


async def test_what_comes_before_the_answer_to_the_handshake_is_heard_after_it_and_in_turns(server: Listening) -> None:
    server.judged.clear()
    reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.rpartition(":")[2]))
    writer.write(_handshake())
    await asyncio.wait_for(server.asked.wait(), 5)  # what comes in the same segment belongs to HTTP
    writer.write(FLOOD)
    await writer.drain()
    largest = _count_turns(server)
    server.judged.set()
    await eventually(lambda: len(server.heard) == len(TEXTS), what="all is heard")
    assert server.heard == TEXTS
    assert largest() <= TURN
    assert (await reader.readline()).startswith(b"HTTP/1.1 101 ")
    writer.close()


def _handshake() -> bytes:
    key = base64.b64encode(os.urandom(16)).decode()
    head = "GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    return f"{head}Sec-WebSocket-Key: {key}\r\n\r\n".encode()


def _count_turns(server: Listening) -> Callable[[], int]:
    """Return what says how many texts were heard in one turn of the loop at the most."""
    turns = [0]

    def turn() -> None:
        turns.append(len(server.heard))
        if len(server.heard) < len(TEXTS):
            asyncio.get_running_loop().call_soon(turn)

    turn()
    return lambda: max(after - before for before, after in itertools.pairwise(turns))


async def test_who_sends_too_much_is_not_read_and_others_are(
    server: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "LONGEST_PAUSE", 0.05)
    server.pay = lambda _: 60.0 if server.came > 100 else 0.0
    flooding, quiet = await HandmadeSocket.open(server.url, ""), await HandmadeSocket.open(server.url, "")
    flooding.send((frame(TEXT, b"1234") + frame(PING)) * 2_000)
    await eventually(lambda: server.came > 100, what="the flood has come")
    before = server.came
    server.pay = lambda _: 60.0
    quiet.send(frame(TEXT, b"me"))
    await eventually(lambda: "me" in server.heard, what="the other is heard")
    assert server.came - before <= 3 * TURN  # a turn for each pause that may have ended meanwhile
    server.pay = lambda _: 0.0
    await eventually(lambda: server.came == 4_001, what="what was held back is heard")
    assert server.heard.count("1234") == 2_000


async def test_a_handshake_that_nobody_judges_ends(server: Listening, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HANDSHAKE_SECONDS", 0.2)

    over = asyncio.Event()

    async def forever(*_: object) -> None:
        await over.wait()

    monkeypatch.setattr(Listening, "__call__", forever)
    reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.rpartition(":")[2]))
    writer.write(_handshake())
    async with asyncio.timeout(5):
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b""
    over.set()
    writer.close()
