"""The record for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text


def record(rows: Iterable[Mapping[str, Any]]) -> Table:
    """Return entries as a table, in their order."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1))
    for column in ("time", "who", "role", "outcome", "method"):
        table.add_column(column, no_wrap=True)
    for column in ("path", "as", "reason"):
        table.add_column(column, overflow="fold")
    for row in rows:
        times = f" ×{row['count']}" if row["count"] > 1 else ""  # noqa: RUF001 - a multiplication sign
        table.add_row(
            row["time"][:19].replace("T", " "),
            Text(row["who"] + times),
            Text(row["role"] or "-"),
            Text(f"{row['outcome']} {row['status']}", style="red" if row["outcome"] == "denied" else "green"),
            row["method"],
            Text(row["path"]),
            Text(row["actor"] or "-"),
            Text(row["reason"] or "-"),
        )
    return table
