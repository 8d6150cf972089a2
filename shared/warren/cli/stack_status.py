"""`warren status`."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from urllib.parse import unquote, urlsplit

import typer
from rich import box
from rich.table import Table

from warren.cli.addresses import without_password
from warren.cli.console import fail, out
from warren.stack.handshake import broker_answers, http_answers, store_answers
from warren.stack.state import READY, NotRunningError, ProcessState, StackState, read_state


def status(data: Path, *, as_json: bool) -> None:
    """Print the state of the stack in `data`; exit code 1 unless all of it is ready."""
    try:
        state = read_state(data)
    except NotRunningError as e:
        fail(str(e), 1)
    ready = asyncio.run(_ask_all(state))
    if as_json:
        typer.echo(json.dumps(state.public()))
    else:
        out.print(_table(state, ready))
    if not all(ready.values()):
        raise typer.Exit(1)


async def _ask_all(state: StackState) -> dict[str, bool]:
    """Ask every process itself whether it is ready, all at once."""
    answers = await asyncio.gather(*(_ask(p, state) for p in state.processes))
    return {p.name: ready for p, ready in zip(state.processes, answers, strict=True)}


async def _ask(process: ProcessState, state: StackState) -> bool:
    if process.pid is None:
        return False
    own = {"broker": state.amqp, "store": state.mongo}
    url = urlsplit(own.get(process.name) or process.url or "")
    host, port = url.hostname or "", url.port or 0
    if process.name == "broker":
        return await broker_answers(host, port, unquote(url.username or ""), unquote(url.password or ""))
    if process.name == "store":
        return await store_answers(host, port)
    return await http_answers(host, port, "/" if process.name == "balancer" else "/readyz")


def _table(state: StackState, ready: dict[str, bool]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in ("", "process", "state"):
        table.add_column(column, no_wrap=True)
    for column in ("pid", "up", "restarts"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("address", overflow="fold")
    own = {"broker": state.amqp, "store": state.mongo}
    for process in state.processes:
        mark, says = "[green]✓[/]", process.state
        if not ready[process.name]:
            mark, says = "[red]✗[/]", "not ready" if says == READY else says
        restarts = f"[yellow]{process.restarts}[/]" if process.restarts else "0"
        address = process.url or without_password(own[process.name])
        up = _duration(time.time() - process.since) if process.pid else "-"
        table.add_row(mark, process.name, says, str(process.pid or "-"), up, restarts, address)
    running = {p.name for p in state.processes}
    for name in own.keys() - running:
        table.add_row("", name, "external", "", "", "", without_password(own[name]))
    return table


def _duration(seconds: float) -> str:
    minutes, hours = int(seconds // 60), int(seconds // 3600)
    if minutes < 1:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if hours < 1 else f"{hours} h {minutes % 60} min"
