"""Behind HAProxy: sockets over several gateways, whose clients they are, and gateways that go and come."""

from __future__ import annotations

import asyncio
import contextlib
import re
from pathlib import Path

import httpx

from tests.support.stack import Stack, enter, guest
from tests.support.waiting import eventually
from warren.client import RawSocket


async def sessions(http: httpx.AsyncClient, gateways: list[str]) -> list[int]:
    pages = [(await http.get(f"{url}/metrics")).text for url in gateways]
    found = [re.search(r"^warren_gateway_sessions (\S+)", page, re.MULTILINE) for page in pages]
    return [int(float(f[1])) if f else -1 for f in found]


async def test_sockets_are_spread_and_operators_pages_are_not_shown(stack: Stack, http: httpx.AsyncClient) -> None:
    status = stack.status()
    door, gateways = status["balancer"], status["gateways"]
    before = await sessions(http, gateways)
    token = (await guest(door))["token"]
    async with contextlib.AsyncExitStack() as open_sockets:

        async def all_have_some() -> bool:
            await open_sockets.enter_async_context(await enter(door, "", token=token))
            after = await sessions(http, gateways)
            return all(now > then for now, then in zip(after, before, strict=True))

        await eventually(all_have_some, what="each gateway gets sockets")
    for path in ("/livez", "/readyz", "/health", "/lb", "/metrics", "/info"):
        assert (await http.get(door + path)).status_code == 404
    assert (await http.get(door)).status_code == 200


async def test_a_clients_address_is_believed_from_the_balancer_only(stack: Stack) -> None:
    status = stack.status()
    forged = {"X-Forwarded-For": "203.0.113.9"}

    async def seen(base: str) -> str:
        token = (await guest(base))["token"]
        async with await RawSocket.connect(base, token, headers=forged, local_addr=("127.0.0.77", 0)) as socket:
            session = (await socket.expect("welcome"))["session"]

        def logged() -> str | None:
            lines = [line for name in ("gateway-1", "gateway-2") for line in stack.logs(name)]
            return next((str(line["address"]) for line in lines if line.get("session") == session), None)

        return await eventually(logged, what="the gateway logs the session")

    assert await seen(status["balancer"]) == "127.0.0.77"
    assert await seen(status["gateways"][0]) == "127.0.0.77"


async def test_a_gateway_without_its_alive_file_sends_its_clients_elsewhere_until_it_is_back(
    stack: Stack, http: httpx.AsyncClient, room: str
) -> None:
    status = stack.status()
    door, gateways = status["balancer"], status["gateways"]
    token = (await guest(door))["token"]
    alive: Path = stack.data / "run" / "gateway-2.alive"
    assert (await http.get(f"{gateways[1]}/lb")).status_code == 200
    async with contextlib.AsyncExitStack() as clients:
        stayed = await clients.enter_async_context(await enter(gateways[0], "", room, token))
        async with await enter(gateways[1], "", room, token) as moved:
            await asyncio.to_thread(alive.unlink)
            try:
                assert (await http.get(f"{gateways[1]}/lb")).status_code == 403
                assert (await http.get(f"{gateways[1]}/readyz")).status_code == 200
                assert (await moved.expect("goodbye"))["reason"] == "drain"
                assert await moved.closed() == (4010, "drain")
                refused = await RawSocket.connect(gateways[1], token)
                assert await refused.closed() == (4010, "drain")
                for _ in range(4):
                    await clients.enter_async_context(await enter(door, "", token=token))
                assert (await sessions(http, gateways))[1] == 0
            finally:
                await asyncio.to_thread(alive.touch)
        await stayed.send_json({"type": "ping"})
        await stayed.expect("pong")

        async def wanted_again() -> bool:
            await clients.enter_async_context(await enter(door, "", token=token))
            return (await sessions(http, gateways))[1] > 0

        await eventually(wanted_again, what="gateway-2 gets clients again", interval=0.1)
