"""`warren up`: in the foreground, or as a background session that reports until all is ready."""

from __future__ import annotations

import asyncio
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from warren.cli.addresses import addresses
from warren.cli.console import fail, out
from warren.cli.progress import Progress
from warren.errors import WarrenError
from warren.stack.balancer import find_balancer
from warren.stack.broker import find_server
from warren.stack.journal import Journal
from warren.stack.lock import AlreadyRunningError, holder
from warren.stack.plan import instances
from warren.stack.services import service_packages
from warren.stack.stack import Stack
from warren.stack.state import READY, WAITING, NotRunningError, read_state
from warren.stack.store import find_store
from warren.stack.supervisor import Event, Supervisor

PATIENCE = 90.0
"""Seconds after which a start in the background is given up."""

_OPTIONS = {"gateway": "--gateways", "chat": "--chat", "audit": "--audit"}

DEATHS = 3
"""So often may a process end before a start in the background is given up."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the user asked for."""

    counts: Mapping[str, int]
    """Processes by service."""
    data: Path
    host: str
    balancer: bool


def in_foreground(options: Options) -> None:
    """Run until Ctrl-C."""
    stack = _prepare(options)
    progress = Progress(out, [p.name for p in stack.processes()])

    def show(event: Event) -> None:
        if event.state == READY and not event.process:
            progress.close()
            _print_addresses(progress, options.data)
            progress.print("[dim]Ctrl-C stops everything in order.[/]")
        elif event.process or event.detail:
            progress.show(event)

    try:
        _run(stack, show)
    finally:
        progress.close()


def as_background(options: Options, notify: int) -> None:
    """Run as the session that `in_background` started; `notify` is its pipe."""
    os.set_inheritable(notify, False)

    def tell(message: dict[str, object]) -> None:
        with suppress(OSError):  # whoever waited may have gone
            os.write(notify, json.dumps(message).encode() + b"\n")

    try:
        _run(_prepare(options), lambda event: tell(asdict(event)))
    except WarrenError as e:
        tell({"failed": str(e)})
        raise


def in_background(options: Options) -> None:
    """Start a background session, return when all is ready, or say why it is not."""
    _refuse_second(options.data)
    names = [i.name for i in instances(service_packages(), options.counts)]
    names += ["balancer"] if options.balancer else []
    progress = Progress(out, names)
    began = time.monotonic()
    child, pipe = _spawn(options)
    reason = "it ended without a word; see " + str(options.data / "logs" / "supervisor.out")
    deaths: Counter[str] = Counter()
    try:
        for message in _messages(pipe, began + PATIENCE):
            if "failed" in message:
                reason = str(message["failed"])
                break
            event = Event(**message)
            if event.state == READY and not event.process:
                progress.close()
                _print_addresses(progress, options.data)
                progress.print("[dim]It runs in the background: `warren status`, `warren down`.[/]")
                return
            progress.show(event)
            deaths[event.process] += event.state == WAITING
            if event.hopeless or deaths[event.process] >= DEATHS:
                reason = f"{event.process} cannot be started: {event.detail}\n{event.last_lines}"
                break
        else:
            if child.poll() is None:
                reason = f"it is not ready after {PATIENCE:.0f} s; see {options.data / 'logs'}"
    except KeyboardInterrupt:
        reason = "interrupted"
    finally:
        progress.close()
        os.close(pipe)
    child.send_signal(signal.SIGTERM)
    child.wait()
    fail(reason, 1)


def _run(stack: Stack, show: Callable[[Event], None]) -> None:
    journal = Journal(stack.data)

    def tell(event: Event) -> None:
        journal.write(event)
        show(event)

    try:
        asyncio.run(Supervisor(stack, tell).run())
    except AlreadyRunningError as e:
        fail(str(e), 1)


def _prepare(options: Options) -> Stack:
    """Look for what is missing before anything starts."""
    _refuse_second(options.data)
    try:
        options.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as e:
        raise WarrenError(f"{options.data} cannot be used: {e.strerror}") from None
    stack = Stack(options.data, counts=options.counts, host=options.host, balancer=options.balancer)
    if stack.broker:
        find_server()
    if stack.store:
        find_store()
    if stack.balancer:
        find_balancer()
    return stack


def _refuse_second(data: Path) -> None:
    pid = holder(data)
    if pid is not None:
        fail(f"a stack already runs in {data} (process {pid}); see `warren status`, stop it with `warren down`", 1)


def _spawn(options: Options) -> tuple[subprocess.Popen[bytes], int]:
    """Start this command again in a session of its own; return it and the pipe it reports to."""
    logs = options.data / "logs"
    logs.mkdir(parents=True, exist_ok=True, mode=0o700)
    arguments = ["--data", str(options.data), "--host", options.host]
    for service, count in options.counts.items():
        arguments += [_OPTIONS[service], str(count)]
    arguments += ["--balancer"] if options.balancer else []
    read, write = os.pipe()
    try:
        with (logs / "supervisor.out").open("wb") as output:
            child = subprocess.Popen(  # noqa: S603 - ourselves
                [sys.executable, "-P", "-m", "warren.cli.main", "up", *arguments, "--notify-fd", str(write)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                pass_fds=(write,),
            )
    finally:
        os.close(write)
    return child, read


def _messages(pipe: int, until: float) -> Iterator[dict[str, Any]]:
    """Yield what the background session reports, until it ends or time is over."""
    rest = b""
    while select.select([pipe], [], [], max(0.0, until - time.monotonic()))[0]:
        chunk = os.read(pipe, 65_536)
        if not chunk:
            return
        *lines, rest = (rest + chunk).split(b"\n")
        yield from map(json.loads, lines)


def _print_addresses(progress: Progress, data: Path) -> None:
    with suppress(NotRunningError):  # it may be stopping already
        progress.print(f"[bold green]Warren is ready[/] [dim]after {progress.seconds:.1f} s[/]")
        progress.print(addresses(read_state(data), data))
