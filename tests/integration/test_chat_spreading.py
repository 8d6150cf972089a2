"""Several chat processes: even shares, handed over in order, whoever comes, stops or dies."""

from __future__ import annotations

import asyncio
import os
import sys
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest

from chat.app import build
from chat.settings import ChatSettings
from gateway.neighbours import Chat
from gateway.settings import GatewaySettings
from tests.support.nodes import free_port
from tests.support.services import Running, Services
from tests.support.space import Space
from tests.support.waiting import eventually
from tests.support.wire import Wire
from warren.consuming import _Prepared
from warren.contracts import User, now
from warren.contracts.commands import PostMessage
from warren.envelope import event
from warren.errors import DependencyDownError
from warren.messaging import Link, Publisher
from warren.messaging.codec import split
from warren.topology import COMMANDS, EVENTS, Topology, partition, room_key

ROOT = Path(__file__).parents[2]
PARTITIONS = 6
ROOMS = [f"room {n}" for n in range(12)]
"""Some in each partition."""
SENDERS = 3
WITHIN = 30
BEAT = 0.3


class Talk:
    """A stream of posts of several senders in many rooms, all the time."""

    def __init__(self, publisher: Publisher) -> None:
        self.sent: dict[str, list[tuple[str, str]]] = defaultdict(list)
        self._publisher = publisher
        self._stop = False
        self._tasks = [asyncio.create_task(self._send(f"sender-{n}")) for n in range(SENDERS)]

    async def finish(self) -> int:
        """Stop; returns how many were sent."""
        self._stop = True
        await asyncio.gather(*self._tasks)
        return sum(map(len, self.sent.values()))

    async def _send(self, sender: str) -> None:
        user, number = User(id=sender, name=sender), 0
        while not self._stop:
            batch = []
            for room in ROOMS:
                number += 1
                data = PostMessage(room=room, id=f"m-{number}", user=user, time=now(), body="x" * 50)
                batch.append(event(data, COMMANDS, room_key("chat", room, PARTITIONS)))
                self.sent[room].append((sender, data.id))
            await self._publisher.publish_all(batch)
            await asyncio.sleep(0.1)  # the pace of the load


@pytest.fixture
async def talk(space: Space, wire: Wire) -> AsyncIterator[Talk]:
    topology = Topology(PARTITIONS)
    await wire.declare(topology, "audit", "chat")
    link = Link(space.amqp_url, "test talk", heartbeat=6)
    running = asyncio.create_task(link.run())
    talk = Talk(Publisher(link, "gateway", timeout=8))
    yield talk
    await talk.finish()
    running.cancel()
    await asyncio.wait([running])


async def start(services: Services, name: str) -> Running:
    return await services.start(build, ChatSettings, partitions=PARTITIONS, chat_beat=BEAT, instance=name)


async def active(space: Space) -> Counter[str]:
    """How many partitions each process is the active consumer of, as the broker says (some seconds late)."""
    found = await space.management.consumers(space.vhost)
    tags = [str(c["consumer_tag"]) for c in found if c["active"]]
    return Counter(tag.split(":")[0] for tag in tags if ":chat.commands." in tag)


def works(chat: Running) -> set[str]:
    """Partitions whose commands a process gets: it has had some on its present channels, as all are busy."""
    (consumers,) = [p._consumers for p in chat.service.parts if isinstance(p, _Prepared)]
    return {c.queue for c in consumers if c.consuming and c.delivered}


