"""Whatever bytes come over a socket: it ends with a documented code or lives on, and others do not notice."""

from __future__ import annotations

import asyncio
import json
import os
import random
from collections.abc import AsyncIterator

import pytest

from tests.support.handmade import BINARY, CONT, PING, TEXT, HandmadeSocket, close, frame
from tests.support.stack import Stack, enter, guest
from warren.client.raw import RawSocket
from warren.contracts.closing import CLOSE_CODES

SEED = int(os.environ.get("WARREN_SEED", "7"))
STREAMS = 300
SOCKETS_AT_ONCE = 20
DOCUMENTED = {c.code for c in CLOSE_CODES}
PING_FRAME = json.dumps({"type": "ping", "ref": 1}).encode()
HALF = "é".encode()[:1]

BROKEN = {
    "a reserved bit": (frame(TEXT, PING_FRAME, rsv=4), 1002),
    "all reserved bits": (frame(TEXT, PING_FRAME, rsv=7), 1002),
    "a reserved opcode": (frame(0x3, b"x"), 1002),
    "a reserved control opcode": (frame(0xB), 1002),
    "no mask": (frame(TEXT, PING_FRAME, masked=False), 1002),
    "a ping without a mask": (frame(PING, masked=False), 1002),
    "a fragmented ping": (frame(PING, fin=False), 1002),
    "a large ping": (frame(PING, b"x" * 126), 1002),
    "a continuation of nothing": (frame(CONT, b"x"), 1002),
    "a message within a message": (frame(TEXT, b"{", fin=False) + frame(TEXT, PING_FRAME), 1002),
    "a close of one byte": (frame(0x8, b"x"), 1002),
    "a close with a forbidden code": (close(1005), 1002),
    "a close with a code of nobody's": (close(999), 1002),
    "a close with bad text": (close(1000, b"\xff"), 1007),
    "bad text": (frame(TEXT, b"\xff\xfe"), 1007),
    "half a letter": (frame(TEXT, HALF), 1007),
    "a surrogate": (frame(TEXT, b"\xed\xa0\x80"), 1007),
    "half a letter in fragments": (frame(TEXT, HALF, fin=False) + frame(CONT, b"x"), 1007),
    "a huge length": (frame(TEXT, length=2**62), 1009),
    "a length beyond 63 bits": (frame(TEXT, length=2**63), 1009),
    "a little too long": (frame(TEXT, length=65_537), 1009),
    "too long in fragments": (frame(TEXT, b"x" * 40_000, fin=False) + frame(CONT, b"x" * 40_000), 1009),
    "fragments without end": (frame(TEXT, fin=False) + frame(CONT, fin=False) * 5_000, 1009),
    "a binary message": (frame(BINARY, b"x"), 1003),
    "a binary message in fragments": (frame(BINARY, b"x", fin=False) + frame(CONT, b"y"), 1003),
    "a flood of garbage": (frame(TEXT, b"x") * 200, 4009),
    "a good bye": (close(1000), 1000),
    "a bye without a code": (close(None), 1005),
    "a bye of an application": (close(4999, b"so long"), 4999),
    "frames after a bye": (close(1000) + frame(TEXT, PING_FRAME) + b"\xff" * 50, 1000),
}


@pytest.fixture(scope="module")
def base(stack: Stack) -> str:
    """The first gateway."""
    return stack.gateways[0]


@pytest.fixture
async def others(base: str, room: str) -> AsyncIterator[tuple[RawSocket, RawSocket]]:
    """Two who talk on the same gateway."""
    async with await enter(base, "Ann", room) as ann, await enter(base, "Bob", room) as bob:
        yield ann, bob


async def talk(others: tuple[RawSocket, RawSocket], room: str, number: int) -> None:
    """One says something, the other hears it."""
    ann, bob = others
    await ann.send_json({"type": "message", "id": f"m{number}", "room": room, "body": "all well"})
    assert (await bob.expect("message", id=f"m{number}"))["body"] == "all well"


def troubles(stack: Stack) -> list[object]:
    """What the gateway logged as an error of its own."""
    return [line for line in stack.logs("gateway-1") if line["level"] in {"error", "critical"}]


