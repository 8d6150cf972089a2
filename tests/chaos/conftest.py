"""Nodes that one test may kill: what it leaves behind goes with them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.nodes import native_broker, native_store
from warren.stack.broker import Broker
from warren.stack.store import Store


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[Broker]:
    """A broker for one test."""
    with native_broker(tmp_path / "broker") as broker:
        yield broker


@pytest.fixture
def own_store(tmp_path: Path) -> Iterator[Store]:
    """A store for one test."""
    with native_store(tmp_path / "store") as store:
        yield store
