"""`warren import`: plays what was said elsewhere into a room."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from typing import Annotated, Any

import typer
import uvloop
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from warren.cli.console import err, fail, out
from warren.cli.examples import examples
from warren.cli.gateways import gateways
from warren.client import Rest
from warren.client.errors import ClientError
from warren.ids import uuid7
from warren.irc.compare import Comparison, compare
from warren.irc.pace import clock_times, steady_times
from warren.irc.parse import Kind, Line, parse
from warren.irc.play import AHEAD, Played, Player
from warren.irc.script import Script, write_script
from warren.irc.verify import read_back
from warren.stack.files import write_private

app = typer.Typer(no_args_is_help=True, help="Play what was said elsewhere into a room.")


@app.callback()
def group() -> None:
    """Play what was said elsewhere into a room."""


@dataclass(slots=True)
class Report:
    """An import from its file to its end."""

    run: str
    room: str
    gateways: list[str]
    lines: list[Line]
    script: Script
    played: Played
    after: int
    found: Comparison

    def as_json(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        played, messages = self.played, len(self.script.says)
        return {
            "run": self.run,
            "room": self.room,
            "gateways": self.gateways,
            "lines": {kind.value: count for kind, count in Counter(line.kind for line in self.lines).items()},
            "users": self.script.users,
            "messages": messages,
            "acked": len(played.acks),
            "refused": [{"line": line, "reason": why} for line, why in played.refused],
            "skipped": [{"line": line, "reason": why} for line, why in self.script.skipped],
            "evicted": self.script.evicted,
            "seconds": round(played.seconds, 3),
            "messages_per_second": round(messages / played.seconds, 1) if played.seconds else 0.0,
            "ack_ms": _percentiles(played.acks),
            "compared_after": self.after,
            "same": self.found.same,
            "others": self.found.others,
            "differences": self.found.count,
            "first_differences": self.found.differences,
        }


@examples(
    ("warren import irc log.txt --room general", "as fast as it goes, over all gateways of the local stack"),
    ("warren import irc log.txt --room general --speed 60", "an hour of the log in a minute"),
    ("warren import irc log.txt --room general --rate 200", "200 messages a second"),
)
def irc(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="The log.")],
    room: Annotated[str, typer.Option(help="The room to play it into.")],
    speed: Annotated[str, typer.Option(help="Times the log's clock, or [bold]max[/].")] = "max",
    rate: Annotated[float | None, typer.Option(min=0.01, help="Messages per second, instead of --speed.")] = None,
    url: Annotated[list[str] | None, typer.Option(help="A gateway; several share the users.")] = None,
    data: Annotated[Path, typer.Option(help="Data directory of the local stack.")] = Path(".warren"),
    users: Annotated[
        int, typer.Option(min=1, help="Users in the room at once, at the most: quiet ones quit for others.")
    ] = 800,
    run: Annotated[str, typer.Option(help="Name of this import: done again under it, nothing doubles.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Play an IRC log into a room, every nick a user, then compare the room with the log.

    Ends with 1 if the room differs from the log in any entry.
    """
    factor = _factor(speed)
    if run and not re.fullmatch(r"[A-Za-z0-9_-]{1,40}", run):
        fail("--run is 1 to 40 letters, digits, - or _")
    lines = parse(file.read_bytes())
    script = write_script(lines, users)
    if not script.steps:
        fail(f"{file} has no line of an IRC log (`[hh:mm] <nick> text`)")
    report = uvloop.run(_import(lines, script, room, gateways(url, data), run, data, factor, rate))
    if as_json:
        out.print_json(json.dumps(report.as_json()))
    else:
        _show(report)
    raise typer.Exit(1 if report.found.count else 0)


app.command(epilog=irc.epilog)(irc)  # type: ignore[attr-defined]


def _factor(speed: str) -> float | None:
    try:
        factor = None if speed == "max" else float(speed)
    except ValueError:
        factor = 0.0
    if factor is not None and not 0 < factor < float("inf"):
        fail("--speed is a number above 0, or max")
    return factor


