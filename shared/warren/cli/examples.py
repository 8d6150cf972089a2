"""Examples below a command's help."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from rich.markup import escape

F = TypeVar("F", bound=Callable[..., Any])


def examples(*lines: tuple[str, str]) -> Callable[[F], F]:
    """Attach examples (command, what it does) that `warren` shows as the epilog of the command's help."""
    width = max(len(command) for command, _ in lines)
    shown = [f"[bold]{escape(c)}[/]{' ' * (width - len(c))}  [dim]{escape(what)}[/]" for c, what in lines]

    def attach(function: F) -> F:
        function.epilog = "\n\n".join(["[bold]Examples[/]", *shown])  # type: ignore[attr-defined]
        return function

    return attach
