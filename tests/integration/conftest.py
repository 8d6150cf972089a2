"""Fixtures of tests on real nodes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support import nodes as support
from warren.stack.broker import Broker
from warren.stack.store import Store


@pytest.fixture(scope="module")
def own_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A native broker that the tests of one module may kill, starve or restart."""
    if not support.has_native_broker():
        pytest.skip("RabbitMQ is not installed here: on Debian, sudo apt-get install rabbitmq-server")
    with support.native_broker(tmp_path_factory.mktemp("broker")) as broker:
        yield broker


@pytest.fixture(scope="module")
def own_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store that the tests of one module may kill."""
    with support.native_store(tmp_path_factory.mktemp("store")) as store:
        yield store
