"""The embedded store's server in Python beside its build in Rust: the same writes and reads, in turns (ADR 2).

    make .venv/rust                        # builds it with cargo, some ten minutes
    .venv/bin/python -m bench.stores

prints the servers' CPU time and the wall time per call, in µs.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import psutil
from motor.motor_asyncio import AsyncIOMotorClient
from rich.console import Console
from rich.table import Table

from chat.model import Entry
from chat.repository import Entries, Wanted
from warren.contracts import User, now
from warren.storage.mongo import DURABLE

BIN = Path(sys.executable).parent
SERVERS = {"Python": BIN / "secantusd-py", "Rust": BIN.parent / "rust" / "bin" / "secantusd-rs"}
ROUNDS, CALLS = 3, 100
PER_WRITE = (1, 10, 40)


def write(entries: Entries, size: int, room: str) -> Callable[[], Awaitable[Any]]:
    """Return a durable write of so many entries."""
    last = 0

    async def call() -> None:
        nonlocal last
        new = [
            Entry(room, last + n + 1, f"m{last + n}", User(id="guest-0123456789", name="Ann"), "x" * 64, now())
            for n in range(size)
        ]
        last += size
        assert await entries.append([new]) == [None]

    return call


async def measure(entries: Entries, server: psutil.Process) -> dict[str, tuple[float, float]]:
    """Return CPU of the server and wall time, in µs a call."""
    calls: dict[str, Callable[[], Awaitable[Any]]] = {
        f"write {size}": write(entries, size, f"{time.time_ns()}-{size}") for size in PER_WRITE
    }
    found = {name: await cost(call, server) for name, call in calls.items()}
    [room] = await entries.active(1)
    found["newest page of 50"] = await cost(lambda: entries.pages([Wanted(room)]), server)
    return found


async def cost(call: Callable[[], Awaitable[Any]], server: psutil.Process) -> tuple[float, float]:
    """Return CPU of the server and wall time, in µs a call."""
    before, began = sum(server.cpu_times()[:2]), time.perf_counter()
    for _ in range(CALLS):
        await call()
    took = time.perf_counter() - began
    return (sum(server.cpu_times()[:2]) - before) / CALLS * 1e6, took / CALLS * 1e6


@contextlib.contextmanager
def running(program: Path, data: str) -> Iterator[tuple[psutil.Process, str]]:
    """Run a server; yields its process and URL."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [program, "--port", str(port), "--storage-path", data]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield psutil.Process(process.pid), f"mongodb://127.0.0.1:{port}/?directConnection=true"
        finally:
            process.terminate()


async def compare(servers: dict[str, tuple[psutil.Process, str]]) -> dict[tuple[str, str], list[tuple[float, float]]]:
    """Measure each in turns; returns CPU and wall time by call and server."""
    seen: dict[tuple[str, str], list[tuple[float, float]]] = {}
    logs = {}
    for name, (process, url) in servers.items():
        client: AsyncIOMotorClient[Any] = AsyncIOMotorClient(url, retryWrites=False)
        logs[name] = Entries(client.get_database("bench", write_concern=DURABLE)), process
        await logs[name][0].prepare()
    for _ in range(ROUNDS):
        for name, (entries, process) in logs.items():
            for call, figures in (await measure(entries, process)).items():
                seen.setdefault((call, name), []).append(figures)
    return seen


def main() -> None:
    """Measure and print."""
    with contextlib.ExitStack() as stack:
        data = stack.enter_context(tempfile.TemporaryDirectory(prefix="warren-bench-"))
        servers = {n: stack.enter_context(running(p, f"{data}/{n}")) for n, p in SERVERS.items()}
        seen = asyncio.run(compare(servers))
    table = Table("call", "server", "CPU µs", "wall µs")
    for (call, name), figures in sorted(seen.items()):
        table.add_row(call, name, *[f"{median(f[i] for f in figures):,.0f}" for i in (0, 1)])
    Console().print(table)


if __name__ == "__main__":
    main()
