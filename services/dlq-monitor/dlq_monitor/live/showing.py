"""A snapshot for a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from dlq_monitor.alerting import showing as alerting
from dlq_monitor.cli import showing
from dlq_monitor.live.snapshot import Snapshot
from dlq_monitor.watching.findings import span

QUEUES, GROUPS, ALERTS = 15, 12, 8
"""Rows at the most: what matters comes first, and all of it fits."""


def view(now: Snapshot, first: Snapshot, time: str) -> RenderableType:
    """Return what goes on; `first` is from when the watch began."""
    state = Text(f"✗ {now.away}", "bold red") if now.away else Text("✓ dlq-monitor answers", "green")
    parts: list[RenderableType] = [Text.assemble((time, "bold"), "  ", state)]
    if now.alert:
        parts += [_title("alerts"), alerting.alerts(list(now.alert.values())[:ALERTS]), _more(now.alert, ALERTS)]
    elif not now.away:
        parts.append(Text("✓ nothing fires", "green"))
    busy = sorted((q for q in now.queue.values() if _matters(q)), key=lambda q: -(q["depth"] or 0))
    parts += [_title("queues"), _queues(busy[:QUEUES])]
    if rest := len(now.queue) - len(busy[:QUEUES]):
        parts.append(Text(f"{rest} more, {'empty' if len(busy) <= QUEUES else 'shorter or empty'}", "dim"))
    if now.group:
        parts += [_title("dead letters"), _groups(now, now.new(first)), _more(now.group, GROUPS)]
    elif not now.away:
        parts.append(Text("✓ no open dead letters", "green"))
    return Group(*(p for p in parts if p))


def _matters(queue: Mapping[str, Any]) -> bool:
    return bool(queue["depth"] or queue["growing"])


def _queues(rows: list[Mapping[str, Any]]) -> RenderableType:
    if not rows:
        return Text("✓ all are empty", "green")
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1))
    table.add_column("queue", overflow="fold")
    for column in ("depth", "in", "out", "consumers", "oldest"):
        table.add_column(column, no_wrap=True, justify="right")
    table.add_column("estimate", overflow="fold")
    for row in rows:
        table.add_row(
            Text(row["name"]),
            Text(f"{row['depth']:,}", style="bold yellow" if row["growing"] else "bold"),
            _rate(row["rate_in"]),
            _rate(row["rate_out"]),
            Text(str(row["consumers"]), style="" if row["consumers"] else "red"),
            "-" if row["oldest_seconds"] is None else span(row["oldest_seconds"]),
            Text(row["estimate"].removeprefix("and ").strip("()")),
        )
    return table


def _groups(now: Snapshot, new: Mapping[str, int]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1))
    for column in ("group", "status"):
        table.add_column(column, no_wrap=True)
    for column in ("open", "new", "all"):
        table.add_column(column, no_wrap=True, justify="right")
    for column in ("last", "queue", "cause"):
        table.add_column(column, overflow="fold")
    for row in list(now.group.values())[:GROUPS]:
        came = new.get(row["id"], 0)
        table.add_row(
            row["id"],
            showing.status(row["status"]),
            str(row["open"]),
            Text(f"+{came}" if came else "", style="bold red"),
            str(row["count"]),
            row["last"][11:19],
            Text(row["queue"]),
            Text.assemble((row["cause"], "red"), f": {row['message']}" if row["message"] else ""),
        )
    return table


def _title(words: str) -> Text:
    return Text(f"\n{words}", "bold underline")


def _more(rows: Mapping[str, Any], shown: int) -> Text:
    return Text(f"{len(rows) - shown} more" if len(rows) > shown else "", "dim")


def _rate(value: float | None) -> str:
    return "-" if value is None else f"{value:,.1f}/s"
