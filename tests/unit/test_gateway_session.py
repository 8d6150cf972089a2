"""A session writes in order, and a client that reads too slowly is closed without holding anyone up."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import orjson

from gateway.auth import Identity
from gateway.session import Session
from gateway.settings import GatewaySettings
from warren.contracts import User
from warren.contracts.closing import DRAIN


class Socket:
    def __init__(self) -> None:
        self.sent: list[str] = []
        self.closed: tuple[int, str | None] | None = None
        self.reads = asyncio.Event()
        self.reads.set()

    async def send_text(self, data: str) -> None:
        await self.reads.wait()
        self.sent.append(data)

    async def close(self, code: int = 1000, reason: str | None = None) -> None:
        await self.reads.wait()
        self.closed = (code, reason)


def session(socket: Socket) -> Session:
    settings = GatewaySettings(jwt_secret="x" * 32, send_buffer=65_536)  # type: ignore[arg-type]  # pydantic wraps it
    identity = Identity(User(id="u", name="U"), datetime.now(UTC))
    return Session(socket, identity, "127.0.0.1", settings)


async def test_frames_are_written_in_order_then_the_goodbye_then_the_close() -> None:
    socket = Socket()
    one = session(socket)
    for frame in ("a", "b", "c"):
        one.send(frame)
    one.close(DRAIN, reconnect_after=1.5)
    one.send("too late")
    await one.write()
    assert socket.sent[:3] == ["a", "b", "c"]
    assert orjson.loads(socket.sent[3]) == {"type": "goodbye", "reason": "drain", "reconnect_after": 1.5}
    assert len(socket.sent) == 4
    assert socket.closed == (4010, "drain")


async def test_a_reader_that_stands_still_is_closed_as_slow_in_bounded_time() -> None:
    socket = Socket()
    one = session(socket)
    writing = asyncio.create_task(one.write())
    socket.reads.clear()
    while one.closing is None:
        one.send("x" * 1000)
        await asyncio.sleep(0)
    assert one.closing.name == "slow"
    await asyncio.wait_for(writing, 5)
    assert sum(map(len, socket.sent)) <= 65_536


async def test_it_settles_when_the_broker_has_answered_for_all() -> None:
    one = session(Socket())
    one.begin()
    one.begin()
    waiting = asyncio.create_task(one.settled())
    one.end()
    await asyncio.sleep(0)
    assert not waiting.done()
    one.end()
    await asyncio.wait_for(waiting, 1)


async def test_a_late_word_of_an_older_rename_does_not_undo_a_newer_one() -> None:
    one = session(Socket())
    one.rename("B")
    one.rename("C")
    one.renamed("B")
    assert one.user.name == "C"
    one.renamed("C")
    one.renamed("D")  # from another device of the same user
    assert one.user.name == "D"


async def test_only_the_last_of_several_names_may_be_told() -> None:
    one = session(Socket())
    one.rename("B")
    one.rename("C")
    one.renamed("C")
    one.renamed("D")
    assert one.user.name == "D"
