"""What a flood from one address costs everybody else: their p99 during it, beside their p99 without.

    .venv/bin/python -m bench.flood                             # every kind
    .venv/bin/python -m bench.flood --only garbage,handshakes

starts a stack of its own, with its limits, and 200 people in 20 rooms who send 100 messages/s in all. Windows with and
without the flood take turns; the medians of their p99 are compared, as a busy machine has bad moments of its own. Two
of the floods go to a server, too, that is no part of Warren and only refuses (see `bench.sink`): what they cost there,
the flooding process and this machine cost.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Sequence
from statistics import median
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
CONTROLS = ("pings", "half")


async def measure(
    gateways: Sequence[str], names: Sequence[str], seconds: float, repeats: int, console: Console
) -> bool:
    """Run the floods one by one; prints a table, and says whether nothing of the people's was lost."""
    async with httpx.AsyncClient() as http:
        token = (await http.post(f"{gateways[0]}/api/token", json={})).json()["token"]
    where = urlsplit(gateways[0])
    shown = table("p99, ms", "ack", "flooded", "×", "delivery", "flooded", "×", "")
    async with Load(PEOPLE, gateways, 200) as load:
        await load.window(seconds, PEOPLE.rate)  # warm
        for name, elsewhere in (*[(n, False) for n in names], *[(n, True) for n in CONTROLS]):
            quiet, loud = [], []
            for turn in range(repeats):
                with console.status(f"{name} {turn + 1}/{repeats} …"):
                    quiet.append(await load.window(seconds, PEOPLE.rate))
                    async with _sink() if elsewhere else contextlib.nullcontext((where.hostname, where.port)) as target:
                        during, report = await _flooded(load, name, target, token, seconds)
                    loud.append(during)
            shown.add_row(f"{name}, elsewhere" if elsewhere else name, *_row(quiet, loud), report)
    console.print(shown)
    for error in load.errors:
        console.print(f"[red]{error}")
    return not load.errors


async def _flooded(load: Load, name: str, where: tuple[str, int], token: str, seconds: float) -> tuple[Window, str]:
    """Measure one window under a flood; return it and what the flood says of itself."""
    lasts = BEGUN_SECONDS + seconds
    command = ("-m", "bench.flooder", name, where[0], str(where[1]), token, str(lasts))
    flooder = await asyncio.create_subprocess_exec(sys.executable, *command, stdout=asyncio.subprocess.PIPE)
    await asyncio.sleep(BEGUN_SECONDS)
    window = await load.window(seconds, PEOPLE.rate)
    told = json.loads((await flooder.communicate())[0])
    sent, connected = told["bytes"] / 2**20 / lasts, told["connected"] / lasts
    return window, f"{number(sent)} MiB/s, {number(connected)} conn/s"


def _row(quiet: Sequence[Window], loud: Sequence[Window]) -> list[str]:
    cells = []
    for part in ("ack", "delivery"):
        usual, flooded = (median(getattr(w, part).p99 for w in some) for some in (quiet, loud))
        cells += [number(usual), number(flooded), number(flooded / usual)]
    return cells


@contextlib.asynccontextmanager
async def _sink() -> AsyncIterator[tuple[str, int]]:
    """Run `bench.sink`; yields where."""
    sink = await asyncio.create_subprocess_exec(sys.executable, "-m", "bench.sink", stdout=asyncio.subprocess.PIPE)
    assert sink.stdout is not None
    try:
        yield "127.0.0.1", int(await sink.stdout.readline())
    finally:
        sink.kill()
        await sink.wait()


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description="What a flood from one address costs everybody else.")
    every = ",".join(kinds("", ""))
    parser.add_argument("--only", default=every, help="kinds of flood, separated by commas (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=5, help="of each window (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=5, help="windows of each (default: %(default)s)")
    arguments = parser.parse_args()
    with running(limits=True) as stack:
        names, seconds, repeats = arguments.only.split(","), arguments.seconds, arguments.repeats
        work = measure(stack["gateways"], names, seconds, repeats, Console())
        sys.exit(0 if uvloop.run(work) else 1)


if __name__ == "__main__":
    main()
