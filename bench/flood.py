"""What a flood from one address costs everybody else: their p99 during it, beside their p99 without.

    .venv/bin/python -m bench.flood                             # every kind
    .venv/bin/python -m bench.flood --only garbage,handshakes

starts a stack of its own, with its limits, and 200 people in 20 rooms who send 100 messages/s in all. Each flood stands
between two windows without one; the last, `nothing`, goes to a server that is no part of Warren: what the flooding
process itself takes from this machine.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Sequence
from urllib.parse import urlsplit

import httpx
import uvloop
from rich.console import Console

from bench.flooder import kinds
from bench.load import Load
from bench.measure import Window
from bench.shapes import Shape
from bench.show import number, table
from bench.stack import running

PEOPLE = Shape("people", "20 rooms of 10", rooms=20, members=10, senders=10, rate=100)
BEGUN_SECONDS = 5.0
"""By then what an address may do at once after a quiet time is done."""
CONTROL = "nothing"


async def measure(gateways: Sequence[str], names: Sequence[str], seconds: float, console: Console) -> bool:
    """Run the floods one by one; prints a table, and says whether nothing of the people's was lost."""
    async with httpx.AsyncClient() as http:
        token = (await http.post(f"{gateways[0]}/api/token", json={})).json()["token"]
    where = urlsplit(gateways[0])
    shown = table("p99, ms", "ack", "flooded", "×", "delivery", "flooded", "×", "")
    async with Load(PEOPLE, gateways, 200) as load:
        await load.window(seconds, PEOPLE.rate)  # warm
        before = await load.window(seconds, PEOPLE.rate)
        for name in (*names, CONTROL):
            with console.status(f"{name} …"):
                host, port = where.hostname or "", where.port or 80
                async with _sink() if name == CONTROL else _at(host, port) as (host, port):
                    during, report = await _flooded(load, name, (host, port), token, seconds)
                after = await load.window(seconds, PEOPLE.rate)
            shown.add_row(name, *_row(before, during, after), report)
            before = after
    console.print(shown)
    for error in load.errors:
        console.print(f"[red]{error}")
    return not load.errors


async def _flooded(load: Load, name: str, where: tuple[str, int], token: str, seconds: float) -> tuple[Window, str]:
    """Measure one window under a flood; return it and what the flood says of itself."""
    kind = "pings" if name == CONTROL else name
    lasts = BEGUN_SECONDS + seconds
    command = ("-m", "bench.flooder", kind, where[0], str(where[1]), token, str(lasts))
    flooder = await asyncio.create_subprocess_exec(sys.executable, *command, stdout=asyncio.subprocess.PIPE)
    await asyncio.sleep(BEGUN_SECONDS)
    window = await load.window(seconds, PEOPLE.rate)
    told = json.loads((await flooder.communicate())[0])
    sent, connected = told["bytes"] / 2**20 / lasts, told["connected"] / lasts
    return window, f"{number(sent)} MiB/s, {number(connected)} conn/s"


def _row(before: Window, during: Window, after: Window) -> list[str]:
    cells = []
    for quiet, loud in (
        ((before.ack.p99 + after.ack.p99) / 2, during.ack.p99),
        ((before.delivery.p99 + after.delivery.p99) / 2, during.delivery.p99),
    ):
        cells += [number(quiet), number(loud), number(loud / quiet)]
    return cells


@contextlib.asynccontextmanager
async def _at(host: str, port: int) -> AsyncIterator[tuple[str, int]]:
    yield host, port


@contextlib.asynccontextmanager
async def _sink() -> AsyncIterator[tuple[str, int]]:
    """Serve somewhere that everything is read and forgotten, at the rate at which a gateway hears one address."""

    async def forget(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            while await reader.read(2_048):
                await asyncio.sleep(1)
        writer.close()

    server = await asyncio.start_server(forget, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[:2]


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description="What a flood from one address costs everybody else.")
    every = ",".join(kinds("", ""))
    parser.add_argument("--only", default=every, help="kinds of flood, separated by commas (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=10, help="of each window (default: %(default)s)")
    arguments = parser.parse_args()
    with running(limits=True) as stack:
        work = measure(stack["gateways"], arguments.only.split(","), arguments.seconds, Console())
        sys.exit(0 if uvloop.run(work) else 1)


if __name__ == "__main__":
    main()
