"""What the supervisor did, as JSON lines in `logs/supervisor.log`."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from warren.stack.supervisor import Event


class Journal:
    """Appends one line per event; a disk that is full must not stop the stack."""

    def __init__(self, data: Path) -> None:
        self._path = data / "logs" / "supervisor.log"

    def write(self, event: Event) -> None:
        """Record an event with its time."""
        line = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "process": event.process or "stack",
            "event": event.state,
            "pid": event.pid,
            "detail": event.detail,
        }
        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with self._path.open("a") as file:
                file.write(json.dumps({k: v for k, v in line.items() if v}) + "\n")
