"""A child process of the local stack: its ports, its log, its start, its end.

No child may outlive us. The kernel kills it when the process that started it ends, however that ends
(PR_SET_PDEATHSIG; it survives `exec`, so it reaches through start scripts). Where the kernel cannot do
that, the next start or `warren down` finds the child by its pid file. Children start in sessions of their
own, so that a Ctrl-C in the terminal reaches the supervisor only and the order of stopping is ours.

`start` must be called from a thread that lives as long as the child shall: the kernel watches that thread.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import signal
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from warren.errors import WarrenError
from warren.stack.files import write_private
from warren.stack.logs import tail
from warren.stack.ports import Port, listens

LOOPBACK = "127.0.0.1"
BAD_SETTINGS = 2
"""Exit code of a service whose settings are wrong (`warren.runtime.main`)."""
PROBE_INTERVAL = 0.2
"""Seconds between two questions whether a starting process is ready."""


class ProcessError(WarrenError):
    """A process of the stack ended or did not become ready; the text has its last log lines."""


class StartError(ProcessError):
    """A process could not even be started."""


@dataclass(frozen=True, slots=True)
class Command:
    """How a process is started. Secrets go into `environment`, never into `argv`, which everyone can read."""

    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)


def _die_with_parent() -> Callable[[], None] | None:
    """Return what a forked child calls before `exec`, so that it cannot outlive this process."""
    if sys.platform != "linux":
        return None
    prctl, parent = ctypes.CDLL(None, use_errno=True).prctl, os.getpid()
    pdeathsig = 1

    def before_exec() -> None:
        prctl(pdeathsig, signal.SIGKILL)
        if os.getppid() != parent:  # it died before we asked
            os._exit(1)

    return before_exec


class Process(ABC):
    """A child process under a name; subclasses say how it is started and when it is ready."""

    grace: float = 15
    """Seconds from the polite request to end until the kill."""

    directory: Path | None = None
    """Working directory, where it may leave dumps; ours if None."""

    def __init__(self, name: str, data: Path, ports: Mapping[str, Port]) -> None:
        self.name = name
        self.data = data.resolve()
        self.ports = dict(ports)
        self.log = self.data / "logs" / f"{name}.log"
        self._pid_file = self.data / "run" / f"{name}.pid"
        self._child: subprocess.Popen[bytes] | None = None
        self._listening: int | None = None
        self.started_with: Command | None = None

    @abstractmethod
    def command(self) -> Command:
        """Return how to start it with the ports it has now."""

    @abstractmethod
    async def answers(self) -> bool:
        """Say whether it does its work; asked once it listens on all its ports."""

    def prepare(self) -> None:  # noqa: B027 - most need nothing
        """Write what the process reads at its start."""

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return self._child.pid if self._child and self._child.poll() is None else None

    def claim_ports(self) -> None:
        """Take the ports, the next ones where they are taken."""
        for port in self.ports.values():
            port.claim()

    @property
    def numbers(self) -> tuple[int, ...]:
        """All its ports."""
        return tuple(p.number for p in self.ports.values())

    async def start(self) -> None:
        """Start it, after ending what an earlier life has left; returns before it is ready."""
        await self.end_leftover()
        self.claim_ports()
        command = self.command()
        try:
            self.prepare()
            self.log.parent.mkdir(parents=True, exist_ok=True)
            with self.log.open("ab") as log:
                # A fork takes no time worth a thread; what is run is our own choice.
                self._child = subprocess.Popen(  # noqa: ASYNC220, S603
                    command.argv,
                    env=dict(command.environment),
                    cwd=self.directory,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    preexec_fn=_die_with_parent(),  # noqa: PLW1509 - calls prctl only, takes no lock
                )
        except OSError as e:
            raise StartError(f"{self.name} cannot be started: {e.strerror}: {e.filename}") from None
        self.started_with = command
        with suppress(psutil.Error):
            born = psutil.Process(self._child.pid).create_time()
            write_private(self._pid_file, json.dumps({"pid": self._child.pid, "born": born}))

    async def ready(self, patience: float | None = 60) -> None:
        """Wait until it does its work; raise `ProcessError` if it ends or `patience` seconds (if any) pass."""
        try:
            async with asyncio.timeout(patience):
                while not await self.is_ready():
                    if await self.ended(within=PROBE_INTERVAL):
                        raise ProcessError(f"{self.name} {self.ending}\n{tail(self.log)}")
        except TimeoutError:
            raise ProcessError(f"{self.name} is not ready after {patience:.0f} s\n{tail(self.log)}") from None

    async def is_ready(self) -> bool:
        """Say whether this very process, not a stranger on its port, does its work now."""
        pid = self.pid
        if pid is None:
            return False
        if self._listening != pid and listens(pid, self.numbers):
            self._listening = pid  # it will not stop while it lives, and looking is not cheap
        return self._listening == pid and await self.answers()

    async def ended(self, within: float | None = None) -> bool:
        """Wait for its end, at most `within` seconds; say whether it came."""
        if self._child is None or self._child.poll() is not None:
            return True
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                await end_of(self._child.pid)
        return self._child.poll() is not None

    @property
    def ending(self) -> str:
        """How it ended, in words."""
        code = self._child.poll() if self._child else None
        if code is None:
            return "runs"
        return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"exited with code {code}"

    @property
    def refused_settings(self) -> bool:
        """Whether it ended because its settings are wrong: to start it again as it is does not help."""
        return self._child is not None and self._child.poll() == BAD_SETTINGS

    async def end(self) -> None:
        """Ask it to end, wait, kill it if it does not within its grace."""
        child = self._child
        if child and self.pid:
            child.terminate()
            if not await self.ended(within=self.grace):
                _kill_group(child.pid)
                await end_of(child.pid)
            _kill_group(child.pid)  # helpers it may have left

    async def stop(self) -> None:
        """End it for good: its ports may go to others."""
        await self.end()
        self._pid_file.unlink(missing_ok=True)
        for port in self.ports.values():
            port.release()

    def kill(self) -> None:
        """Kill it, and its helpers with it, at once; `start` brings it back on the same ports."""
        if self._child and self.pid:
            _kill_group(self._child.pid)

    async def end_leftover(self) -> None:
        """Kill what an earlier life of this process has left running."""
        if await self.ended(within=0):
            await _end_leftover(self._pid_file)


async def end_leftovers(data: Path) -> list[str]:
    """Kill all that a stack in `data` has left running though its supervisor is gone; return the names."""
    files = sorted((data / "run").glob("*.pid"))
    return [file.stem for file in files if await _end_leftover(file)]


async def _end_leftover(pid_file: Path) -> bool:
    """Kill the process that a pid file names; say whether there was one."""
    process = _living(pid_file)
    if process:
        with suppress(psutil.NoSuchProcess):
            process.kill()
        await end_of(process.pid)
    return process is not None


def _living(pid_file: Path) -> psutil.Process | None:
    """Take a pid file away; return the process it names if that still runs and was born when it says."""
    try:
        known = json.loads(pid_file.read_text())
        process = psutil.Process(known["pid"])
        same = process.create_time() == known["born"] and process.status() != psutil.STATUS_ZOMBIE
    except (OSError, ValueError, KeyError, psutil.Error):
        same = False
    with suppress(OSError):
        pid_file.unlink()
    return process if same else None


def _kill_group(leader: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


async def end_of(pid: int) -> None:
    """Wait until process `pid`, any child of anyone, has ended; it may stay a zombie until its parent asks."""
    try:
        watch = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    loop, over = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(watch, over.set)
    try:
        await over.wait()
    finally:
        loop.remove_reader(watch)
        os.close(watch)
