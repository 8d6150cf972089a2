"""Shows on a terminal, or in plain lines where there is none, what a stack does."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from contextlib import suppress

from rich.console import Console, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from warren.stack.state import READY, STARTING, STOPPED, STOPPING, WAITING
from warren.stack.supervisor import Event

_STYLE = {READY: "green", STARTING: "cyan", WAITING: "yellow", STOPPING: "dim", STOPPED: "dim"}
_MARK = {READY: "✓", WAITING: "↻", STOPPING: "…", STOPPED: "■"}


class Progress:
    """A live table while the stack starts, then one line for each thing worth telling."""

    def __init__(self, console: Console, processes: Iterable[str]) -> None:
        self._console = console
        self._began = time.monotonic()
        self._shown = {name: Event(name, STARTING) for name in processes}
        self._started = dict.fromkeys(self._shown, self._began)
        self._took: dict[str, float] = {}
        self._width = max((len(n) for n in self._shown), default=0)
        self._live: Live | None = None
        if console.is_terminal:
            self._live = Live(console=console, get_renderable=self._table, refresh_per_second=10, transient=True)
            self._live.start()

    @property
    def seconds(self) -> float:
        """How long it has run."""
        return time.monotonic() - self._began

    def show(self, event: Event) -> None:
        """Take notice of an event."""
        if event.process:
            self._shown[event.process] = event
            if event.state == STARTING:
                self._started[event.process] = time.monotonic()
            if event.state == READY:
                self._took[event.process] = time.monotonic() - self._started[event.process]
        in_table = self._live is not None and event.state in {STARTING, READY}
        if not in_table and (event.process or event.detail):
            self._line(event)

    def close(self) -> None:
        """End the live table; from now on there are lines only."""
        if self._live:
            with suppress(OSError):
                self._live.stop()
            self._live = None

    def _line(self, event: Event) -> None:
        style, mark = _STYLE.get(event.state, ""), _MARK.get(event.state, "·")
        when = time.strftime("%H:%M:%S")
        text = f"[dim]{when}[/] [{style}]{mark} {event.process or 'warren':<{self._width}} {event.state}[/]"
        detail = f"after {self._took[event.process]:.1f} s" if event.state == READY else event.detail
        self.print(f"{text} {escape(detail)}".rstrip())
        if event.state == WAITING and "exited" in event.detail:  # it may have said why
            self.print(f"[dim]  {escape(event.last_lines.rpartition(chr(10))[2])}[/]")

    def print(self, what: RenderableType) -> None:
        """Print, unless the terminal is gone."""
        try:
            self._console.print(what, soft_wrap=isinstance(what, str))
        except OSError:
            _mute()

    def _table(self) -> RenderableType:
        table = Table.grid(padding=(0, 2))
        for name, event in self._shown.items():
            style = _STYLE.get(event.state, "")
            mark: RenderableType = Text(_MARK.get(event.state, "·"), style=style)
            if event.state == STARTING:
                mark = Spinner("dots", style=style)
            detail = f"{self._took[name]:.1f} s" if event.state == READY else event.detail
            table.add_row(mark, name, Text(event.state, style=style), Text(detail, style="dim"))
        return table


def _mute() -> None:
    """Write into the void from now on: the terminal was closed, and stopping in order comes first."""
    void = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        os.dup2(void, descriptor)
    os.close(void)
