"""Presence equals the truth again after faults of gateways, in small numbers; `make chaos` has the full ones."""

from __future__ import annotations

import httpx

from tests.support.edge import Edge
from tests.support.services import Services
from tests.support.space import Space
from tests.support.wire import Wire

LEASE = 2
WITHIN = 15


async def test_many_leave_a_network_is_cut_and_comes_back_a_gateway_is_killed(
    space: Space, services: Services, wire: Wire
) -> None:
    await wire.declare(space.topology)
    async with Edge(space, services, rooms=3, lease=LEASE) as edge:
        one, two = await edge.gateway(), await edge.gateway()
        await edge.enter(one, 50)
        await edge.enter(two, 30)
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


async def test_a_large_room_is_told_its_number_and_all_members_when_it_is_small_again(
    space: Space, services: Services, wire: Wire
) -> None:
    await wire.declare(space.topology)
    async with Edge(space, services, rooms=1) as edge:
        gateway = await edge.gateway(members_shown=2, presence_interval=0.1)
        await edge.enter(gateway, 4)
        await edge.right(WITHIN)
        first = gateway.sockets[0]
        counted = await first.raw.expect("presence", count=4)
        assert counted.keys() == {"type", "room", "rev", "count"}
        async with httpx.AsyncClient(headers={"Authorization": f"Bearer {first.token}"}) as http:
            path = f"{gateway.url}/api/rooms/{first.room}/members"
            page = (await http.get(path, params={"limit": 3})).json()
            rest = (await http.get(path, params={"after": page["members"][-1]["id"]})).json()
            assert (page["truncated"], rest["truncated"], len(rest["members"])) == (True, False, 1)
            ids = [m["id"] for m in (*page["members"], *rest["members"])]
            assert ids == sorted(s.user for s in gateway.sockets)
            gone = gateway.sockets[1]
            for socket in (gone, gateway.sockets[2]):
                gateway.sockets.remove(socket)
                await socket.close()
            small = await first.raw.expect("presence", count=2)
            assert {m["id"] for m in small["members"]} == {s.user for s in gateway.sockets}
            person = (await http.get(f"{gateway.url}/api/users/{gone.user}")).json()
            assert (person["id"], person["status"], "seen" in person) == (gone.user, "offline", True)
            assert (await http.get(f"{gateway.url}/api/users/nobody")).status_code == httpx.codes.NOT_FOUND
            await gateway.sockets[1].raw.send_json({"type": "status", "status": "away", "ref": 1})
            await gateway.sockets[1].raw.expect("ack", ref=1)
            told = await first.raw.expect("presence", count=2)
            assert [(m["id"], m["status"]) for m in told["changed"]] == [(gateway.sockets[1].user, "away")]
