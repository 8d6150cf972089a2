"""A result as tables that explain themselves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rich import box
from rich.console import Console, Group
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from bench.shapes import RAW
from bench.words import LEGEND, STAGES, WAY

Row = Mapping[str, Any]
BAR = 22


def show(result: Row, console: Console) -> bool:
    """Print all tables; returns whether every receipt was right."""
    rows = result["shapes"]
    for name, row in rows.items():
        if name not in RAW:
            console.print(_shape(name, row))
    console.print(Rule(f"All, beside the raw broker; commit {result['commit']}", align="left"), _summary(rows), "")
    for word, meaning in LEGEND.items():
        console.print(Text.assemble((f"{word}: ", "bold"), meaning), style="dim")
    background = sum(result["background"].values())
    console.print(f"Without load all processes together use {background:.0%} of a core.", style="dim")
    wrong = [f"{name}: {error}" for name, row in rows.items() for error in row["errors"]]
    for line in wrong:
        console.print(Text(line, "red"))
    return not wrong


def _summary(rows: Row) -> Table:
    one, many = (rows[name] for name in RAW)
    shown = table("", *rows)
    figures: dict[str, Callable[[Row], float]] = {
        "messages/s": _rate,
        "  × raw": lambda row: _rate(row) / _rate(many),
        "deliveries/s": lambda row: row["delivered_rate"],
        **_percentiles("ack"),
        **_percentiles("delivery"),
        "  × raw p50": lambda row: row["delivery"]["p50"] / one["delivery"]["p50"],
        "µs/message": lambda row: sum(row["us_per_message"].values()),
    }
    for name, figure in figures.items():
        shown.add_row(name, *[number(figure(row)) for row in rows.values()])
    shown.add_section()
    for process in sorted(many["us_per_message"]):
        figures_of = [number(row["us_per_message"].get(process)) for row in rows.values()]
        shown.add_row(f"  {process}", *figures_of, style="dim")
    shown.add_section()
    wrong = [len(row["errors"]) for row in rows.values()]
    shown.add_row("wrong receipts", *[Text(str(n), "red" if n else "green") for n in wrong])
    return shown


def _shape(name: str, row: Row) -> Group:
    rate = f": {row['rate']:,.0f} messages/s" if row["rate"] else ""
    behind = f"; it did NOT keep up: {row['tail']:.1f} s behind at the end" if row["rate"] and row["tail"] > 1 else ""
    about = f"{row['about']} ({row['loop']}{rate}{behind})"
    parts = (Padding(Text(about, "dim"), (0, 0, 1, 1)), _cpu(row), _stages(row), _way(row))
    return Group(Rule(Text(name, "bold"), align="left"), *parts)


def _cpu(row: Row) -> Table:
    shown = table("CPU", "µs/message", "µs/delivery", "of a core", "")
    wall = row["seconds"] + row["tail"] + row["audit_s"]
    top = max(row["cpu_s"].values())
    for name, used in sorted(row["cpu_s"].items(), key=lambda item: -item[1]):
        per = (number(row[key][name]) for key in ("us_per_message", "us_per_delivery"))
        shown.add_row(name, *per, f"{used / wall:.0%}", _bar(used, top))
    totals = (number(sum(row[key].values())) for key in ("us_per_message", "us_per_delivery"))
    shown.add_row("all", *totals, f"{sum(row['cpu_s'].values()) / wall:.0%}", "", style="bold")
    return shown


def _stages(row: Row) -> Table:
    shown = table("Stage", "events", "at once", "waited ms", "took ms", "")
    for stage in row["stages"]:
        figures = (number(stage[key]) for key in ("size", "waited", "took"))
        shown.add_row(stage["name"], f"{stage['events']:,.0f}", *figures, Text(STAGES[stage["name"]], "dim"))
    return shown


def _way(row: Row) -> Table:
    shown = table("A message's way", "mean ms", "", "")
    top = max(row["way"].values())
    for part, spent in row["way"].items():
        shown.add_row(part, number(spent), _bar(spent, top), Text(WAY[part], "dim"))
    shown.add_row("all", number(sum(row["way"].values())), "", "", style="bold")
    return shown


def table(*columns: str) -> Table:
    """Return an empty table; the first column holds names, figures stand right, unnamed columns hold the rest."""
    shown = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), header_style="bold")
    for place, column in enumerate(columns):
        figures = place > 0 and bool(column)
        shown.add_column(column, justify="right" if figures else "left", no_wrap=figures)
    return shown


def number(value: float | None) -> str:
    """Write a figure with what digits matter."""
    if value is None:
        return "·"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f}"


def _rate(row: Row) -> float:
    """Complete messages per second: where acks are what counts, acked, else delivered to every member."""
    acked = row["loop"].endswith(("outstanding", "acked"))
    return float(row["accepted_rate"] if acked else row["everywhere_rate"])


def _percentiles(kind: str) -> dict[str, Callable[[Row], float]]:
    def at(percentile: str) -> Callable[[Row], float]:
        return lambda row: float(row[kind][percentile])

    return {f"{kind} {percentile}": at(percentile) for percentile in ("p50", "p95", "p99")}


def _bar(value: float, top: float) -> Text:
    return Text("█" * round(BAR * max(0.0, value) / top) if top > 0 else "", "cyan")
