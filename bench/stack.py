"""A stack of the benchmark's own, started as users do; mostly without limits on clients."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

WARREN = Path(sys.executable).with_name("warren")
LIMITS = ("MESSAGE_RATE", "CONNECT_RATE", "FRAME_RATE", "REQUEST_RATE", "SESSIONS_PER_ADDRESS")
NO_LIMITS = {f"WARREN_{name}": "0" for name in LIMITS}


@contextlib.contextmanager
def running(*, limits: bool = False) -> Iterator[dict[str, Any]]:
    """Start a stack with two gateways; yields what `warren status --json` says, and stops it in the end."""
    with tempfile.TemporaryDirectory(prefix="warren-bench-") as data:
        _warren("up", "--gateways", "2", "--detach", "--data", data, **({} if limits else NO_LIMITS))
        try:
            yield json.loads(_warren("status", "--json", "--data", data))
        finally:
            _warren("down", "--data", data)


def commit() -> str:
    """Return the commit that is measured, with a plus sign for uncommitted changes."""
    command = ["git", "describe", "--always", "--dirty=+"]
    ran = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    return ran.stdout.strip() or "unknown"


def _warren(*arguments: str, **settings: str) -> str:
    ran = subprocess.run(
        [WARREN, *arguments], env={**os.environ, **settings}, capture_output=True, text=True, timeout=120, check=False
    )
    if ran.returncode:
        sys.exit(f"warren {' '.join(arguments)} failed:\n{ran.stdout}{ran.stderr}")
    return ran.stdout
