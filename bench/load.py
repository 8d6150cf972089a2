"""Drives a shape of load through sockets, one window after another; the ledger checks every receipt."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Sequence
from time import perf_counter

import httpx

from bench.client import Client, Frames
from bench.ledger import Ledger, Message, Room, Seat
from bench.measure import Latency, Window, mean
from bench.shapes import Shape

SETTLE = 60.0
"""Seconds that a message may take to be acked and everywhere after the last one was sent."""


class Load:
    """All sockets of one shape; use as `async with Load(…) as load`, and look at `errors` after it."""

    def __init__(self, shape: Shape, gateways: Sequence[str], payload: int) -> None:
        self.shape = shape
        self._gateways = gateways
        self._ledger = Ledger(epoch=time.time() - perf_counter())
        self._rooms = [Room(f"bench-{time.time_ns()}-{n}") for n in range(shape.rooms)]
        frames, body = Frames(), "x" * payload
        self._clients: dict[Seat, Client] = {}
        self._senders: list[Client] = []
        for place in range(shape.members):  # by place first: neighbours in this order are in different rooms
            for room in self._rooms:
                seat = Seat(len(self._clients), room)
                room.seats.append(seat)
                client = self._clients[seat] = Client(seat, self._ledger, frames, body)
                if place < shape.senders:
                    self._senders.append(client)
        self._until = 0.0
        if shape.window and shape.complete == "acked":
            self._ledger.on_acked = self._next
        elif shape.window:
            self._ledger.on_everywhere = self._next

    @property
    def errors(self) -> list[str]:
        """Receipts that were wrong."""
        return self._ledger.errors

    async def __aenter__(self) -> Load:
        async with httpx.AsyncClient(timeout=30) as http:
            clients = list(self._clients.values())
            for start in range(0, len(clients), 20):
                some = clients[start : start + 20]
                await asyncio.gather(*[c.open(http, self._gateway(c.seat)) for c in some])
        return self

    async def __aexit__(self, *_: object) -> None:
        self._ledger.close(self._rooms)
        await asyncio.gather(*[c.close() for c in self._clients.values()])

    def _gateway(self, seat: Seat) -> str:
        return self._gateways[seat.number // self.shape.rooms % len(self._gateways)]

    async def window(self, seconds: float, rate: float) -> Window:
        """Send for so long, at `rate` messages/s in an open loop; return when all is acked and everywhere."""
        ledger = self._ledger
        ledger.new_window()
        gc.collect()
        gc.disable()
        try:
            began = perf_counter()
            self._until = began + seconds
            if self.shape.window:
                await self._closed_loop(seconds)
            else:
                await self._open_loop(began, rate)
            took = perf_counter() - began
            accepted = ledger.acked
            await self._settle()
            whole = perf_counter() - began
        finally:
            gc.enable()
        times = ledger.times
        return Window(
            seconds=took,
            tail=whole - took,
            sent=ledger.sent,
            accepted_rate=accepted / took,
            delivered=ledger.delivered,
            everywhere_rate=ledger.everywhere / whole,
            delivered_rate=ledger.delivered / whole,
            ack=Latency.of(times.ack),
            delivery=Latency.of(times.delivery),
            mean={name: mean(getattr(times, name)) for name in ("late", "accept", "ack", "delivery")},
        )

    async def _closed_loop(self, seconds: float) -> None:
        for client in self._senders:
            for _ in range(self.shape.window):
                client.send(perf_counter())
        await asyncio.sleep(seconds)

    def _next(self, message: Message) -> None:
        now = perf_counter()
        if now < self._until:
            self._clients[message.sender].send(now)

    async def _open_loop(self, began: float, rate: float) -> None:
        turn, due = 0, began
        while due < self._until:
            await asyncio.sleep(max(0.0, due - perf_counter()))
            while due <= perf_counter() and due < self._until:  # all that is due by now, however late we are
                self._senders[turn % len(self._senders)].send(due)
                turn += 1
                due = began + turn / rate

    async def _settle(self) -> None:
        try:
            async with asyncio.timeout(SETTLE):
                while not self._ledger.settled and not self._ledger.errors:
                    await asyncio.sleep(0.002)
        except TimeoutError:
            self._ledger.wrong(f"not everything was acked and everywhere {SETTLE:.0f} s after the last was sent")
