"""Waiting for a condition instead of for a time."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import TypeVar, overload

T = TypeVar("T")

INTERVAL = 0.02


@overload
async def eventually(
    predicate: Callable[[], Awaitable[T | None]], within: float = ..., *, what: str = ..., interval: float = ...
) -> T: ...
@overload
async def eventually(
    predicate: Callable[[], T | None], within: float = ..., *, what: str = ..., interval: float = ...
) -> T: ...
async def eventually(
    predicate: Callable[[], T | Awaitable[T | None] | None],
    within: float = 10,
    *,
    what: str = "",
    interval: float = INTERVAL,
) -> T:
    """Ask `predicate` (plain or async) until it returns something true, and return that.

    An `AssertionError` in it counts as "not yet". After `within` seconds the test fails with `what`, or with the
    last assertion.
    """
    deadline = asyncio.get_running_loop().time() + within
    while True:
        failed: AssertionError | None = None
        found: T | None = None
        try:
            asked = predicate()
            found = await asked if inspect.isawaitable(asked) else asked
        except AssertionError as e:
            failed = e
        if found:
            return found
        if asyncio.get_running_loop().time() > deadline:
            reason = what or getattr(predicate, "__name__", "it")
            raise AssertionError(f"not within {within:g} s: {reason} (last: {failed or found!r})") from failed
        await asyncio.sleep(interval)
