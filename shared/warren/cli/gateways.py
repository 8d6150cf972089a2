"""Which gateways a command talks to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from warren.stack.state import NotRunningError, read_state

DEFAULT = "http://127.0.0.1:8080"


def gateways(urls: Sequence[str] | None, data: Path) -> list[str]:
    """Return the addresses given, else where people connect to the stack that runs in `data`, else the default one."""
    if urls:
        return list(urls)
    try:
        return read_state(data).doors or [DEFAULT]
    except NotRunningError:
        return [DEFAULT]
