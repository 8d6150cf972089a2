"""For commands that talk to the local stack."""

from __future__ import annotations

from pathlib import Path

from warren.stack.state import StackState, read_state

__all__ = ["StackState", "stack_state"]


def stack_state(data: Path = Path(".warren")) -> StackState:
    """Return gateways, service addresses and the service token of the stack that runs in `data`.

    Raises a `WarrenError` that says how to start one if none runs.
    """
    return read_state(data)
