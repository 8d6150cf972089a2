"""Letters for a terminal."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import orjson
from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from warren.contracts import now

SHORT = 12
"""Digits of an id: enough to tell letters apart."""

_COLOURS = {
    "new": "bold yellow",
    "held": "yellow",
    "retrying": "cyan",
    "replayed": "green",
    "returned": "yellow",
    "resolved": "green",
    "discarded": "dim",
    "edited": "cyan",
    "replaced": "dim",
    "reopened": "bold red",
}
_STATES = {"running": "cyan", "settling": "cyan", "done": "green", "cancelled": "yellow", "stopped": "bold red"}
_BARS = " ▁▂▃▄▅▆▇█"
_DAYS = 7


def letters(rows: Iterable[Mapping[str, Any]]) -> Table:
    """Return letters as a table, in their order."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1))
    for column in ("id", "died", "status"):
        table.add_column(column, no_wrap=True)
    for column in ("queue", "cause", "type", "message id"):
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(
            row["id"][:SHORT],
            _moment(row["time"]),
            status(row["status"]),
            Text(row["queue"]),
            Text(row["cause"], style="red"),
            _or_dash(row["type"]),
            _or_dash(row["message_id"]),
        )
    return table


def groups(rows: Iterable[Mapping[str, Any]]) -> Table:
    """Return groups as a table, in their order."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1))
    for column in ("group", "status"):
        table.add_column(column, no_wrap=True)
    for column in ("open", "all"):
        table.add_column(column, no_wrap=True, justify="right")
    for column in ("last", "queue", "cause", "type", "owner"):
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(
            row["id"],
            status(row["status"]),
            str(row["open"]),
            str(row["count"]),
            _moment(row["last"]),
            Text(row["queue"]),
            Text.assemble((row["cause"], "red"), f": {row['message']}" if row["message"] else ""),
            _or_dash(row["type"]),
            _or_dash(row["owner"]),
        )
    return table


def plan(parts: Iterable[Mapping[str, Any]]) -> Table:
    """Return what a replay would send where."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1))
    table.add_column("letters", no_wrap=True, justify="right")
    for column in ("to", "type", "its effect is seen by"):
        table.add_column(column, overflow="fold")
    for part in parts:
        where = part["queue"] or f"exchange {part['exchange'] or '(default)'}"
        seen = "a fact that names it" if part["outcome"] == "fact" else "no other death"
        table.add_row(str(part["count"]), Text(where), _or_dash(part["type"]), Text(seen))
    return table


