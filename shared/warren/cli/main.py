"""Assembles the `warren` command; each sub-command is imported only when it is needed."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from warren import __version__
from warren.cli.console import complain, fail, out
from warren.cli.readers import LEFT, have_left, watch_readers
from warren.errors import WarrenError

BUILT_IN = {
    "up": "warren.cli.stack:up",
    "status": "warren.cli.stack:status",
    "down": "warren.cli.stack:down",
    "restart": "warren.cli.stack:restart",
    "doctor": "warren.cli.stack:doctor",
    "chat": "warren.cli.chat:chat",
    "import": "warren.cli.importing:app",
}
"""Command -> where it is: a function is a command, a Typer a group of them."""

GROUP = "warren.commands"
"""Entry points of this group add commands, in the same form."""


class LazyGroup(TyperGroup):
    """Imports a command's module when the command is called or listed; a broken one harms no other."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Name the built-in commands, then those that services add."""
        return [*BUILT_IN, *sorted(e.name for e in entry_points(group=GROUP) if e.name not in BUILT_IN)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Load one command, or None if there is none of that name."""
        if cmd_name in BUILT_IN:
            return _load(EntryPoint(cmd_name, BUILT_IN[cmd_name], GROUP))
        return next((_load(e) for e in entry_points(group=GROUP, name=cmd_name)), None)


def _load(entry: EntryPoint) -> Any:
    try:
        target = getattr(import_module(entry.module), entry.attr)
    except Exception as e:  # noqa: BLE001 - a plug-in may raise anything when it is imported
        return _broken(entry, f"{type(e).__name__}: {e}")
    return _command(entry.name, target)


def _command(name: str, target: typer.Typer | Callable[..., Any]) -> Any:
    """Turn a Typer into a group and a function into a command, whatever its examples are."""
    if not isinstance(target, typer.Typer):
        single = typer.Typer(add_completion=False, rich_markup_mode="rich")
        single.command(name, epilog=getattr(target, "epilog", None))(target)
        target = single
    command = typer.main.get_command(target)
    command.name = name
    return command


def _broken(entry: EntryPoint, reason: str) -> Any:
    def explain() -> None:
        fail(f"the command {entry.name} ({entry.value}) cannot be loaded: {reason}")

    return TyperCommand(entry.name, callback=explain, help=f"[red]Cannot be loaded: {reason}[/]")


app = typer.Typer(
    cls=LazyGroup,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Start with [bold]warren up[/], then open the address it prints. "
    "Each command has examples: [bold]warren up --help[/].",
)


def _version(wanted: bool) -> None:
    if wanted:
        out.print(f"warren {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """[bold]Warren[/]: chat services on RabbitMQ whose messages are ordered, acknowledged and traceable."""


def main() -> None:
    """Run the command line; what is expected to go wrong is one sentence, never a trace back."""
    watch_readers()
    try:
        app(prog_name="warren")
    except WarrenError as e:
        complain(str(e))
        sys.exit(2)
    finally:
        if have_left():
            sys.exit(LEFT)


if __name__ == "__main__":
    main()
