"""`warren doctor`: what Warren needs on this machine, what is missing, and the command that mends it."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import typer
from rich import box
from rich.markup import escape
from rich.table import Table

from warren.cli.console import out
from warren.errors import WarrenError
from warren.stack.balancer import BalancerMissingError, find_balancer
from warren.stack.broker import find_server
from warren.stack.lock import holder
from warren.stack.plan import DEFAULT_COUNTS, instances
from warren.stack.ports import is_free
from warren.stack.process import LOOPBACK
from warren.stack.services import service_packages
from warren.stack.store import find_store

APT = "sudo apt-get install -y --no-install-recommends"
DISK_NEEDED = 1_000_000_000
"""Bytes; the broker itself stops taking messages below 50 MB."""


@dataclass(frozen=True, slots=True)
class Check:
    """One finding. `needed` ones that are not `ok` keep `warren up` from working."""

    name: str
    ok: bool
    found: str
    mend: str = ""
    needed: bool = True


def doctor(data: Path, *, as_json: bool) -> None:
    """Print all checks; exit code 1 if something needed is missing."""
    checks = list(_checks(data))
    if as_json:
        typer.echo(json.dumps([asdict(c) for c in checks]))
    else:
        out.print(_table(checks))
    if any(c.needed and not c.ok for c in checks):
        raise typer.Exit(1)


def _checks(data: Path) -> Iterator[Check]:
    yield Check("Python", sys.version_info >= (3, 11), platform.python_version(), f"{APT} python3.11")
    yield _rabbitmq()
    erl = shutil.which("erl")
    yield Check("Erlang", bool(erl), erl or "missing", f"{APT} rabbitmq-server", _own_broker())
    yield _store()
    yield _balancer()
    yield _browser()
    yield _docker()
    yield _disk(data)
    yield _writable(data)
    running = holder(data)
    yield Check(
        "running stack",
        ok=True,
        found=f"process {running}, see `warren status`" if running else "none",
        needed=False,
    )
    if not running:
        yield _ports()


def _own_broker() -> bool:
    return not os.environ.get("WARREN_AMQP_URL")


def _rabbitmq() -> Check:
    mend = f"{APT} rabbitmq-server"
    try:
        script = find_server()
    except WarrenError:
        found = "missing" if _own_broker() else "not needed: WARREN_AMQP_URL is set"
        return Check("RabbitMQ", not _own_broker(), found, mend, needed=_own_broker())
    return Check("RabbitMQ", ok=True, found=f"{_rabbitmq_version(script)} ({script})", mend=mend)


def _rabbitmq_version(script: Path) -> str:
    """Read the version off the installation: asking it would start an Erlang machine."""
    plugins = [*script.parent.parent.glob("lib/*/plugins/rabbit-*"), *script.parent.parent.glob("plugins/rabbit-*")]
    return plugins[0].name.removeprefix("rabbit-").removesuffix(".ez") if plugins else "installed"


def _store() -> Check:
    needed = not os.environ.get("WARREN_MONGO_URL")
    mend = f"{sys.executable} -m pip install -c constraints.txt -e '.[local]'"
    try:
        return Check("embedded store", ok=True, found=str(find_store()), mend=mend, needed=needed)
    except WarrenError:
        found = "missing" if needed else "not needed: WARREN_MONGO_URL is set"
        return Check("embedded store", not needed, found, mend, needed)


def _balancer() -> Check:
    try:
        return Check("HAProxy (--balancer)", ok=True, found=str(find_balancer()), needed=False)
    except BalancerMissingError as e:
        return Check("HAProxy (--balancer)", ok=False, found=str(e), mend=f"{APT} haproxy", needed=False)


def _browser() -> Check:
    found = shutil.which("chromium")
    return Check("Chromium (tests)", bool(found), found or "missing", f"{APT} chromium", needed=False)


def _docker() -> Check:
    program, found, mend = shutil.which("docker"), "not installed", f"{APT} docker.io"
    ok = False
    if program:
        asked = subprocess.run(  # noqa: S603 - found on the user's own path
            [program, "version", "--format", "{{.Server.Version}}"], capture_output=True, text=True, check=False
        )
        ok = asked.returncode == 0
        found = asked.stdout.strip() if ok else "its engine does not answer"
        mend = "sudo systemctl start docker"
    return Check("Docker (optional)", ok, found, mend, needed=False)


def _disk(data: Path) -> Check:
    place = next(p for p in (data, *data.parents) if p.exists())
    free = shutil.disk_usage(place).free
    return Check("disk", free >= DISK_NEEDED, f"{free / 1e9:.1f} GB free", "free 1 GB, or: warren up --data DIR")


def _writable(data: Path) -> Check:
    place = next(p for p in (data, *data.parents) if p.exists())
    ok = os.access(place, os.W_OK)
    return Check("data directory", ok, str(data), "warren up --data DIR")


def _ports() -> Check:
    """Look which ports are taken; that only means that others are used."""
    wished = {i.name: i.port for i in instances(service_packages(), DEFAULT_COUNTS)} | {
        "broker": 5672,
        "management": 15672,
        "store": 27017,
    }
    taken = [f"{port} ({name})" for name, port in wished.items() if not is_free(LOOPBACK, port)]
    found = f"taken, others will be used: {', '.join(taken)}" if taken else "all free"
    return Check("ports", not taken, found, needed=False)


def _table(checks: list[Check]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1))
    table.add_column("")
    for column in ("check", "found", "to mend it"):
        table.add_column(column, overflow="fold")
    for check in checks:
        mark = "[green]✓[/]" if check.ok else "[red]✗[/]" if check.needed else "[yellow]![/]"
        table.add_row(mark, check.name, escape(check.found), "" if check.ok else f"[bold]{escape(check.mend)}[/]")
    return table
