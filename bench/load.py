"""Load on Warren through its sockets, each receipt checked: no loss, nothing twice, one order in each room."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import httpx
import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from bench.measure import Latency
from warren.contracts.frames import PROTOCOL


@dataclass(frozen=True, slots=True)
class Shape:
    """`rooms` of `members` each, all sending; `window` unanswered messages a client, or `rate` messages/s in all."""

    name: str
    rooms: int
    members: int
    window: int = 0
    rate: float = 0


@dataclass(slots=True)
class Outcome:
    """What was accepted and delivered in `seconds`, and every receipt that was wrong."""

    shape: str
    seconds: float
    accepted: int = 0
    delivered: int = 0
    ack: Latency | None = None
    delivery: Latency | None = None
    errors: list[str] = field(default_factory=list)

    @property
    def accepted_rate(self) -> float:
        """Messages acked per second."""
        return round(self.accepted / self.seconds, 1)

    @property
    def delivered_rate(self) -> float:
        """Messages given to sockets per second."""
        return round(self.delivered / self.seconds, 1)


class Client:
    """One socket in one room."""

    def __init__(self, number: int, room: str, load: Load) -> None:
        self.number = number
        self.room = room
        self.seqs: list[int] = []
        self.ids: list[str] = []
        self._load = load
        self._socket: ClientConnection | None = None
        self._waiting: dict[str, float] = {}
        self._slots = asyncio.Semaphore(load.shape.window or 1_000_000)
        self._count = 0

    async def open(self, http: httpx.AsyncClient, base: str) -> None:
        """Get a token, connect and join."""
        token = (await http.post(f"{base}/api/token", json={"name": f"bench {self.number}"})).json()["token"]
        self._socket = await connect(
            base.replace("http", "ws", 1) + "/ws",
            subprotocols=[Subprotocol(PROTOCOL)],
            additional_headers={"Authorization": f"Bearer {token}"},
            compression=None,
            max_queue=None,
            ping_interval=None,
        )
        await self._socket.send(orjson.dumps({"type": "join", "room": self.room}).decode())
        async for text in self._socket:
            if orjson.loads(text)["type"] == "joined":
                return

    async def send(self) -> None:
        """Send one message when the window allows."""
        await self._slots.acquire()
        assert self._socket is not None
        self._count += 1
        message = f"{self.number}-{self._count}"
        self._waiting[message] = self._load.sent[message] = time.perf_counter()
        frame = {"type": "message", "room": self.room, "id": message, "body": self._load.body}
        await self._socket.send(orjson.dumps(frame).decode())

    async def listen(self) -> None:
        """Take in frames until the socket is closed."""
        assert self._socket is not None
        load = self._load
        async for text in self._socket:
            frame = orjson.loads(text)
            kind = frame["type"]
            if kind == "message":
                now = time.perf_counter()
                self.seqs.append(frame["seq"])
                self.ids.append(frame["id"])
                if frame["id"] not in self._waiting and frame["id"] in load.sent:
                    load.deliveries.append(now - load.sent[frame["id"]])
                load.delivered += 1
            elif kind == "ack":
                load.acks.append(time.perf_counter() - self._waiting[frame["id"]])
                load.acked.add(frame["id"])
                self._slots.release()
            elif kind == "error":
                load.errors.append(f"client {self.number}: {frame['code']}: {frame['message']}")

    async def close(self) -> None:
        """Close the socket."""
        if self._socket is not None:
            await self._socket.close()


class Load:
    """One run of a shape against the given gateways."""

    def __init__(self, shape: Shape, gateways: Sequence[str], payload: int) -> None:
        self.shape = shape
        self.body = "x" * payload
        self.sent: dict[str, float] = {}
        self.acked: set[str] = set()
        self.acks: list[float] = []
        self.deliveries: list[float] = []
        self.delivered = 0
        self.errors: list[str] = []
        self._gateways = gateways
        run = f"bench-{time.time_ns()}"
        count = shape.rooms * shape.members
        self._clients = [Client(n, f"{run}-{n % shape.rooms}", self) for n in range(count)]

    async def run(self, seconds: float, warm_up: float = 1.0) -> Outcome:
        """Connect all clients, send for `seconds`, wait for what is under way, check every receipt."""
        async with httpx.AsyncClient(timeout=30) as http:
            for start in range(0, len(self._clients), 20):
                some = self._clients[start : start + 20]
                bases = [self._gateways[(c.number // self.shape.rooms) % len(self._gateways)] for c in some]
                await asyncio.gather(*[c.open(http, b) for c, b in zip(some, bases, strict=True)])
        listening = [asyncio.create_task(c.listen()) for c in self._clients]
        await self._send(warm_up)
        await self._settle()
        self.acks.clear()
        self.deliveries.clear()
        acked, delivered, began = len(self.acked), self.delivered, time.perf_counter()
        await self._send(seconds)
        outcome = Outcome(self.shape.name, time.perf_counter() - began)
        outcome.accepted, outcome.delivered = len(self.acked) - acked, self.delivered - delivered
        await self._settle()
        outcome.ack, outcome.delivery = Latency.of(self.acks), Latency.of(self.deliveries)
        outcome.errors = self.errors[:10] + self._wrong()
        await asyncio.gather(*[c.close() for c in self._clients])
        await asyncio.gather(*listening)
        return outcome

    async def _send(self, seconds: float) -> None:
        end = time.perf_counter() + seconds
        if self.shape.window:
            await asyncio.gather(*[self._closed_loop(c, end) for c in self._clients])
        else:
            await self._open_loop(end)

    @staticmethod
    async def _closed_loop(client: Client, end: float) -> None:
        while time.perf_counter() < end:
            await client.send()

    async def _open_loop(self, end: float) -> None:
        due, turn = time.perf_counter(), 0
        while due < end:
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            await self._clients[turn % len(self._clients)].send()
            turn += 1
            due += 1 / self.shape.rate

    async def _settle(self, limit: float = 20) -> None:
        """Wait until every message that was sent is acked and everywhere."""
        async with asyncio.timeout(limit):
            while len(self.acked) < len(self.sent) or self.delivered < len(self.sent) * self.shape.members:
                if self.errors:
                    return
                await asyncio.sleep(0.01)

    def _wrong(self) -> list[str]:
        wrong = []
        rooms: dict[str, list[Client]] = {}
        for client in self._clients:
            rooms.setdefault(client.room, []).append(client)
        for room, clients in rooms.items():
            first = clients[0]
            if first.seqs != list(range(1, len(first.seqs) + 1)):
                wrong.append(f"{room}: seq is not dense")
            if len(set(first.ids)) != len(first.ids):
                wrong.append(f"{room}: a message came twice")
            if any(c.ids != first.ids or c.seqs != first.seqs for c in clients):
                wrong.append(f"{room}: members saw different orders")
            numbers = {str(c.number) for c in clients}
            lost = {m for m in self.acked if m.split("-")[0] in numbers} - set(first.ids)
            if lost:
                wrong.append(f"{room}: {len(lost)} acked messages are missing")
        return wrong
