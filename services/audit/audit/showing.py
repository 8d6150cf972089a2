"""Tables of records and trails for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson
from rich import box
from rich.table import Table
from rich.text import Text

from audit.trail import Step
from warren.cli.console import out, uncut
from warren.contracts import rfc3339

WIDE = 110
"""Columns from which details have room."""

_LEVELS = {"warning": "yellow", "error": "red", "critical": "bold red"}
_SOURCES = {"audit": "cyan", "log": ""}


def room_for_details() -> bool:
    """Show tables whole where there is no terminal; say whether details have room."""
    uncut()
    return out.width >= WIDE


def records(found: Iterable[Mapping[str, Any]], *, wide: bool) -> Table:
    """Return records as a table, in their order."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1))
    table.add_column("recorded", no_wrap=True)
    for column in ("type", "by", "room", "user", "what"):
        table.add_column(column, overflow="fold")
    if wide:
        table.add_column("trace", overflow="fold", style="dim")
    for one in found:
        table.add_row(
            one["received"],
            *(_cell(one.get(k)) for k in ("type", "app", "room", "user")),
            _cell(_gist(one)),
            *([_cell(one.get("trace"))] if wide else []),
        )
    return table


def trail(trace: str, steps: Sequence[Step], *, wide: bool) -> Table:
    """Return the steps of one trace as a table, with milliseconds since the first; details where there is room."""
    first = steps[0].time
    span = (steps[-1].time - first).total_seconds()
    title = Text.assemble(
        "trace ", (trace or "none", "bold"), f" · {first:%Y-%m-%d} UTC · {len(steps)} steps in {span * 1000:.0f} ms"
    )
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), title=title, title_justify="left")
    table.add_column("time", no_wrap=True)
    table.add_column("+ms", justify="right", no_wrap=True)
    for column in ("who", "what", "room", "seq/id"):
        table.add_column(column, overflow="fold")
    if wide:
        table.add_column("detail", overflow="fold", style="dim")
    for step in steps:
        style = _LEVELS.get(step.level, _SOURCES.get(step.source, ""))
        after = (step.time - first).total_seconds() * 1000
        table.add_row(
            rfc3339(step.time)[11:-1],
            f"{after:.0f}",
            _cell(step.who),
            Text(step.what, style=style),
            *(_cell(x) for x in (step.room, step.ref, *([step.detail] if wide else []))),
        )
    return table


def _cell(value: object) -> Text:
    """Return a stranger's text as a cell: no markup, no control characters."""
    plain = "" if value is None else str(value)
    return Text("".join(c if c.isprintable() else "�" for c in plain))


def _gist(record: Mapping[str, Any]) -> str:
    """Say in a few words what a body says."""
    body = str(record.get("body", ""))
    try:
        data = orjson.loads(body)
        said = data.get("body") or data.get("summary") or data.get("message") or data.get("name")
    except (ValueError, AttributeError):
        said = body
    return str(said or "")[:80]
