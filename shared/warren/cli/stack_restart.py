"""`warren restart`: processes end in good order and come back, one by one."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

from warren.cli.console import fail, out
from warren.stack.plan import GATEWAY
from warren.stack.state import READY, ProcessState, read_state

PATIENCE = 90.0
"""Seconds until one that does not come back ends the command, and leaves the others alone."""

ALL_GATEWAYS = "gateways"

LOOK_SECONDS = 0.1


def restart(data: Path, what: str) -> None:
    """Restart the gateways, or one process of the stack in `data`, by its name.

    Each gets SIGTERM only when all of them are ready; the supervisor starts it again.
    """
    names = [p.name for p in _among(data, what)]
    if not names:
        fail(f"no process {what}; `warren status` names them")
    for name in names:
        began = time.monotonic()
        try:
            with out.status(f"restarting {name} …"):
                former = _await_ready(data, what)[name]
                with suppress(ProcessLookupError):  # it has just ended by itself
                    os.kill(former, signal.SIGTERM)
                _await_ready(data, what, name, former)
        except PermissionError:
            fail(f"{name} belongs to another user: only that user may restart it", 1)
        except TimeoutError:
            fail(f"not all of {what} are ready after {PATIENCE:.0f} s; see `warren status` and {data / 'logs'}", 1)
        out.print(f"[green]✓[/] {name} is back after {time.monotonic() - began:.1f} s")


def _among(data: Path, what: str) -> list[ProcessState]:
    def is_meant(process: ProcessState) -> bool:
        return process.name.startswith(f"{GATEWAY}-") if what == ALL_GATEWAYS else process.name == what

    return [p for p in read_state(data).processes if is_meant(p)]


def _await_ready(data: Path, what: str, name: str = "", former: int = 0) -> dict[str, int]:
    """Return the pids once all are ready, and `name` is another process than `former`."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        meant = _among(data, what)
        pids = {p.name: p.pid for p in meant if p.state == READY and p.pid}
        if len(pids) == len(meant) and pids.get(name) != former:
            return pids
        time.sleep(LOOK_SECONDS)
    raise TimeoutError