def replays(rows: Iterable[Mapping[str, Any]]) -> Table:
    """Return replays as a table, in their order."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1))
    for column in ("replay", "made", "state"):
        table.add_column(column, no_wrap=True)
    for column in ("sent", "of", "resolved", "awaited", "died again", "refused"):
        table.add_column(column, no_wrap=True, justify="right")
    for column in ("by", "reason"):
        table.add_column(column, overflow="fold")
    for row in rows:
        counts = [str(row[k]) for k in ("sent", "total", "resolved", "awaited", "returned", "refused")]
        made = [row["id"][-SHORT:], _moment(row["made"]), Text(row["state"], style=_STATES.get(row["state"], ""))]
        table.add_row(*made, *counts, Text(row["actor"]), _or_dash(row["reason"]))
    return table


def group(found: Mapping[str, Any]) -> RenderableType:
    """Return one group: what its letters died of, how many and when, what people said of it."""
    why = Text.assemble((found["cause"], "bold red"), f": {found['message']}" if found["message"] else "")
    if found["where"]:
        why.append(f"\nin {found['where']}", style="dim")
    counts = ", ".join(f"{n} {s}" for s, n in found["counts"].items() if n)
    rows = {
        "died in": found["queue"],
        "type": found["type"],
        "letters": f"{found['count']}: {counts}",
        "first": _moment(found["first"]),
        "last": _moment(found["last"]),
        "seven days": _days(found["hours"]),
        "owner": found["owner"],
        "note": found["note"],
    }
    return Group(
        Panel(why, title=Text.assemble("group ", (found["id"], "bold"), " · ", status(found["status"]))),
        _grid(rows),
        _section("history", _history(found["history"])),
    )


def _days(hours: Iterable[Mapping[str, Any]]) -> Text:
    """Draw the last seven days, six hours a bar."""
    bars = [0] * (_DAYS * 4)
    newest = now()
    for hour in hours:
        age = (newest - datetime.fromisoformat(hour["time"])).total_seconds() / 3600
        bars[max(0, len(bars) - 1 - int(age // 6))] += hour["count"]
    top = max(bars) or 1
    return Text("".join(_BARS[-(-n * (len(_BARS) - 1) // top)] for n in bars) + f" at most {top} in 6 hours", "cyan")


def letter(found: Mapping[str, Any], *, body: bool) -> RenderableType:
    """Return one letter: what, why, its way, its headers, perhaps its body, its history."""
    cause = found["cause"]
    why = Text.assemble((cause["type"], "bold red"), f": {cause['message']}" if cause["message"] else "")
    if cause["where"]:
        why.append(f"\nin {cause['where']}", style="dim")
    parts: list[RenderableType] = [
        Panel(why, title=Text.assemble("letter ", (found["id"], "bold"), " · ", status(found["status"]))),
        _facts(found),
        _section("properties", _json(found["properties"])),
        _section("headers", _json(found["headers"])),
    ]
    if body:
        parts.append(_section("body", _body(found["body"])))
    return Group(*parts, _section("history", _history(found["history"])))


def status(word: str) -> Text:
    """Return a status in its colour."""
    return Text(word, style=_COLOURS.get(word, ""))


def _facts(found: Mapping[str, Any]) -> Table:
    size = found["body"]["size"]
    note = "" if found["body"]["complete"] else ", only its beginning was kept"
    rows = {
        "message id": found["message_id"],
        "type": found["type"],
        "died in": found["queue"],
        "at": found["time"],
        "attempt": found["attempt"],
        "group": found["group"],
        "copy of": found["replaces"],
        "replaced by": found["replaced_by"],
        "sent again": f"{found['replays']} times before" if found["replays"] else None,
        "sent to": f"{found['exchange'] or 'the default exchange'} with key {found['routing_key'] or '(none)'}",
        "trace": found["trace"],
        "body": f"{size} bytes{note}",
        "seen": f"{found['seen']} times" if found["seen"] > 1 else "once",
    }
    return _grid(rows)


def _grid(rows: Mapping[str, Any]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows.items():
        table.add_row(name, value if isinstance(value, Text) else _or_dash(value))
    return table


def _history(steps: Iterable[Mapping[str, Any]]) -> Table:
    table = Table.grid(padding=(0, 2))
    for step in steps:
        table.add_row(
            Text(_moment(step["time"]), style="dim"),
            Text(step["action"], style=_COLOURS.get(step["action"], "")),
            Text(f"by {step['actor']}"),
            Text(step["reason"]),
        )
    return table


def _body(found: Mapping[str, Any]) -> RenderableType:
    if found["encoding"] != "utf-8":
        return Text(repr(base64.b64decode(found["data"]))[2:-1])
    try:
        return _json(orjson.loads(found["data"]))
    except orjson.JSONDecodeError:
        return Text(found["data"])


def _json(value: Any) -> RenderableType:
    text = orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
    return Syntax(text, "json", theme="ansi_dark", background_color="default", word_wrap=True)


def _section(title: str, content: RenderableType) -> Panel:
    return Panel(content, title=title, title_align="left", border_style="dim")


def _moment(time: str) -> str:
    return time[:19].replace("T", " ")


def _or_dash(value: object) -> Text:
    return Text("-", style="dim") if value in (None, "") else Text(str(value))
