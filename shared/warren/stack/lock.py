"""One supervisor per data directory, by a lock that the kernel takes back however it ends."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from warren.errors import WarrenError

_RELATIVE = Path("run") / "lock"
_PATIENCE = 0.5
"""Seconds for which `warren status` may be looking at the lock while `warren up` wants it."""


class AlreadyRunningError(WarrenError):
    """Another supervisor works on this data directory."""


class Lock:
    """Held while this object lives; the file has the supervisor's pid."""

    def __init__(self, data: Path) -> None:
        path = data / _RELATIVE
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        until = time.monotonic() + _PATIENCE
        while not _try(self._file, fcntl.LOCK_EX):
            if time.monotonic() > until:
                os.close(self._file)
                raise AlreadyRunningError(
                    f"a stack already runs in {data}; see it with `warren status`, stop it with `warren down`"
                )
            time.sleep(0.05)
        os.ftruncate(self._file, 0)
        os.write(self._file, str(os.getpid()).encode())

    def release(self) -> None:
        """Let others have it."""
        os.close(self._file)


def holder(data: Path) -> int | None:
    """Return the pid of the supervisor that works on `data`, or None if there is none."""
    try:
        file = os.open(data / _RELATIVE, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        return None if _try(file, fcntl.LOCK_SH) else int(os.read(file, 20) or b"0") or None
    finally:
        os.close(file)


def _try(file: int, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
