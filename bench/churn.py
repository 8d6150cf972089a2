"""Memory while rooms come and go, to see whether anything grows.

    .venv/bin/python -m bench.churn                    # 20,000 rooms, some minutes
    .venv/bin/python -m bench.churn --rooms 5000

starts a stack of its own. Again and again a hundred rooms are opened, two members each, at different gateways, talk,
and all leave for ever; every receipt is checked. What each process holds is shown ten times on the way. Tables that
are bounded by a count fill up first; after that, all figures should stay where they are.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence

import psutil
import uvloop
from rich.console import Console
from rich.progress import track
from rich.table import Column, Table

from bench.load import Load
from bench.shapes import Shape
from bench.stack import running

SHAPE = Shape("churn", "100 rooms of 2 for a moment", rooms=100, members=2, senders=2, window=1)
SECONDS = 0.2
PAYLOAD = 64
LOOKS = 10

Look = tuple[int, dict[str, float]]


def resident(pids: Mapping[str, int]) -> dict[str, float]:
    """Return MB by process."""
    return {name: psutil.Process(pid).memory_info().rss / 1e6 for name, pid in pids.items()}


async def churn(gateways: Sequence[str], pids: Mapping[str, int], times: int) -> list[Look]:
    """Let rooms come and go; returns what was resident after each tenth of them."""
    looks: list[Look] = []
    for time in track(range(1, times + 1), "a hundred rooms at a time", transient=True):
        async with Load(SHAPE, gateways, PAYLOAD) as load:
            await load.window(SECONDS, 0)
        if load.errors:
            sys.exit("\n".join(load.errors))
        if time * LOOKS % times < LOOKS:
            looks.append((time * SHAPE.rooms, resident(pids)))
    return looks


def show(looks: Sequence[Look]) -> Table:
    """Return a table: MB by process after so many rooms, and the growth per room in the second half."""
    table = Table(Column("rooms", no_wrap=True), *looks[0][1], title="MB resident", title_justify="left")
    for rooms, figures in looks:
        table.add_row(f"{rooms:,}", *[f"{mb:,.0f}" for mb in figures.values()])
    (half, before), (whole, after) = looks[len(looks) // 2 - 1], looks[-1]
    table.add_section()
    table.add_row("bytes/room", *[f"{(after[name] - before[name]) * 1e6 / (whole - half):+,.0f}" for name in after])
    return table


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description="Memory while rooms come and go: does anything grow?")
    parser.add_argument("--rooms", type=int, default=20_000, help="how many in all (default: %(default)s)")
    times = max(LOOKS, parser.parse_args().rooms // SHAPE.rooms)
    with running() as stack:
        pids = {p["name"]: p["pid"] for p in stack["processes"]}
        looks = uvloop.run(churn(stack["gateways"], pids, times))
    Console().print(show(looks))


if __name__ == "__main__":
    main()
