"""What it takes to tell who is where when thousands of users come back at once: messages and bytes, counted.

    .venv/bin/python -m bench.presence

In one process, without broker, store and sockets: the model of presence and the hubs of two gateways are the real ones,
and what they say is counted where it would go out. So the figures are exact, and do not depend on the machine. Users
come at a steady rate; presence works them in batches, as it would.
"""

from __future__ import annotations

import argparse
import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import cast

from rich.console import Console
from rich.table import Column, Table

from gateway.hub import Hub
from gateway.neighbours import Chat, Members
from gateway.neighbours import Presence as PresenceClient
from gateway.reading import Reading
from gateway.settings import GatewaySettings
from presence.handlers import Presence
from presence.records import Rename, Stored, Write
from warren.contracts import User, now
from warren.contracts.events import PresenceChanged
from warren.contracts.frames import Joined
from warren.contracts.signals import RoomJoined
from warren.envelope import Event, event
from warren.messaging import Publisher
from warren.topology import EVENTS

SIZES = (500, 2_000, 10_000)
ROOMS = (1, 100)
RATE = 1_000
"""Users who come back per second, at two gateways; one takes 700 handshakes a second."""
BATCH = 200
LISTED = 200


class NoStore:
    """Keeps nothing: what is stored is not what is measured."""

    async def load(self) -> Stored:
        return Stored(0, [], [])

    async def commit(self, write: Write) -> None: ...

    async def renames(self, users: Iterable[str]) -> dict[str, Rename | None]:
        return dict.fromkeys(users)

    async def revs(self, rooms: Iterable[str]) -> dict[str, int]:
        return dict.fromkeys(rooms, 0)


@dataclass
class Count:
    """Messages and their bytes."""

    messages: int = 0
    size: int = 0

    def add(self, size: int, messages: int = 1) -> None:
        self.messages += messages
        self.size += size


class Socket:
    """A session that counts: snapshots apart from what comes after them."""

    def __init__(self, snapshots: Count, frames: Count) -> None:
        self._snapshots, self._frames, self._joined = snapshots, frames, False

    def send(self, frames: bytes, count: int = 1) -> None:
        """Count frames."""
        (self._frames if self._joined else self._snapshots).add(len(frames), count)
        self._joined = True

    def renamed(self, name: str, asked: str | None) -> None:
        """Take a name."""


class World:
    """One presence, two gateways."""

    def __init__(self) -> None:
        self.facts, self.snapshots, self.frames, self.plain = Count(), Count(), Count(), Count()
        self._here: Counter[str] = Counter()
        settings = GatewaySettings(jwt_secret="x" * 32)  # type: ignore[arg-type]
        self.presence = Presence(NoStore(), self, partitions=16, lease=8)
        chat, presence = Chat(settings), cast("PresenceClient", self)
        reading = Reading(settings, cast("Publisher", self))
        self.hubs = [Hub(settings, chat, presence, reading) for _ in range(2)]

    async def publish_all(self, events: Sequence[Event]) -> None:
        """Count facts, and hand them to the gateways as the broker would."""
        for fact in events:
            assert isinstance(fact.data, PresenceChanged)
            size, here = len(fact.data.model_dump_json()), self._here[fact.data.room]
            self.facts.add(size)
            self.plain.add(size * here, here)
        for hub in self.hubs:
            hub.on_facts(events)

    async def members(self, room: str) -> Members:
        """Answer a gateway."""
        assert self.presence.term is not None
        members, count = self.presence.term.members(room, LISTED)
        listed = None if members is None else [m.model_dump(mode="json") for m in members]
        return Members(listed, count, self.presence.term.revs[room])

    async def come(self, users: range, rooms: int) -> None:
        """Let some users join, and give each a snapshot."""
        joining = [(self.hubs[n % 2], Socket(self.snapshots, self.frames), f"room-{n % rooms}") for n in users]
        for hub, socket, room in joining:
            hub.enter(room, socket)
            self._here[room] += 1
        signals = [
            RoomJoined(gateway="g", session=f"s{n}", user=_user(n), room=f"room-{n % rooms}", time=now()) for n in users
        ]
        await self.presence.handle([event(s, EVENTS, "signal") for s in signals])
        term = self.presence.term
        assert term is not None
        for hub, socket, room in joining:
            members, count = term.members(room, LISTED)
            listed = None if members is None else tuple(members)
            joined = Joined(
                room=room, seq=0, rev=term.revs[room], members=listed, count=count, entries=(), truncated=False
            )
            hub.snapshot(socket, joined)


def _user(number: int) -> User:
    return User(id=f"user-{number}", name=f"Quiet Otter {number}")


async def measure(users: int, rooms: int) -> World:
    """Let all come back."""
    world = World()
    loop = asyncio.get_running_loop()
    began = loop.time()
    for first in range(0, users, BATCH):
        await world.come(range(first, min(users, first + BATCH)), rooms)
        await asyncio.sleep(max(0.0, began + (first + BATCH) / RATE - loop.time()))
    await asyncio.sleep(1.2)  # what waits for its interval goes out
    return world


def main() -> None:
    """Run and print."""
    argparse.ArgumentParser(description=__doc__.partition("\n")[0]).parse_args()
    columns = ("facts", "B", "snapshot B", "frames", "B", "plain frames", "B")
    table = Table(Column("users", justify="right"), "rooms", *columns, title="By user; plain: each fact to all")
    for rooms in ROOMS:
        for users in SIZES:
            world = asyncio.run(measure(users, rooms))
            counts = world.facts, world.frames, world.plain
            facts, frames, plain = [(c.messages, c.size) for c in counts]
            figures = (*facts, world.snapshots.size, *frames, *plain)
            table.add_row(f"{users:,}", str(rooms), *[f"{f / users:,.2f}" for f in figures])
    Console(width=150).print(table)


if __name__ == "__main__":
    main()
