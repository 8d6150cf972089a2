"""Profiles one process of the stack while it is under load, with py-spy."""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path


class Profiler:
    """Writes `<prefix>-<shape>-<process>.svg`, a flame graph, for each shape; does nothing without a process name."""

    def __init__(self, process: str | None, prefix: Path) -> None:
        self.written: list[Path] = []
        self._process = process
        self._pid: int | None = None
        self._prefix = prefix
        self._program = ""
        if process:
            beside = str(Path(sys.executable).parent)
            self._program = shutil.which("py-spy", path=beside) or shutil.which("py-spy") or ""
            if not self._program:
                sys.exit("--profile needs py-spy: .venv/bin/pip install py-spy")

    def find(self, pids: Mapping[str, int]) -> None:
        """Find the process among those of the stack."""
        if self._process and self._process not in pids:
            sys.exit(f"--profile: no process {self._process}; there are {', '.join(pids)}")
        self._pid = pids.get(self._process or "")

    @contextlib.contextmanager
    def watch(self, shape: str) -> Iterator[None]:
        """Profile the process inside this block."""
        if self._pid is None:
            yield
            return
        path = self._prefix.with_name(f"{self._prefix.name}-{shape}-{self._process}.svg")
        command = [self._program, "record", "--pid", str(self._pid), "--output", str(path)]
        watching = subprocess.Popen(
            [*command, "--rate", "200", "--gil", "--duration", "600"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        try:
            yield
        finally:
            watching.send_signal(signal.SIGINT)  # it writes what it has
            _, errors = watching.communicate(timeout=60)
            if not path.exists():
                sys.exit(f"py-spy could not watch {self._process}: {errors.decode().strip()}")
            self.written.append(path)
