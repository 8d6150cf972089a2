"""The table of addresses that `warren up` ends with."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from rich import box
from rich.table import Table

from warren.stack.state import StackState


def without_password(url: str) -> str:
    """Return a URL as it may be shown: without user, password and options."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def addresses(state: StackState, data: Path) -> Table:
    """Return the table; the management UI's password is shown, as it is of this machine and directory only."""
    table = Table(box=box.SIMPLE, show_header=False, padding=(0, 1))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for number, url in enumerate(state.doors):
        table.add_row("" if number else "Web client", f"[cyan]{url}[/]")
    if state.management:
        parts = urlsplit(state.management)
        table.add_row("RabbitMQ", f"[cyan]{without_password(state.management)}[/]")
        if parts.username:
            table.add_row("", f"user [bold]{parts.username}[/], password [bold]{parts.password}[/]")
    for name, url in state.services.items():
        table.add_row(name, url)
    table.add_row("Broker", without_password(state.amqp))
    table.add_row("Store", without_password(state.mongo))
    table.add_row("Logs", str(data / "logs"))
    table.add_row("Passwords", str(data / "secrets.json"))
    return table
