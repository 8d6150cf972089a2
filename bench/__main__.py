"""`make bench`: Warren beside the raw broker, on the same machine, in the same run."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvloop
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from bench import raw
from bench.load import Load, Outcome, Shape
from bench.measure import CpuClock

RESULTS = Path(__file__).parent / "results"
PAYLOAD = 200
SHAPES = (
    Shape("idle: 1 room of 4, 20 msg/s", rooms=1, members=4, rate=20),
    Shape("steady: 10 rooms of 4, 200 msg/s", rooms=10, members=4, rate=200),
    Shape("full: 10 rooms of 4, window 8", rooms=10, members=4, window=8),
)
WARREN = Path(sys.executable).with_name("warren")
NO_LIMITS = {"WARREN_MESSAGE_RATE": "0", "WARREN_CONNECT_RATE": "0", "WARREN_SESSIONS_PER_ADDRESS": "0"}


def warren(*arguments: str) -> str:
    """Run the `warren` command as users do, client limits off."""
    ran = subprocess.run(
        [WARREN, *arguments], env={**os.environ, **NO_LIMITS}, capture_output=True, text=True, timeout=120, check=False
    )
    if ran.returncode:
        sys.exit(f"warren {' '.join(arguments)} failed:\n{ran.stdout}{ran.stderr}")
    return ran.stdout


async def measure(state: dict[str, Any], seconds: float, progress: Progress) -> dict[str, Any]:
    """Measure all shapes and the raw broker; returns the result as it is written to disk."""
    task = progress.add_task("measuring", total=len(SHAPES) + 2)
    pids = {p["name"]: p["pid"] for p in state["processes"]}
    raws = []
    for outstanding in (1, 100):
        progress.update(task, description=f"raw broker, {outstanding} outstanding")
        raws.append(await raw.measure(state["amqp"], outstanding=outstanding, seconds=seconds, payload=PAYLOAD))
        progress.advance(task)
    outcomes = []
    for shape in SHAPES:
        progress.update(task, description=shape.name)
        clock = CpuClock(pids)
        outcome = await Load(shape, state["gateways"], PAYLOAD).run(seconds)
        outcomes.append({**asdict(outcome), "rates": rates(outcome), "cpu_s": clock.read()})
        progress.advance(task)
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "seconds": seconds,
        "payload": PAYLOAD,
        "raw": [asdict(r) for r in raws],
        "warren": outcomes,
    }


def rates(outcome: Outcome) -> dict[str, float]:
    """Messages and deliveries per second."""
    return {"accepted": outcome.accepted_rate, "delivered": outcome.delivered_rate}


def commit() -> str:
    """Return the commit that is measured, with a plus sign for uncommitted changes."""
    ran = subprocess.run(
        ["git", "describe", "--always", "--dirty=+"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return ran.stdout.strip() or "unknown"


def show(result: dict[str, Any], console: Console) -> bool:
    """Print the table; returns whether every receipt was right."""
    one, many = result["raw"]
    table = Table(title="Warren beside the raw broker (aio-pika, persistent, confirmed, quorum queue)")
    for column in ("what", "accepted/s", "delivered/s", "ack ms", "delivery ms", "wrong"):
        table.add_column(column, justify="left" if column == "what" else "right")

    def ms(latency: dict[str, float]) -> str:
        return " / ".join(f"{v:.1f}" for v in latency.values())

    for row in (one, many):
        accepted = f"{row['accepted']:,.0f}"
        table.add_row(f"raw broker, {row['outstanding']} outstanding", accepted, accepted, "", ms(row["latency"]), "")
    table.add_section()
    for row in result["warren"]:
        wrong = str(len(row["errors"]))
        accepted, delivered = (f"{v:,.0f}" for v in row["rates"].values())
        table.add_row(row["shape"], accepted, delivered, ms(row["ack"]), ms(row["delivery"]), wrong)
    console.print(table)
    idle, _, full = result["warren"]
    console.print(
        f"Accepted at full load: [bold]{full['rates']['accepted'] / many['accepted']:.2f} ×[/] the raw broker with 100 "
        f"outstanding. Delivery when idle, p50: [bold]{idle['delivery']['p50'] / one['latency']['p50']:.1f} ×[/] the "
        "raw broker's publish → consume. Latencies are p50 / p95 / p99."
    )
    cpu = {name: used / max(1, full["accepted"]) * 1e6 for name, used in full["cpu_s"].items()}
    parts = ", ".join(f"{name} {value:,.0f}" for name, value in sorted(cpu.items(), key=lambda x: -x[1]))
    console.print(f"CPU at full load, µs per accepted message (warm-up included): {parts}.")
    for row in result["warren"]:
        for error in row["errors"]:
            console.print(f"[red]{row['shape']}: {error}[/]")
    return not any(row["errors"] for row in result["warren"])


def main() -> int:
    """Start a stack of its own, measure, write the result, stop."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--seconds", type=float, default=8, help="length of each measurement (default 8)")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    args = parser.parse_args()
    console = Console(stderr=args.json)
    with (
        tempfile.TemporaryDirectory(prefix="warren-bench-") as data,
        Progress(console=console, transient=True) as progress,
    ):
        starting = progress.add_task("starting a stack", total=None)
        warren("up", "--gateways", "2", "--detach", "--data", data)
        progress.remove_task(starting)
        try:
            state = json.loads(warren("status", "--json", "--data", data))
            result = uvloop.run(measure(state, args.seconds, progress))
        finally:
            warren("down", "--data", data)
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{result['time'].replace(':', '')}.json"
    path.write_text(json.dumps(result, indent=2) + "\n")
    right = show(result, console)
    if args.json:
        sys.stdout.write(json.dumps(result) + "\n")
    console.print(f"Written to {path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}.")
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
