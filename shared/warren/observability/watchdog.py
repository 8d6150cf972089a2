"""What keeps the event loop from turning: how late it is, where it was stuck, how long the garbage collector took.

A beat on the loop says how late a callback may come. A thread beside it looks at a beat that is overdue: what the
loop's thread does at that moment is what holds it up. So a long block is always seen, a short one sometimes, and the
sums by place are true on the average. Both together cost less than a thousandth of a core.
"""

from __future__ import annotations

import asyncio
import faulthandler
import gc
import logging
import os
import re
import sysconfig
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

from prometheus_client import Counter, Histogram

log = logging.getLogger(__name__)

BEAT = 0.02
"""Seconds between two beats."""

BLOCKED = 0.005
"""Seconds late from which on the loop is taken for blocked."""

LONG = 0.25
"""Seconds late from which on the log says so."""

_FRAME = re.compile(r'  File "(.*)", line \d+ in (.*)')
_LIBRARIES = tuple(sysconfig.get_paths()[name] for name in ("stdlib", "purelib", "platlib"))

MAX_PLACES = 100
"""Places that are told apart in the metric; further ones are `other`."""

_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1)
LATE = Histogram("warren_loop_late_seconds", "How late the event loop comes to what is due", buckets=_BUCKETS)
STUCK = Counter("warren_loop_blocked_samples", "Looks at a blocked event loop, by what it was doing", ["where"])
COLLECTING = Histogram("warren_gc_seconds", "Pauses for garbage collection", ["generation"], buckets=_BUCKETS)

Frame = tuple[str, str]
"""File and function."""


class Watchdog:
    """A part of every service; watches the loop it runs on."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._due = 0.0
        self._ended = threading.Event()
        self._places: set[str] = set()
        self._collecting = 0.0

    async def run(self) -> None:
        """Watch until cancelled."""
        loop_thread = threading.get_ident()
        watcher = threading.Thread(target=self._watch, args=(loop_thread,), name="watchdog", daemon=True)
        self._due = self._clock() + BEAT
        watcher.start()
        gc.callbacks.append(self._collected)
        try:
            while True:
                await asyncio.sleep(self._due - self._clock())
                now = self._clock()
                late = now - self._due
                LATE.observe(max(0.0, late))
                if late > LONG:
                    log.warning("the event loop was blocked", extra={"fields": {"seconds": round(late, 3)}})
                self._due = now + BEAT
        finally:
            gc.callbacks.remove(self._collected)
            self._ended.set()

    async def drain(self) -> None:
        """Nothing is under way."""

    def _watch(self, loop_thread: int) -> None:
        seen = 0.0  # one look at each block
        with open(os.memfd_create("stack"), "w+b") as paper:  # noqa: PTH123 - no file: a container may have no place for one
            while not self._ended.wait(BEAT):
                due = self._due
                if due != seen and self._clock() - due > BLOCKED:
                    seen = due
                    STUCK.labels(self._place(stack(loop_thread, paper))).inc()

    def _place(self, frames: Sequence[Frame]) -> str:
        place = where(frames)
        if place not in self._places:
            if len(self._places) >= MAX_PLACES:
                return "other"
            self._places.add(place)
        return place

    def _collected(self, phase: str, info: dict[str, Any]) -> None:
        if phase == "start":
            self._collecting = self._clock()
        else:
            COLLECTING.labels(str(info["generation"])).observe(self._clock() - self._collecting)


def stack(thread: int, paper: IO[bytes]) -> list[Frame]:
    """Return what a thread (by its ident) is doing, the innermost frame first; `paper` is written on.

    The interpreter itself writes it down, in one go: Python code that follows the frames of a thread that runs on
    meanwhile has met objects that were none (in 3.11.2).
    """
    paper.seek(0)
    paper.truncate()
    faulthandler.dump_traceback(paper)
    paper.seek(0)
    _, _, found = paper.read().decode(errors="replace").partition(f"hread 0x{thread:016x} ")
    lines = found.partition("\n\n")[0].splitlines()
    return [(match[1], match[2]) for line in lines if (match := _FRAME.fullmatch(line))]


def where(frames: Sequence[Frame]) -> str:
    """Name the innermost function on a stack and, if that is a library's, who of Warren called it: `a.py:f < b.py:g`.

    `__init__.py:run` is the loop itself: in code written in C, or waiting for a CPU.
    """
    if not frames:
        return "unknown"
    innermost = _name(frames[0])
    own = next((_name(frame) for frame in frames if not frame[0].startswith(_LIBRARIES)), innermost)
    return innermost if own == innermost else f"{innermost} < {own}"


def _name(frame: Frame) -> str:
    return f"{Path(frame[0]).name}:{frame[1]}"
