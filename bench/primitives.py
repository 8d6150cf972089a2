"""What the parts of a message's way cost at the least, for the arithmetic in `docs/performance.md`.

    .venv/bin/python -m bench.primitives

prints µs of CPU for each, the best of several rounds, on this machine, now.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import socket
import tempfile
import time
from collections.abc import Callable

import orjson
import uvloop
from rich.console import Console
from rich.table import Table

from gateway.framing import framed_json
from warren.contracts import User, now, rfc3339
from warren.contracts.commands import PostMessage
from warren.contracts.frames import parse_client_frame
from warren.envelope import event
from warren.messaging.codec import to_content
from warren.observability.logging import JsonFormatter

ROUNDS = 7
SECONDS = 0.05
ROOM, USER, BODY = "general", User(id="guest-0123456789abcdef", name="Quiet Otter 42"), "x" * 64


def cost(work: Callable[[], object]) -> float:
    """Return µs of CPU per call: the best round, for noise only adds."""
    best = float("inf")
    for _ in range(ROUNDS):
        calls, began, until = 0, time.process_time(), time.perf_counter() + SECONDS
        while time.perf_counter() < until:
            for _ in range(20):
                work()
            calls += 20
        best = min(best, (time.process_time() - began) / calls * 1e6)
    return best


def pieces() -> dict[str, Callable[[], object]]:
    """Return the parts by name."""
    left, right = socket.socketpair()
    text = orjson.dumps({"type": "message", "id": "m-1", "room": ROOM, "body": BODY}).decode()
    command = PostMessage.model_construct(room=ROOM, id="m-1", user=USER, time=now(), body=BODY)
    wrapped = event(command, "warren.commands", "chat.3", traceparent=f"00-{'a' * 32}-{'b' * 16}-00")
    frame = {"type": "message", "room": ROOM, "seq": 7, "id": "m-1", "user": USER.model_dump(), "body": BODY}
    file = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the closure
    record = logging.LogRecord("gateway.hub", logging.INFO, "", 0, "facts given out", (), None)
    formatter = JsonFormatter("gateway", "gateway-1")

    def over_a_socket() -> None:
        left.send(text.encode())
        right.recv(4096)

    def durable() -> None:
        os.write(file.fileno(), wrapped.body)
        os.fdatasync(file.fileno())

    return {
        "send and receive over a socket": over_a_socket,
        "parse and check a client's frame": lambda: parse_client_frame(text),
        "wrap a command: id, trace, JSON": lambda: event(command, "warren.commands", "chat.3", traceparent="00"),
        "AMQP properties and body of an event": lambda: to_content([wrapped], "gateway"),
        "a frame for all members of a room": lambda: framed_json(frame),
        "a time as text": lambda: rfc3339(command.time),
        "SHA-256 of an event": lambda: hashlib.sha256(wrapped.body).digest(),
        "a line in the log": lambda: formatter.format(record),
        "write to the disk for good (wait not counted)": durable,
    }


async def switch() -> float:
    """Return µs of CPU for a future's way through the event loop."""
    loop, calls = asyncio.get_running_loop(), 20_000
    began = time.process_time()
    for _ in range(calls):
        waiting = loop.create_future()
        loop.call_soon(waiting.set_result, None)
        await waiting
    return (time.process_time() - began) / calls * 1e6


def main() -> None:
    """Measure and print."""
    table = Table("part", "CPU µs")
    for name, work in pieces().items():
        table.add_row(name, f"{cost(work):,.1f}")
    table.add_row("wait for a future", f"{uvloop.run(switch()):,.1f}")
    Console().print(table)


if __name__ == "__main__":
    main()
