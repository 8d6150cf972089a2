"""The stack as users start it, once for all end-to-end tests; each test uses rooms of its own."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.stack import Stack, running_stack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """`warren up --detach --balancer` in a directory of its own."""
    with running_stack(tmp_path_factory.mktemp("stack"), 2, "--balancer") as stack:
        yield stack


@pytest.fixture
def data(stack: Stack) -> Path:
    """The stack's data directory."""
    return stack.data


@pytest.fixture
def room() -> str:
    """A room nobody has used."""
    return f"room-{secrets.token_hex(4)}"


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    """An HTTP client without any authority."""
    async with httpx.AsyncClient(timeout=10) as client:
        yield client
