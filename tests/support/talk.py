"""A steady conversation that goes on through faults, and the reckoning afterwards.

Members sit on several gateways and talk at a steady rate, resending what is not acked with the same id, as every
client of Warren does. Afterwards `reckon` holds what was acked against the room's history and against what each
member received: nothing acked may be missing, nothing may come twice, `seq` is dense, all saw one order.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from tests.support.waiting import eventually
from warren.client import Client, Rest
from warren.client.errors import UnreachableError

PRESENCE_SECONDS = 15


@dataclass
class Talk:
    """`members` users, spread over `gateways` and `rooms`, say `rate` messages/s in all."""

    gateways: Sequence[str]
    members: int = 12
    rooms: int = 3
    rate: float = 200
    acked: dict[str, set[str]] = field(default_factory=dict)
    received: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    clients: list[Client] = field(default_factory=list)
    sent: int = 0

    async def __aenter__(self) -> Self:
        self._run = secrets.token_hex(4)
        self._talking: list[asyncio.Task[None]] = []
        self._speaking: set[asyncio.Task[None]] = set()
        self._stop = asyncio.Event()
        self._rest = Rest(self.gateways)
        for number in range(self.members):
            self.received[number] = []
            home = number % len(self.gateways)
            urls = [*self.gateways[home:], *self.gateways[:home]]
            client = Client(urls, name=f"{self._run} {number}", history=1_000_000, on_event=self._listener(number))
            self.clients.append(client)
            await client.start()
            await client.join(self.room(number))
        self._talking = [asyncio.create_task(self._talk(n)) for n in range(self.members)]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in (*self._talking, *self._speaking):
            task.cancel()
        await asyncio.gather(*self._talking, *self._speaking, return_exceptions=True)
        await asyncio.gather(*[c.close() for c in self.clients])
        await self._rest.close()

    def room(self, number: int) -> str:
        """Name of the room that a member is in."""
        return f"talk-{self._run}-{number % self.rooms}"

    async def said(self, count: int, within: float = 60) -> None:
        """Wait until `count` more messages were acked from now on."""
        goal = self.count + count
        await eventually(lambda: self.count >= goal, within, what=f"{count} more messages are acked")

    @property
    def count(self) -> int:
        """Messages acked so far."""
        return sum(map(len, self.acked.values()))

    async def finish(self, within: float = 60) -> None:
        """Stop talking and wait until every message that was begun is acked."""
        self._stop.set()
        await asyncio.gather(*self._talking)
        async with asyncio.timeout(within):
            await asyncio.gather(*self._speaking)

    async def reckon(self, within: float = 60) -> None:
        """Hold everything against the rooms' histories."""
        for name in sorted({self.room(n) for n in range(self.members)}):
            acked = self.acked.get(name, set())
            history = await self._history_with(name, acked, within)
            ids = [e["id"] for e in history]
            assert [e["seq"] for e in history] == list(range(1, len(history) + 1)), f"{name}: seq is not dense"
            assert len(set(ids)) == len(ids), f"{name}: a message is there twice"
            for number in range(self.members):
                if self.room(number) == name:
                    await self._compare(number, history, within)

    async def presence_is_right(self, within: float = PRESENCE_SECONDS) -> None:
        """Wait until each room's members are exactly those who talk there."""
        wanted: dict[str, set[str]] = {}
        for number, client in enumerate(self.clients):
            wanted.setdefault(self.room(number), set()).add(client.user["id"])

        async def right() -> bool:
            for name, users in wanted.items():
                try:
                    found = await self._rest.members(name, self.clients[0].token)
                except UnreachableError:
                    return False  # whoever was killed is not back yet
                if {m["id"] for m in found["members"]} != users or found["count"] != len(users):
                    return False
                for number, client in enumerate(self.clients):
                    members = client.rooms[self.room(number)].members or {}
                    if self.room(number) == name and set(members) != users:
                        return False
            return True

        await eventually(right, within, what="presence is right again", interval=0.2)

    async def _history_with(self, name: str, acked: set[str], within: float) -> list[dict[str, Any]]:
        """Return a room's history once all that was acked is in it: an ack means accepted, not yet applied."""
        history: list[dict[str, Any]] = []

        async def complete() -> bool:
            try:
                history[:] = [e async for e in self._rest.history(name, self.clients[0].token)]
            except UnreachableError:
                return False  # whoever was killed is not back yet
            missing = acked - {e["id"] for e in history}
            assert not missing, f"{name}: {len(missing)} acked messages are missing: {sorted(missing)[:5]}"
            return True

        await eventually(complete, within, interval=0.3)
        return history

    async def _compare(self, number: int, history: list[dict[str, Any]], within: float) -> None:
        received = self.received[number]
        await eventually(
            lambda: len(received) >= len(history), within, what=f"member {number} has all {len(history)} entries"
        )
        assert received == history, f"member {number} saw something else than the history"

    def _listener(self, number: int) -> Any:
        def on_event(event: dict[str, Any]) -> None:
            if event["type"] == "message":
                self.received[number].append(event)

        return on_event

    async def _talk(self, number: int) -> None:
        """Say something at the member's share of the rate; what is not acked yet holds nobody up."""
        pause = self.members / self.rate
        loop = asyncio.get_running_loop()
        due = loop.time() + pause * number / self.members
        count = 0
        while not self._stop.is_set():
            await asyncio.sleep(max(0.0, due - loop.time()))
            due += pause
            count += 1
            self.sent += 1
            task = asyncio.create_task(self._say(number, f"{number}-{count}"))
            self._speaking.add(task)
            task.add_done_callback(self._speaking.discard)

    async def _say(self, number: int, message: str) -> None:
        room = self.room(number)
        await self.clients[number].send(room, f"message {message}", id=message, deadline=120)
        self.acked.setdefault(room, set()).add(message)
