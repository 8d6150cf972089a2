"""Presence equals the truth again after faults of gateways, in small numbers; `make chaos` has the full ones."""

from __future__ import annotations

from tests.support.edge import Edge
from tests.support.services import Services
from tests.support.space import Space
from tests.support.wire import Wire

LEASE = 3
WITHIN = 15


async def test_many_leave_a_network_is_cut_and_comes_back_a_gateway_is_killed(
    space: Space, services: Services, wire: Wire
) -> None:
    await wire.declare(space.topology)
    async with Edge(space, services, rooms=3, lease=LEASE) as edge:
        one, two = await edge.gateway(), await edge.gateway()
        await edge.enter(one, 60)
        await edge.enter(two, 60)
        await edge.right(WITHIN)
        await edge.leave(one, 40)
        await edge.right(WITHIN)

        two.cut()
        await edge.right(WITHIN, unseen=[two])
        await edge.leave(two, 20)  # nobody can hear of it now
        await edge.enter(one, 10)
        await edge.right(WITHIN, unseen=[two])
        two.mend()
        await edge.right(WITHIN)

        await edge.kill(one)
        await edge.right(WITHIN)