async def shared(*chats: Running, others: int = 0) -> None:
    """Wait until these processes (and others elsewhere) share the partitions evenly."""

    def even() -> bool:
        mine = [works(c) for c in chats]
        assert {len(m) for m in mine} == {PARTITIONS // (len(chats) + others)}, mine
        return len(set().union(*mine)) == sum(map(len, mine))

    await eventually(even, WITHIN)


async def check(chat: Running, talk: Talk, wire: Wire, facts: str) -> None:
    """Every post is there once, in its sender's order, under a dense `seq`, and its fact was told in that order."""
    for room, sent in talk.sent.items():
        entries = await whole(chat, room, len(sent))
        assert [e["seq"] for e in entries] == list(range(1, len(sent) + 1))
        by_sender: dict[str, list[str]] = defaultdict(list)
        for e in entries:
            by_sender[e["user"]["id"]].append(e["id"])
        for sender, ids in by_sender.items():
            assert ids == [i for s, i in sent if s == sender]
    told = await told_seqs(wire, facts)
    for room, sent in talk.sent.items():
        first_times = list(dict.fromkeys(told[room]))
        assert first_times == list(range(1, len(sent) + 1)), "facts come in order, those told again aside"


async def whole(chat: Running, room: str, wanted: int) -> list[dict]:  # type: ignore[type-arg]  # JSON
    entries: list[dict] = []  # type: ignore[type-arg]

    async def read() -> bool:
        query = {"room": room, "after": len(entries), "limit": 200}
        [page] = (await chat.http.post("/pages", json={"pages": [query]})).json()["pages"]
        entries.extend(page["entries"])
        return len(entries) >= wanted

    await eventually(read, what=f"all of {room}")
    return entries


async def told_seqs(wire: Wire, facts: str) -> dict[str, list[int]]:
    told: dict[str, list[int]] = defaultdict(list)
    while (message := await wire.get(facts)) is not None:
        for one in split(message):
            body = orjson.loads(one.body)
            told[body["room"]].append(body["seq"])
    return told


async def heads_agree(chats: list[Running], talk: Talk) -> None:
    """Every process knows the heads of all rooms, those that others write to included."""
    wanted = {room: len(sent) for room, sent in talk.sent.items()}
    for chat in chats:

        async def right(chat: Running = chat) -> bool:
            found = (await chat.http.post("/heads", json={"rooms": ROOMS})).json()["heads"]
            return bool(found == wanted)

        await eventually(right)


async def a_gateway_asks_who_answers(space: Space, talk: Talk, *, gone: Running, there: Running) -> None:
    """One of its chat processes is away: the other one is asked, whichever comes first."""
    urls = f"{gone.url},{there.url}"
    for _ in range(4):  # which one comes first is left to chance
        neighbour = Chat(GatewaySettings(**space.settings, jwt_secret="s" * 32, chat_url=urls))  # type: ignore[arg-type]
        assert await neighbour.heads(ROOMS) == {room: len(sent) for room, sent in talk.sent.items()}
        await neighbour.ready()
        await neighbour.close()
    neighbour = Chat(GatewaySettings(**space.settings, jwt_secret="s" * 32, chat_url=gone.url))  # type: ignore[arg-type]
    with pytest.raises(DependencyDownError, match="chat is away"):
        await neighbour.heads(ROOMS)
    await neighbour.close()


async def test_shares_are_even_and_nothing_is_lost_whoever_comes_or_goes(
    services: Services, space: Space, wire: Wire, talk: Talk
) -> None:
    assert {partition(room, PARTITIONS) for room in ROOMS} == set(range(PARTITIONS))
    facts = await wire.collect(EVENTS, "room.#")
    first = await start(services, "chat")
    second = await start(services, "chat-2")
    await shared(first, second)
    victim = await killable(space, "chat-3")
    await shared(first, second, others=1)
    victim.kill()
    await victim.wait()
    await shared(first, second)
    await first.stop()
    await shared(second)
    sent = await talk.finish()
    await heads_agree([second], talk)
    await check(second, talk, wire, facts)
    assert sent > 300
    await a_gateway_asks_who_answers(space, talk, gone=first, there=second)

    async def said() -> bool:
        return await active(space) == {"chat-2": PARTITIONS}

    await eventually(said, 15, what="the broker says the same")


async def killable(space: Space, name: str) -> asyncio.subprocess.Process:
    """A chat process that a test may kill."""
    env = space.env(partitions=PARTITIONS, chat_beat=BEAT, instance=name, port=free_port(), log_level="error")
    return await asyncio.create_subprocess_exec(sys.executable, "-m", "chat", env={**os.environ, **env}, cwd=ROOT)
