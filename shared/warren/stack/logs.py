"""Log files of the processes: bounded, and their end readable when something failed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

LIMIT = 20 * 1024 * 1024
"""Bytes from which a log is cut; one older piece is kept beside it."""


def tail(path: Path, lines: int = 12, window: int = 16_384) -> str:
    """Return the last lines of a log, or nothing if there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - window))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])
    except OSError:
        return ""


def cut(path: Path, limit: int = LIMIT) -> bool:
    """Copy a log that is over its limit to `<name>.1` and empty it; say whether it was.

    Its writer keeps the file open and appends, so it is emptied in place. Lines written between copy and
    cut are lost.
    """
    try:
        if path.stat().st_size <= limit:
            return False
        shutil.copyfile(path, path.with_name(path.name + ".1"))
        os.truncate(path, 0)
    except OSError:  # a log that cannot be cut must not stop the stack
        return False
    return True
