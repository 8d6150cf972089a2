"""Which gateways a command talks to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from warren.cli.local import stack_state
from warren.stack.state import NotRunningError

DEFAULT = "http://127.0.0.1:8080"


def gateways(urls: Sequence[str] | None, data: Path) -> list[str]:
    """Return the addresses given, else those of the stack that runs in `data`, else the default one."""
    if urls:
        return list(urls)
    try:
        return stack_state(data).gateways or [DEFAULT]
    except NotRunningError:
        return [DEFAULT]
