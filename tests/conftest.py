"""Fixtures of all tests: one decides where nodes come from (`nodes`), one isolates each test (`space`)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from motor.motor_asyncio import AsyncIOMotorClient

from tests.support import nodes as support
from tests.support.management import Management
from tests.support.nodes import Nodes
from tests.support.services import Services
from tests.support.space import Space
from tests.support.wire import Wire

ROOT = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let tests that share nodes, or a stack, run one after the other; the two kinds run beside each other."""
    for item in items:
        kind = item.path.relative_to(ROOT).parts[0]
        item.add_marker(pytest.mark.xdist_group(kind if kind in {"e2e", "integration", "chaos"} else item.path.name))


@pytest.fixture(scope="session")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    """One broker and one store for the whole run."""
    with support.nodes(tmp_path_factory.mktemp("nodes")) as found:
        yield found


@pytest.fixture
async def space(nodes: Nodes) -> AsyncIterator[Space]:
    """A virtual host and a database prefix that no other test uses, with the keys to all of it."""
    management = Management(nodes.management_url)
    space = Space.of(nodes, management)
    await management.create_vhost(space.vhost)
    yield space
    await management.delete_vhost(space.vhost)
    await management.close()
    await _drop_databases(space)


@pytest.fixture
async def wire(space: Space) -> AsyncIterator[Wire]:
    """Raw AMQP on the test's virtual host."""
    wire = await Wire.open(space.amqp_url)
    yield wire
    await wire.close()


@pytest.fixture
async def services(space: Space) -> AsyncIterator[Services]:
    """Starts services in this process; stops them after the test."""
    services = Services(space)
    yield services
    await services.stop()


async def _drop_databases(space: Space) -> None:
    client: AsyncIOMotorClient[dict[str, object]] = AsyncIOMotorClient(space.mongo_url)
    try:
        for name in await client.list_database_names():
            if name.startswith(space.database_prefix):
                await client.drop_database(name)
    finally:
        client.close()
