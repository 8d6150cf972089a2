"""`warren down`."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import psutil

from warren.cli.console import fail, out
from warren.stack.lock import holder
from warren.stack.process import end_leftovers, end_of

PATIENCE = 75.0
"""Seconds an orderly stop may take before the supervisor, and with it everything, is killed."""


def down(data: Path) -> None:
    """Stop the stack in `data`; nothing that runs is no error."""
    began = time.monotonic()
    pid = holder(data)
    if pid is None:
        left = asyncio.run(end_leftovers(data))
        if left:
            out.print(f"The supervisor was gone; ended what it had left: {', '.join(left)}.")
        else:
            out.print(f"Nothing runs in {data}.")
        return
    with out.status(f"stopping the stack in {data} …"):
        try:
            supervisor = psutil.Process(pid)
            supervisor.terminate()
            asyncio.run(_end(pid, PATIENCE))
        except psutil.NoSuchProcess:
            pass
        except psutil.AccessDenied:
            fail(f"process {pid} belongs to another user: only that user may stop it", 1)
        except TimeoutError:
            supervisor.kill()
            asyncio.run(_end(pid, None))
            out.print(f"[yellow]It did not stop within {PATIENCE:.0f} s and was killed.[/]")
        asyncio.run(end_leftovers(data))
    out.print(f"[green]✓[/] stopped after {time.monotonic() - began:.1f} s; the data stays in {data}")


async def _end(pid: int, within: float | None) -> None:
    async with asyncio.timeout(within):
        await end_of(pid)
