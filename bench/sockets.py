"""Idle sockets on one gateway: what each costs to open, and what it keeps resident.

    .venv/bin/python -m bench.sockets                # 5,000
    .venv/bin/python -m bench.sockets --sockets 1000

starts a stack of its own, opens them all at the first gateway, fifty at a time, and looks at it before and after.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import time

import httpx
import orjson
import psutil
import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect
from rich.console import Console

from bench.stack import running

AT_ONCE = 50
PER_USER = 50
"""Sockets of one user: a gateway allows 100."""

SETTLING_SECONDS = 6
"""What a handshake leaves behind is gone by then."""


class Idle(WSListener):
    """A socket that waits for its welcome and then does nothing."""

    def __init__(self) -> None:
        self.welcomed = asyncio.get_running_loop().create_future()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Take the welcome, or note that there is none."""
        if self.welcomed.done():
            return
        if frame.msg_type == WSMsgType.TEXT and orjson.loads(frame.get_payload_as_bytes())["type"] == "welcome":
            self.welcomed.set_result(None)
        else:
            self.welcomed.set_exception(ConnectionError(f"no welcome but a frame of type {frame.msg_type}"))


async def measure(base: str, gateway: psutil.Process, count: int) -> tuple[float, float, float]:
    """Open `count` sockets; returns handshakes/s, CPU ms of the gateway for each, and KB resident for each."""
    url = base.replace("http", "ws", 1) + "/ws"
    async with httpx.AsyncClient() as http:
        users = -(-count // PER_USER)
        tokens = [(await http.post(f"{base}/api/token", json={})).json()["token"] for _ in range(users)]
    room_for = asyncio.Semaphore(AT_ONCE)
    transports: list[WSTransport] = []

    async def open_one(number: int) -> None:
        async with room_for:
            header = {"Authorization": f"Bearer {tokens[number // PER_USER]}"}
            transport, idle = await ws_connect(Idle, url, extra_headers=header, websocket_handshake_timeout=30)
            transports.append(transport)
            async with asyncio.timeout(30):
                await idle.welcomed

    before, spent, began = gateway.memory_info().rss, sum(gateway.cpu_times()[:2]), time.perf_counter()
    await asyncio.gather(*[open_one(n) for n in range(count)])
    seconds, spent = time.perf_counter() - began, sum(gateway.cpu_times()[:2]) - spent
    await asyncio.sleep(SETTLING_SECONDS)
    grown = gateway.memory_info().rss - before
    for transport in transports:
        transport.disconnect()
    return count / seconds, spent * 1e3 / count, grown / 1024 / count


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description="Idle sockets on one gateway: handshakes, CPU, memory.")
    parser.add_argument("--sockets", type=int, default=5_000, help="how many (default: %(default)s)")
    count = parser.parse_args().sockets
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # one file each, here and in the gateway
    with running() as stack:
        pid = next(p["pid"] for p in stack["processes"] if p["name"] == "gateway-1")
        rate, cpu, memory = uvloop.run(measure(stack["gateways"][0], psutil.Process(pid), count))
    Console().print(
        f"{count:,} sockets: {rate:,.0f} handshakes/s, {cpu:.2f} ms of CPU each, {memory:.1f} KB resident each"
    )


if __name__ == "__main__":
    main()
