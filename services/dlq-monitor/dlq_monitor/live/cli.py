"""`warren dlq watch`. Ctrl-C ends it with exit code 0; 1: `--once`, and dlq-monitor does not answer; 2: wrong use."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.live import Live

from dlq_monitor.cli.options import client
from dlq_monitor.live import showing
from dlq_monitor.live.snapshot import Snapshot, changes
from warren.cli.console import fail, out, print_json, uncut
from warren.cli.examples import examples
from warren.cli.options import DEFAULT_DATA, Data, Json, Url
from warren.cli.service_client import ServiceClient
from warren.contracts import now, rfc3339
from warren.errors import WarrenError

INTERVAL = 2.0
"""Seconds between two looks."""


@examples(
    ("warren dlq watch", "queues, dead letters and alerts, live; Ctrl-C ends it"),
    ("warren dlq watch --once", "the same, one time"),
    ("warren dlq watch --json", "one line of JSON for each change"),
)
def watch(
    once: Annotated[bool, typer.Option("--once", help="Show it one time and end.")] = False,
    data: Data = DEFAULT_DATA,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Watch queues, dead letters and alerts. A service that is away is shown, and asked again."""
    look = _looking(data, url)
    if once:
        _once(look(), as_json=as_json)
        return
    if not as_json and not out.is_terminal:
        fail("this is no terminal: say --once, or --json for a line at each change")
    try:
        (_tell if as_json else _show)(look)
    except KeyboardInterrupt:
        return


def _looking(data: Path, url: str | None) -> Callable[[], Snapshot]:
    known: list[ServiceClient] = []

    def look() -> Snapshot:
        try:
            service = known[0] if known else client(data, url)
            found = Snapshot.of(
                service.get("/queues"), service.get("/groups", status="open"), service.get("/alerts", state="firing")
            )
        except WarrenError as e:
            known.clear()  # started again, it may answer elsewhere
            return Snapshot(away=str(e))
        known[:] = [service]
        return found

    return look


def _once(found: Snapshot, *, as_json: bool) -> None:
    if found.away:
        fail(found.away, 1)
    if as_json:
        kinds: dict[str, Any] = {"queues": found.queue, "groups": found.group, "alerts": found.alert}
        print_json({"time": rfc3339(now())} | {k: list(rows.values()) for k, rows in kinds.items()})
    else:
        uncut()
        out.print(_view(found, found))


def _show(look: Callable[[], Snapshot]) -> None:
    first = last = look()
    with Live(_view(last, first), console=out, screen=True, auto_refresh=False) as live:
        while True:
            time.sleep(INTERVAL)
            found = look()
            # What was seen last stays in view while the service is away.
            last = Snapshot(last.queue, last.group, last.alert, found.away) if found.away else found
            if first.away and not found.away:
                first = found
            live.update(_view(last, first), refresh=True)


def _tell(look: Callable[[], Snapshot]) -> None:
    last = Snapshot(away="not asked yet")
    while True:
        found = look()
        for change in changes(last, found):
            print_json({"seen": rfc3339(now()), **change})
        last = Snapshot(last.queue, last.group, last.alert, found.away) if found.away else found
        time.sleep(INTERVAL)


def _view(found: Snapshot, first: Snapshot) -> Any:
    return showing.view(found, first, rfc3339(now())[11:19])
