"""Alerts, silences and channels for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

_COLOURS = {"error": "bold red", "warning": "bold yellow", "info": "cyan", "ok": "green"}


def alerts(rows: Iterable[Mapping[str, Any]]) -> Table:
    """Return alerts as a table, in their order."""
    table = _table(("alert", "severity", "since", "state"), ("about", "summary"))
    for row in rows:
        state = "silenced" if row["silence"] else row["state"]
        table.add_row(
            Text(row["alert"], style="bold"),
            Text(row["severity"], style=_COLOURS[row["severity"]]),
            _moment(row["since"]),
            Text(state, style="dim" if state == "silenced" else "green" if state == "cleared" else ""),
            _labels(row["labels"]),
            Text(row["summary"]),
        )
    return table


def silences(rows: Iterable[Mapping[str, Any]]) -> Table:
    """Return silences as a table."""
    table = _table(("silence", "until", "by"), ("alert", "only", "why"))
    for row in rows:
        cells = (row["id"], _moment(row["until"]), row["actor"], row["alert"])
        table.add_row(*map(Text, cells), _labels(row["labels"]), Text(row["reason"]))
    return table


def channels(rows: Iterable[Mapping[str, Any]]) -> Table:
    """Return channels as a table."""
    table = _table(("channel", "status", "waiting"), ("reason",))
    for row in rows:
        status = Text(row["status"], style=_COLOURS[row["status"]])
        table.add_row(Text(row["name"]), status, str(row["waiting"]), Text(row["reason"]))
    return table


def _table(fixed: Iterable[str], folding: Iterable[str]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1))
    for column in fixed:
        table.add_column(column, no_wrap=True)
    for column in folding:
        table.add_column(column, overflow="fold")
    return table


def _labels(labels: Mapping[str, str]) -> Text:
    return Text(" ".join(f"{k}={v}" for k, v in labels.items()) or "-", style="dim" if not labels else "")


def _moment(time: str) -> str:
    return time[:19].replace("T", " ")