async def _import(
    lines: list[Line],
    script: Script,
    room: str,
    urls: list[str],
    run: str,
    data: Path,
    speed: float | None,
    rate: float | None,
) -> Report:
    prefix = run or uuid7()[:23].replace("-", "")
    ids = {step.line: f"{prefix}-{step.line}" for step in script.says}
    kept = data / "imports" / f"{run}.json"
    tokens = _load_tokens(kept) if run else {}
    async with Rest(urls) as rest:
        observer = (await rest.guest()).token
        after = 0 if tokens else (await rest.entries(room, observer, limit=1))["seq"]
        with _progress() as progress:
            task = progress.add_task("playing", total=len(ids))
            player = Player(script, room, urls, ids, rest=rest, tokens=tokens, said=lambda: progress.advance(task))
            times = clock_times(script.steps, speed) if speed else None
            if rate:
                times = steady_times(script.steps, rate)
            try:
                played = await player.play(times, ahead=0 if speed and not rate else AHEAD)
            except ClientError as e:
                progress.stop()
                fail(f"the import stopped after {len(player.played.acks)} of {len(ids)} messages: {e}", code=1)
            finally:
                if run:
                    write_private(kept, json.dumps(tokens))
            progress.update(task, description="reading back")
            entries = await read_back(rest, observer, room, after, played.users, len(ids))
    found = compare(entries, script.says, played.users, ids, after)
    return Report(prefix, room, urls, lines, script, played, after, found)


def _load_tokens(path: Path) -> dict[int, str]:
    """Return the users' tokens of an earlier import under the same name: the same users say the same again."""
    try:
        return {int(user): str(token) for user, token in json.loads(path.read_text()).items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError):
        fail(f"{path} is damaged: remove it, or import under another --run")


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("messages"),
        TimeElapsedColumn(),
        console=err,
        transient=True,
    )


def _percentiles(seconds: list[float]) -> dict[str, float]:
    if len(seconds) < 2:
        return {}
    cuts = quantiles(seconds, n=100)
    return {name: round(1000 * cuts[n - 1], 2) for name, n in (("p50", 50), ("p95", 95), ("p99", 99))}


def _show(report: Report) -> None:
    data = report.as_json()
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    kinds = data["lines"]
    actions = f"{kinds.get(Kind.ACTION, 0)} of them actions"
    moves = ", ".join(f"{kinds.get(k, 0)} {k}s" for k in (Kind.JOIN, Kind.LEAVE, Kind.QUIT, Kind.RENAME))
    ack = ", ".join(f"{name} {value:g}" for name, value in data["ack_ms"].items())
    table.add_row("lines", f"{len(report.lines)}: {moves}")
    table.add_row("messages", f"{data['messages']}, {actions}, by {data['users']} users")
    for reason, count in Counter(why for _, why in report.script.skipped).items():
        table.add_row("left out", f"{count}: {reason}")
    if report.script.evicted:
        table.add_row("taken out", f"{report.script.evicted} quiet users, to stay below the limit of sessions")
    if report.played.refused:
        line, why = report.played.refused[0]
        table.add_row("refused", f"{len(report.played.refused)}, the first: line {line}, {escape(why)}")
    table.add_row("acknowledged", f"{data['acked']} in {data['seconds']} s: {data['messages_per_second']}/s")
    table.add_row("time to ack", f"{ack} ms")
    table.add_row("in the room", f"{data['same']} as in the log, {data['others']} by others, after {report.after}")
    out.print(table)
    if report.found.count == 0:
        out.print(f"[green]✓ the room {escape(report.room)} holds exactly what the log says, in its order[/]")
        return
    out.print(f"[red]✗ {report.found.count} differences between the room {escape(report.room)} and the log[/]")
    for sentence in report.found.differences:
        out.print(f"  {escape(sentence)}", soft_wrap=True)
