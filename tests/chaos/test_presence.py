"""Presence equals the truth within 15 s after each fault, in full numbers and at the services' own pace."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest

from tests.support.edge import Edge
from tests.support.management import Management
from tests.support.nodes import Nodes
from tests.support.services import Services
from tests.support.space import Space
from tests.support.wire import Wire
from warren.stack.broker import Broker
from warren.stack.store import Store

WITHIN = 15
CUT = 60
"""Seconds for which a gateway's network is cut."""

log = logging.getLogger(__name__)

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(580)]


@pytest.fixture
async def edge(own_broker: Broker, own_store: Store) -> AsyncIterator[Edge]:
    """Presence and chat on nodes of their own; gateways are the test's to start."""
    management = Management(own_broker.management_url)
    space = Space.of(Nodes(own_broker.url, own_broker.management_url, own_store.url, "native"), management)
    await management.create_vhost(space.vhost)
    wire = await Wire.open(space.amqp_url)
    await wire.declare(space.topology)
    await wire.close()
    services = Services(space)
    async with Edge(space, services, rooms=40) as edge:
        yield edge
    await services.stop()
    await management.close()


async def said(edge: Edge, what: str) -> None:
    """Wait for the truth, and say how long it took."""
    log.warning("%s: right after %.1f s", what, await edge.right(WITHIN))


async def test_two_thousand_sessions_closed_at_once_and_a_gateway_killed(edge: Edge) -> None:
    one, two = await edge.gateway(), await edge.gateway()
    await edge.enter(one, 2000)
    await edge.enter(two, 300)
    await edge.right(WITHIN)
    await edge.leave(one, 2000)
    await said(edge, "2,000 sessions closed at once")
    await edge.enter(one, 300)
    await edge.right(WITHIN)
    await edge.kill(one)
    await said(edge, "a gateway killed")


async def test_a_network_cut_for_a_minute_and_a_broker_restarted(edge: Edge, own_broker: Broker) -> None:
    one, two = await edge.gateway(), await edge.gateway()
    await edge.enter(one, 300)
    await edge.enter(two, 300)
    await edge.right(WITHIN)
    two.cut()
    over = asyncio.get_running_loop().time() + CUT
    log.warning("a network cut: right after %.1f s", await edge.right(WITHIN, unseen=[two]))
    await edge.leave(two, 100)
    await edge.leave(one, 100)
    await asyncio.sleep(over - asyncio.get_running_loop().time())  # the length of the cut is what is tested
    two.mend()
    await said(edge, "it came back")
    await own_broker.stop()
    await own_broker.start()
    await own_broker.ready()
    await edge.leave(one, 100)
    await said(edge, "the broker restarted")
