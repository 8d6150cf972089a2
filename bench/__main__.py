"""`make bench`: Warren beside the raw broker, on the same machine, in the same run, and where the time goes."""

from __future__ import annotations

import argparse
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvloop
from rich.console import Console
from rich.progress import Progress

from bench.compare import show_comparison
from bench.profiling import Profiler
from bench.run import PAYLOAD, Bench
from bench.shapes import RAW, SHAPES
from bench.show import show
from bench.stack import commit, running

RESULTS = Path(__file__).parent / "results"


def main() -> int:
    """Measure and write the result, or compare two; the exit code is 1 if a receipt was wrong."""
    args = _arguments()
    console = Console(stderr=args.json)
    if args.compare:
        before, after = (json.loads(path.read_text()) for path in args.compare)
        show_comparison(before, after, console)
        return 0
    time = datetime.now(UTC).isoformat(timespec="seconds")
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{time.replace(':', '')}.json"
    profiler = Profiler(args.profile, path.with_suffix(""))
    result = {
        "time": time,
        "commit": commit(),
        "seconds": args.seconds,
        "payload": PAYLOAD,
        **_measure(args.only, args.seconds, profiler, console),
    }
    path.write_text(json.dumps(result, indent=2) + "\n")
    right = show(result, console)
    if args.json:
        sys.stdout.write(json.dumps(result) + "\n")
    for written in (path, *profiler.written):
        console.print(f"Written to {os.path.relpath(written)}.")
    return 0 if right else 1


def _measure(names: list[str], seconds: float, profiler: Profiler, console: Console) -> dict[str, Any]:
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("starting a stack", total=2 + len(RAW) + len(names))
        with running() as state:
            bench = Bench(state, seconds, profiler, lambda what: progress.update(task, description=what, advance=1))
            return uvloop.run(bench.run(names))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--seconds", type=float, default=8, help="length of each measurement (default 8)")
    parser.add_argument("--only", type=_names, default=list(SHAPES), metavar="A,B", help=f"of {', '.join(SHAPES)}")
    parser.add_argument("--profile", metavar="PROCESS", help="flame graphs of a process, e.g. chat (needs py-spy)")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.add_argument("--compare", nargs=2, type=Path, metavar=("BEFORE", "AFTER"), help="show two results together")
    return parser.parse_args()


def _names(text: str) -> list[str]:
    names = text.split(",")
    if unknown := set(names) - set(SHAPES):
        raise argparse.ArgumentTypeError(f"no shape {', '.join(sorted(unknown))}; there are {', '.join(SHAPES)}")
    return names


if __name__ == "__main__":
    sys.exit(main())
