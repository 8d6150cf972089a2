"""Keeps the processes of a stack running, one task each, and stops them in order."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from warren.stack.backoff import Backoff
from warren.stack.balancer import Balancer
from warren.stack.lock import Lock
from warren.stack.logs import cut, tail
from warren.stack.process import Process, ProcessError, StartError
from warren.stack.service import Service
from warren.stack.stack import Stack
from warren.stack.state import (
    READY,
    STARTING,
    STOPPED,
    STOPPING,
    WAITING,
    ProcessState,
    StackState,
    remove_state,
    write_state,
)

LOG_CUT_INTERVAL = 5.0
"""Seconds between two looks at the sizes of the logs."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a process (or, with an empty name, to the whole stack)."""

    process: str
    state: str
    detail: str = ""
    pid: int | None = None
    last_lines: str = ""
    hopeless: bool = False
    """It will end again: its settings are wrong."""


@dataclass(slots=True)
class _Record:
    """What the supervisor remembers of a process."""

    state: str = STARTING
    since: float = field(default_factory=time.time)
    restarts: int = 0
    replaced: bool = False
    """It was ended by ourselves, to start it with another environment."""


class Supervisor:
    """Runs `stack` until it is told to stop; `tell` hears of everything that happens."""

    def __init__(self, stack: Stack, tell: Callable[[Event], None]) -> None:
        self.stack = stack
        self._tell = tell
        self._records = {p.name: _Record() for p in stack.processes()}
        self._stop = asyncio.Event()
        self._was_ready = False

    async def run(self) -> None:
        """Start everything, keep it running, return when all has ended after a signal."""
        lock = Lock(self.stack.data)
        try:
            self._listen_to_signals()
            await self._supervise()
        finally:
            remove_state(self.stack.data)
            lock.release()

    async def _supervise(self) -> None:
        processes = self.stack.processes()
        await asyncio.gather(*(p.end_leftover() for p in processes))
        for process in processes:
            process.claim_ports()
        for service in self.stack.services:
            self.stack.alive_file(service).touch()
        tasks = [asyncio.create_task(self._keep(p), name=p.name) for p in processes]
        tasks.append(asyncio.create_task(self._cut_logs()))
        stop = asyncio.create_task(self._stop.wait())
        try:
            done, _ = await asyncio.wait([stop, *tasks], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (stop, *tasks):
                task.cancel()
            await asyncio.gather(stop, *tasks, return_exceptions=True)
            await self._stop_all()
        for task in done - {stop}:
            task.result()  # only an error ends such a task

    async def _keep(self, process: Process) -> None:
        """Start `process`, and again whenever it ends."""
        backoff, record = Backoff(), self._records[process.name]
        while True:
            born = time.monotonic()
            try:
                await self._start(process)
                await process.ready(patience=None)
                self._set(process, READY)
                await process.ended()
                reason = process.ending
            except StartError as e:
                reason = str(e)
            except ProcessError:
                reason = process.ending
            record.restarts += 1
            if record.replaced:
                record.replaced = False
                continue
            delay = backoff.after(time.monotonic() - born)
            detail = f"{reason}; starting again in {delay:.1f} s"
            self._set(process, WAITING, detail, tail(process.log), process.refused_settings)
            await asyncio.sleep(delay)

    async def _start(self, process: Process) -> None:
        before = process.numbers
        await process.start()
        moved = process.numbers != before
        self._set(process, STARTING, "its port was taken, it has another one" if moved else "")
        if moved:
            await self._adapt(process)

    async def _adapt(self, moved: Process) -> None:
        """Restart those whose environment has changed since `moved` got another port."""
        others = [p for p in self.stack.processes() if p is not moved and p.pid]
        outdated = [p for p in others if p.started_with != p.command()]
        for process in outdated:
            self._records[process.name].replaced = True
            self._set(process, STOPPING, f"to learn the new address of {moved.name}")
        await asyncio.gather(*(p.end() for p in outdated))

    async def _cut_logs(self) -> None:
        logs = self.stack.data / "logs"
        while True:
            await asyncio.sleep(LOG_CUT_INTERVAL)
            for log in logs.glob("*.log"):
                await asyncio.to_thread(cut, log)

    async def _stop_all(self) -> None:
        for group in self.stack.stop_order():
            await asyncio.gather(*(self._stop_one(p) for p in group))

    async def _stop_one(self, process: Process) -> None:
        self._set(process, STOPPING)
        await process.stop()
        self._set(process, STOPPED)

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._on_signal, number)

    def _on_signal(self, number: signal.Signals) -> None:
        """Stop in order at the first, kill at the second; a closed terminal may send several at once."""
        if not self._stop.is_set():
            again = "; Ctrl-C again kills at once" if number == signal.SIGINT else ""
            self._tell(Event("", STOPPING, f"{number.name}, all in order{again}"))
            self._stop.set()
        elif number == signal.SIGINT:
            for process in self.stack.processes():
                process.kill()

    def _set(
        self, process: Process, state: str, detail: str = "", last_lines: str = "", hopeless: bool = False
    ) -> None:
        record = self._records[process.name]
        record.state = state
        if state == STARTING:
            record.since = time.time()
        self._tell(Event(process.name, state, detail, process.pid, last_lines, hopeless))
        ready = all(r.state == READY for r in self._records.values())
        with suppress(OSError):  # a full disk must not end what runs
            write_state(self.stack.data, self._state(ready=ready))
        if ready and not self._was_ready:
            self._was_ready = True
            self._tell(Event("", READY))

    def _state(self, *, ready: bool) -> StackState:
        stack = self.stack
        return StackState(
            supervisor=os.getpid(),
            ready=ready,
            gateways=[g.url for g in stack.gateways],
            balancer=stack.balancer.url if stack.balancer else None,
            services={service: urls[0] for service, urls in stack.urls.items()},
            amqp=stack.amqp_url,
            mongo=stack.mongo_url,
            management=stack.management_url,
            service_token=stack.secrets.service_token,
            processes=[self._process_state(p) for p in stack.processes()],
        )

    def _process_state(self, process: Process) -> ProcessState:
        record = self._records[process.name]
        url = process.url if isinstance(process, (Service, Balancer)) else None
        return ProcessState(process.name, process.pid, record.state, record.since, record.restarts, url)
