"""The two consoles of the command line, and how it fails."""

from __future__ import annotations

from typing import Any, NoReturn

import orjson
import typer
from rich.console import Console
from rich.markup import escape

out = Console(highlight=False)
"""What was asked for."""

err = Console(stderr=True, highlight=False)
"""What went wrong, and progress where the output is for a machine."""


UNCUT = 200
"""Columns where there is no terminal."""


def complain(message: str) -> None:
    """Print one sentence in red to standard error; what follows its first line is shown dim."""
    first, _, rest = message.partition("\n")
    err.print(f"[bold red]✗[/] [red]{escape(first)}[/]", soft_wrap=True)
    if rest:
        err.print(f"[dim]{escape(rest)}[/]", soft_wrap=True)


def fail(message: str, code: int = 2) -> NoReturn:
    """Complain and end the command with an exit code."""
    complain(message)
    raise typer.Exit(code)


def uncut() -> None:
    """Show tables whole where there is no terminal: what reads them there cuts by itself."""
    for console in (out, err):
        if not console.is_terminal:
            console.width = max(console.width, UNCUT)


def print_json(content: Any) -> None:
    """Print JSON for machines: one line, no colours, nothing cut."""
    typer.echo(orjson.dumps(content).decode())
