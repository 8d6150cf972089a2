"""A session writes in order, and a client that reads too slowly is closed without holding anyone up."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest
from websockets.frames import Frame, Opcode

from gateway.auth import Identity
from gateway.framing import framed, text_frame
from gateway.session import Outbox, Session
from gateway.settings import GatewaySettings
from warren.contracts import User
from warren.contracts.closing import DRAIN
from warren.contracts.frames import Error, Goodbye
from warren.contracts.refusing import AWAY, NOT_JOINED


class Wire:
    """A transport whose client reads until `stands_still`."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.closed: tuple[int, str] | None = None
        self.stands_still = False

    def write(self, frames: bytes) -> None:
        self.writes.append(frames)

    @property
    def waiting(self) -> int:
        return sum(map(len, self.writes)) if self.stands_still else 0

    def end(self, code: int, reason: str) -> None:
        self.closed = (code, reason)


def session(wire: Wire) -> Session:
    settings = GatewaySettings(jwt_secret="x" * 32, send_buffer=65_536)  # type: ignore[arg-type]  # pydantic wraps it
    identity = Identity(User(id="u", name="U"), datetime.now(UTC))
    return Session(wire, identity, "127.0.0.1", settings, Outbox())


async def test_frames_are_written_in_order_once_a_turn_then_the_goodbye_then_the_close() -> None:
    wire = Wire()
    one = session(wire)
    for frames in (b"a", b"b", b"c"):
        one.send(frames)
    assert wire.writes == []
    await asyncio.sleep(0)
    assert wire.writes == [b"abc"]
    one.send(b"d")
    one.close(DRAIN, reconnect_after=1.5)
    one.send(b"too late")
    await asyncio.sleep(0)
    assert b"".join(wire.writes) == b"abcd" + framed(Goodbye(reason="drain", reconnect_after=1.5))
    assert wire.closed == (4010, "drain")


async def test_a_reader_that_stands_still_is_closed_as_slow_with_bounded_memory() -> None:
    wire = Wire()
    one = session(wire)
    wire.stands_still = True
    while one.closing is None:
        one.send(b"x" * 1000)
        await asyncio.sleep(0)
    assert one.closing.name == "slow"
    assert wire.closed == (4008, "slow")
    assert wire.waiting < 65_536 + 2_000


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536])
def test_frames_are_those_of_the_standard(size: int) -> None:
    text = b"x" * size
    assert text_frame(text) == Frame(Opcode.TEXT, text).serialize(mask=False)


async def test_it_settles_when_the_broker_has_answered_for_all() -> None:
    one = session(Wire())
    one.begin()
    one.begin()
    waiting = asyncio.create_task(one.settled())
    one.end()
    await asyncio.sleep(0)
    assert not waiting.done()
    one.end()
    await asyncio.wait_for(waiting, 1)


async def test_all_who_wait_for_it_to_settle_are_told() -> None:
    one = session(Wire())
    one.begin()
    waiting = [asyncio.create_task(one.settled()) for _ in range(2)]
    await asyncio.sleep(0)
    waiting.append(asyncio.create_task(one.settled()))
    waiting[0].cancel()
    await asyncio.sleep(0)
    one.end()
    async with asyncio.timeout(1):
        await asyncio.gather(*waiting[1:])


async def test_what_fails_by_our_fault_is_not_held_against_the_client() -> None:
    one = session(Wire())
    one.error(Error(code=AWAY.code, message="chat is away"))
    assert one.refused == 0
    one.error(Error(code=NOT_JOINED.code, message="join first"))
    assert one.refused == 1


async def test_a_late_word_of_an_older_rename_does_not_undo_a_newer_one() -> None:
    one = session(Wire())
    one.rename("B")
    one.rename("C")
    one.renamed("B")
    assert one.user.name == "C"
    one.renamed("C")
    one.renamed("D")  # from another device of the same user
    assert one.user.name == "D"


async def test_another_name_may_be_given_than_the_one_asked_for() -> None:
    one = session(Wire())
    one.rename("Ann")
    one.renamed("Ann (2)", "Ann")
    assert one.user.name == "Ann (2)"
    one.rename("Bob")
    one.rename("Cyd")
    one.renamed("Bob (2)", "Bob")
    assert one.user.name == "Cyd", "a newer wish is on its way"


async def test_only_the_last_of_several_names_may_be_told() -> None:
    one = session(Wire())
    one.rename("B")
    one.rename("C")
    one.renamed("C")
    one.renamed("D")
    assert one.user.name == "D"
