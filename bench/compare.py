"""Two results side by side.

The machine may have been another, or busy: so each figure is also seen beside the raw broker of its own run, and that
ratio is the one to believe.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any, Literal

from rich.console import Console
from rich.text import Text

from bench.shapes import RAW
from bench.show import number, table

NOISE = 0.10
"""What two runs of the same code may differ by, beside the raw broker."""

SMALL = 0.03
"""Share of a shape's CPU below which a process is left out: it is measured in few ticks."""

RATES = {"acked/s": "accepted_rate", "everywhere/s": "everywhere_rate", "deliveries/s": "delivered_rate"}

Result = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Line:
    """One figure in both results; `raw` are those of the raw broker it is seen beside."""

    shape: str
    what: str
    before: float
    after: float
    raw_before: float
    raw_after: float
    more_is_better: bool = False

    @property
    def change(self) -> float:
        """After by before."""
        return self.after / self.before

    @property
    def beside_raw(self) -> float:
        """The change, with what the raw broker changed by taken out."""
        return self.change / (self.raw_after / self.raw_before)

    @property
    def verdict(self) -> Literal["better", "worse", "same"]:
        """What the change beside raw means."""
        if abs(self.beside_raw - 1) <= NOISE:
            return "same"
        return "better" if (self.beside_raw > 1) == self.more_is_better else "worse"


def lines(before: Result, after: Result) -> Iterator[Line]:
    """Yield what both results have measured, beside what of the raw broker it depends on."""
    one, many = RAW
    for shape in before["shapes"]:
        if shape not in after["shapes"]:
            continue
        rows = before["shapes"][shape], after["shapes"][shape]
        if not any(row["fixed_rate"] for row in rows):  # it says how fast we asked, not how fast Warren is
            for what, key in RATES.items():
                rates = _both((before, after), many, "accepted_rate")
                yield Line(shape, what, rows[0][key], rows[1][key], *rates, more_is_better=True)
        for kind, percentile in (("ack", "p50"), ("delivery", "p50"), ("delivery", "p95"), ("delivery", "p99")):
            latency = _both((before, after), one, "delivery", "p50")
            yield Line(shape, f"{kind} {percentile} ms", rows[0][kind][percentile], rows[1][kind][percentile], *latency)
        cpu = [row["us_per_message"] for row in rows]
        client = _both((before, after), many, "us_per_message", "load generator")
        yield Line(shape, "all µs/message", sum(cpu[0].values()), sum(cpu[1].values()), *client)
        for process in sorted(cpu[0].keys() & cpu[1].keys(), key=lambda p: -cpu[0][p]):
            if max(c[process] / sum(c.values()) for c in cpu) > SMALL:
                yield Line(shape, f"{process} µs/message", cpu[0][process], cpu[1][process], *client)


def _both(results: tuple[Result, Result], raw: str, *path: str) -> tuple[float, float]:
    first, second = (reduce(lambda row, key: row[key], path, r["shapes"][raw]) for r in results)
    return float(first), float(second)


def show_comparison(before: Result, after: Result, console: Console) -> None:
    """Print both, with ratios; green is better, red is worse, dim is within the noise."""
    shown = table("", "before", "after", "after/before", "beside raw")
    last = ""
    for line in lines(before, after):
        if line.shape != last:
            shown.add_section()
            shown.add_row(Text(line.shape, "bold"))
            last = line.shape
        style = {"better": "green", "worse": "red", "same": "dim"}[line.verdict]
        raw = "·" if line.shape in RAW else f"{line.beside_raw:.2f}"
        shown.add_row(f"  {line.what}", number(line.before), number(line.after), f"{line.change:.2f}", Text(raw, style))
    console.print(f"[bold]before[/]: {_title(before)}, [bold]after[/]: {_title(after)}", shown)
    console.print(
        Text.assemble(
            "beside raw: the change, with what the raw broker itself changed by between the two runs taken out. ",
            ("Green", "green"),
            " is better, ",
            ("red", "red"),
            f" is worse, dim is within {NOISE:.0%}.",
        )
    )


def _title(result: Result) -> str:
    return f"{result['commit']} ({result['time'][:16].replace('T', ' ')})"
