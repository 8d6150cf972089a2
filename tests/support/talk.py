"""A steady conversation that goes on through faults, and the reckoning afterwards.

Members sit on several gateways and talk at a steady rate, resending what is not acked with the same id, as every
client of Warren does; they may edit and delete what they said, too. Afterwards `reckon` holds what was acked against
the room's history and against what each member received: nothing acked may be missing, nothing may come twice, `seq`
is dense, all saw one order.
"""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from tests.support.waiting import eventually
from warren.client import Client, Rest
from warren.client.errors import UnreachableError
from warren.client.state import ENTRY_TYPES

PRESENCE_SECONDS = 15

ENTERING_AT_ONCE = 10


def plain(entries: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return entries without the bodies of what was deleted: whoever saw it live has them, later pages have not."""
    gone = {e["target"] for e in entries if e["type"] == "deleted"}
    return [{k: v for k, v in e.items() if k != "body" or not {e["seq"], e.get("target")} & gone} for e in entries]


@dataclass
class Talk:
    """`members` users, spread over `gateways` and `rooms`, say `rate` messages/s in all.

    `changes` is the share of turns in which an own earlier message is edited or deleted instead.
    """

    gateways: Sequence[str]
    members: int = 12
    rooms: int = 3
    rate: float = 200
    changes: float = 0
    acked: dict[str, set[str]] = field(default_factory=dict)
    received: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    clients: list[Client] = field(default_factory=list)
    sent: int = 0
    absences: list[float] = field(default_factory=list)
    """Seconds from each loss of a connection until its client was in its room again."""
    handshakes: list[float] = field(default_factory=list)
    """When clients came back or tried to, on the clock of `time.monotonic`."""
    away: dict[int, float] = field(default_factory=dict)
    """Members who are not in their rooms now, and since when."""

    async def __aenter__(self) -> Self:
        self._run = secrets.token_hex(4)
        self._talking: list[asyncio.Task[None]] = []
        self._speaking: set[asyncio.Task[None]] = set()
        self._stop = asyncio.Event()
        self._rest = Rest(self.gateways)
        self._changeable: dict[int, list[int]] = {}
        for number in range(self.members):
            self.received[number], self._changeable[number] = [], []
            home = number % len(self.gateways)
            urls = [*self.gateways[home:], *self.gateways[:home]]
            name, hear = f"{self._run} {number}", self._listener(number)
            self.clients.append(Client(urls, name=name, rest=self._rest, history=1_000_000, on_event=hear))
        for first in range(0, self.members, ENTERING_AT_ONCE):
            await asyncio.gather(*[self._enter(n) for n in range(self.members)[first : first + ENTERING_AT_ONCE]])
        self._talking = [asyncio.create_task(self._talk(n)) for n in range(self.members)]
        return self

    async def _enter(self, number: int) -> None:
        await self.clients[number].start()
        await self.clients[number].join(self.room(number))

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

    async def all_are_back(self, within: float) -> None:
        """Wait until every member is in its room."""
        await eventually(lambda: not self.away, within, what="every member is in its room again")

    def busiest_second(self) -> int:
        """Return the most handshakes within any second."""
        times, most, first = sorted(self.handshakes), 0, 0
        for last, moment in enumerate(times):
            while times[first] < moment - 1:
                first += 1
            most = max(most, last - first + 1)
        return most

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
        seen, kept = plain(received), plain(history)
        differ = next((i for i, (a, b) in enumerate(zip(seen, kept, strict=False)) if a != b), len(kept))
        assert seen == kept, f"member {number} saw {seen[differ : differ + 2]}, stored are {kept[differ : differ + 2]}"

    def _listener(self, number: int) -> Any:
        def on_event(event: dict[str, Any]) -> None:
            kind, now = event["type"], time.monotonic()
            if kind in ENTRY_TYPES:
                self.received[number].append(event)
                if kind == "message" and event["user"]["id"] == self.clients[number].user["id"]:
                    self._changeable[number].append(event["seq"])
            elif kind == "offline":
                if number in self.away:  # it had tried to come back
                    self.handshakes.append(now)
                self.away.setdefault(number, now)
            elif kind == "online":
                self.handshakes.append(now)
            elif kind == "joined" and number in self.away:
                self.absences.append(now - self.away.pop(number))

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
        room, client, own = self.room(number), self.clients[number], self._changeable[number]
        if own and random.random() < self.changes:
            target = own.pop(random.randrange(len(own)))  # each once: a second change of what is deleted is refused
            if random.random() < 0.5:
                await client.edit(room, target, f"edit {message}", id=message, deadline=120)
            else:
                await client.delete(room, target, id=message, deadline=120)
        else:
            await client.send(room, f"message {message}", id=message, deadline=120)
        self.acked.setdefault(room, set()).add(message)