@pytest.mark.parametrize(("sent", "code"), BROKEN.values(), ids=BROKEN)
async def test_each_breach_has_its_close_code(base: str, sent: bytes, code: int) -> None:
    socket = await HandmadeSocket.open(base, (await guest(base))["token"])
    socket.send(sent)
    assert await socket.closed() == code


async def test_control_frames_within_a_message_are_none_of_its_business(base: str) -> None:
    socket = await HandmadeSocket.open(base, (await guest(base))["token"])
    for byte in PING_FRAME[:-1]:
        socket.send(frame(TEXT if byte == PING_FRAME[0] else CONT, bytes((byte,)), fin=False) + frame(PING, b"p"))
    socket.send(frame(CONT, PING_FRAME[-1:]))
    got = [await socket.recv() for _ in range(len(PING_FRAME) + 1)]  # the welcome, the pongs and the answer
    assert got.count((0xA, b"p")) == len(PING_FRAME) - 1
    assert json.loads(got[-1][1] if got[-1] else b"") == {"type": "pong", "ref": 1}
    socket.send(close())
    assert await socket.closed() == 1000


async def test_pings_are_answered_only_where_the_answers_are_read(
    base: str, others: tuple[RawSocket, RawSocket], room: str
) -> None:
    socket = await HandmadeSocket.open(base, (await guest(base))["token"])
    for _ in range(50):
        socket.send(frame(PING, b"x" * 125) * 100)
    await talk(others, room, 0)
    socket.send(close())
    assert await socket.closed(20) == 1000


def scrambled(chance: random.Random) -> tuple[bytes, set[int]]:
    """A stream of frames, most of them sound, with damage here and there; and the close codes it sends itself."""
    said: set[int] = set()
    stream = b""
    for _ in range(chance.randint(1, 12)):
        data = chance.choice([PING_FRAME, b"", chance.randbytes(chance.choice([1, 125, 126, 300])), b'{"type":"join"}'])
        opcode = chance.choice([TEXT] * 6 + [PING, CONT, BINARY, chance.randrange(16)])
        if opcode == 0x8:
            code = chance.choice([1000, 1001, 3000, 4999, 1005, 999])
            said.add(code)
            data = code.to_bytes(2, "big")
        stream += frame(
            opcode,
            data,
            fin=chance.random() < 0.85,
            rsv=chance.choice([0] * 20 + [1, 2, 4]),
            masked=chance.random() < 0.97,
            length=chance.choice([None] * 20 + [2**63, 70_000, len(data) + 1]),
        )
    for _ in range(chance.choice([0, 0, 0, 1, 3])):
        place = chance.randrange(len(stream))
        stream = stream[:place] + chance.randbytes(1) + stream[place + 1 :]
        if chance.random() < 0.3:
            stream = stream[: chance.randrange(len(stream))] or b"\x81"
    return stream, said


async def test_streams_of_scrambled_frames(
    stack: Stack, base: str, others: tuple[RawSocket, RawSocket], room: str
) -> None:
    before = len(troubles(stack))
    chance = random.Random(SEED)
    tokens = [(await guest(base))["token"] for _ in range(SOCKETS_AT_ONCE)]

    async def one(token: str, stream: bytes, said: set[int], cuts: list[int]) -> None:
        socket = await HandmadeSocket.open(base, token)
        for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
            socket.send(stream[start:end])
            await asyncio.sleep(0)
        socket.hang_up()
        code = await socket.closed()
        # A damaged byte may make up a close frame, whose code is repeated to whoever sent it.
        assert code is None or code in DOCUMENTED | said | {1000, 1001, 1005} or 3000 <= code <= 4999, stream

    for number in range(STREAMS // SOCKETS_AT_ONCE):
        streams = [scrambled(chance) for _ in tokens]
        cuts = [sorted(chance.sample(range(len(s)), min(3, len(s)))) for s, _ in streams]
        await asyncio.gather(
            *(one(t, s, said, c) for t, (s, said), c in zip(tokens, streams, cuts, strict=True)),
            talk(others, room, number),
        )
    assert troubles(stack)[before:] == []
