"""Presence on a real broker and a real store: what gateways send, what they are told, and what faults leave."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from itertools import count
from typing import Any

import httpx
import pytest

from presence.app import build
from presence.settings import PresenceSettings
from tests.support.nodes import free_port
from tests.support.presence import beat, closed, joined, left, rename, row, table, turned
from tests.support.services import Running, Services
from tests.support.space import PARTITIONS, Space
from tests.support.waiting import eventually
from tests.support.wire import Wire
from warren.contracts import Contract
from warren.contracts.events import PresenceChanged, UserRenamed
from warren.contracts.signals import GatewayBeat, RenameUser, SessionSignal
from warren.envelope import Event, event
from warren.messaging import Feed, Link, Publisher, accept
from warren.topology import EVENTS, room_key

LEASE = 2.0
BEAT = LEASE / 8
ODD_ROOM = "dev/ops & co?#1"


class Gateways:
    """The test's hand: signals of any gateway, and beats of those that live."""

    def __init__(self, url: str) -> None:
        self._link = Link(url, "test signals", heartbeat=6)
        self._publisher = Publisher(self._link, "gateway", timeout=10)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._silent: set[str] = set()
        self._running = asyncio.create_task(self._link.run())
        self._ms = count(1_000_000)
        self.beats = 0
        self.last_beat: dict[str, float] = {}

    def ms(self) -> int:
        """Return the next moment of the test's own time."""
        return next(self._ms)

    async def send(self, *signals: Contract) -> list[Event]:
        """Publish signals, in order per routing key and, unbundled, confirmed."""
        events = [event(s, EVENTS, _key(s)) for s in signals]
        await self._publisher.publish_all(events)
        return events

    async def again(self, events: Sequence[Event]) -> None:
        """Publish the same events once more."""
        await self._publisher.publish_all(events)

    def alive(self, gateway: str) -> None:
        """Let a gateway beat."""
        self._tasks[gateway] = asyncio.create_task(self._beat(gateway))

    async def silent(self, gateway: str) -> None:
        """Let its beats stop."""
        self._silent.add(gateway)
        await self._tasks.pop(gateway)

    async def close(self) -> None:
        for task in (*self._tasks.values(), self._running):
            task.cancel()
        await asyncio.gather(*self._tasks.values(), self._running, return_exceptions=True)

    async def _beat(self, gateway: str) -> None:
        while gateway not in self._silent:
            self.last_beat[gateway] = asyncio.get_running_loop().time()
            await self.send(beat(gateway, self.ms()))
            self.beats += 1
            await asyncio.sleep(BEAT)  # the pace of beats


class Client:
    """The test's eye: applies facts like a client, and reads like a gateway."""

    def __init__(self, url: str) -> None:
        self.facts: list[Contract] = []
        self.rooms: dict[str, dict[str, str]] = {}
        self.revs: dict[str, int] = {}
        self.gaps: set[str] = set()
        self.left_at: dict[str, float] = {}
        self._feed = Feed(
            url,
            "test facts",
            heartbeat=6,
            prefix="gateway.test",
            accepts=accept(PresenceChanged, UserRenamed),
            handler=self._take,
            on_reset=lambda: None,
        )
        self._running = asyncio.create_task(self._feed.run())

    async def open(self) -> None:
        for number in range(PARTITIONS):
            await self._feed.bind(EVENTS, f"room.{number}")
        await self._feed.bind(EVENTS, "user.renamed")

    async def close(self) -> None:
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)

    @property
    def renamed(self) -> list[UserRenamed]:
        return [f for f in self.facts if isinstance(f, UserRenamed)]

    def ids(self, room: str) -> set[str]:
        return set(self.rooms.get(room, ()))

    async def catch_up(self, http: httpx.AsyncClient) -> None:
        """Compare revs and fetch the members of rooms that differ, as gateways do every few seconds."""
        revs = (await http.post("/revs", json={"rooms": list(self.rooms)})).json()["revs"]
        for room in {r for r, rev in revs.items() if rev != self.revs[r]} | self.gaps:
            found = await members(http, room)
            self.rooms[room] = {m["id"]: m["name"] for m in found["members"]}
            self.revs[room] = found["rev"]
        self.gaps.clear()

    def _take(self, events: Sequence[Event]) -> None:
        for fact in (e.data for e in events if e.data is not None):
            self.facts.append(fact)
            if isinstance(fact, PresenceChanged) and fact.rev > self.revs.get(fact.room, 0):
                self._apply(fact)

    def _apply(self, fact: PresenceChanged) -> None:
        room = self.rooms.setdefault(fact.room, {})
        if fact.rev != self.revs.get(fact.room, 0) + 1:
            self.gaps.add(fact.room)
        self.revs[fact.room] = fact.rev
        for member in (*fact.joined, *fact.changed):
            room[member.id] = member.name
        for member in fact.left:
            room.pop(member.id, None)
            self.left_at[member.id] = asyncio.get_running_loop().time()


def _key(signal: Contract) -> str:
    room = getattr(signal, "room", None)
    if room is not None:
        return room_key("signal", room, PARTITIONS)
    return {GatewayBeat: "gateway.beat", RenameUser: "user.rename"}.get(type(signal), "session.closed")


async def members(http: httpx.AsyncClient, room: str, **options: Any) -> dict[str, Any]:
    answer = await http.post("/members", json={"rooms": [room], **options})
    assert answer.status_code == httpx.codes.OK, answer.text
    found: dict[str, Any] = answer.json()["rooms"][room]
    return found


async def names(http: httpx.AsyncClient, *users: str) -> dict[str, str]:
    found: dict[str, str] = (await http.post("/names", json={"users": users})).json()["names"]
    return found


async def ids(http: httpx.AsyncClient, room: str) -> set[str]:
    return {m["id"] for m in (await members(http, room))["members"]}


@pytest.fixture
async def gateways(space: Space, wire: Wire) -> AsyncIterator[Gateways]:
    await wire.declare(space.topology)
    gateways = Gateways(space.amqp_url)
    yield gateways
    await gateways.close()


@pytest.fixture
async def client(space: Space, gateways: Gateways) -> AsyncIterator[Client]:
    client = Client(space.amqp_url)
    await client.open()
    yield client
    await client.close()


@pytest.fixture
def start(services: Services) -> Callable[[], Any]:
    async def start() -> Running:
        return await services.start(build, PresenceSettings, lease=LEASE)

    return start


Start = Callable[[], Any]


async def test_members_follow_the_signals_and_clients_follow_the_facts(
    start: Start, gateways: Gateways, client: Client
) -> None:
    http = (await start()).http
    gateways.alive("g1")
    await gateways.send(joined("s1", "ann", ODD_ROOM, 1), joined("s2", "ann", ODD_ROOM, 2), joined("s3", "bob", "b", 3))
    await eventually(lambda: client.ids(ODD_ROOM) == {"ann"} and client.ids("b") == {"bob"})
    assert await members(http, ODD_ROOM) == {
        "members": [{"id": "ann", "name": "ann", "status": "online"}],
        "count": 1,
        "rev": 1,
    }
    await gateways.send(left("s1", "ann", ODD_ROOM, 4), closed("s3", "bob", 5))
    await eventually(lambda: client.rooms["b"] == {})
    assert await ids(http, ODD_ROOM) == {"ann"}, "another device is still there"
    await gateways.send(closed("s2", "ann", 6))
    await eventually(lambda: client.rooms[ODD_ROOM] == {})
    assert await members(http, ODD_ROOM) == {"members": [], "count": 0, "rev": 2}
    revs = (await http.post("/revs", json={"rooms": [ODD_ROOM, "b", "never"]})).json()
    assert revs == {"revs": {ODD_ROOM: 2, "b": 2, "never": 0}}


async def test_when_one_was_last_online_is_known_also_after_a_restart_and_by_a_standby(
    start: Start, gateways: Gateways, client: Client
) -> None:
    running = await start()
    gateways.alive("g1")
    here = [joined("s1", "ann", "general", 1), joined("s2", "bob", "general", 2), joined("s3", "cyd", "general", 3)]
    await gateways.send(*here, turned("s2", "bob", "away", 4), closed("s3", "cyd", 5))
    await eventually(lambda: client.ids("general") == {"ann", "bob"})
    wanted = {
        "ann": {"id": "ann", "name": "ann", "status": "online"},
        "bob": {"id": "bob", "name": "bob", "status": "away", "seen": "2026-11-23T08:00:00.004Z"},
        "cyd": {"id": "cyd", "name": "cyd", "status": "offline", "seen": "2026-11-23T08:00:00.005Z"},
    }

    async def known(http: httpx.AsyncClient) -> bool:
        people = (await http.post("/people", json={"users": [*wanted, "nobody"]})).json()["people"]
        here = {m["id"]: m for m in (await members(http, "general"))["members"]}
        return people == wanted and here == {u: m for u, m in wanted.items() if u != "cyd"}

    await eventually(lambda: known(running.http))
    standby = await start()
    assert await known(standby.http)
    await running.stop()
    await gateways.send(joined("s4", "dan", "general", 9))
    await eventually(lambda: "dan" in client.ids("general"))
    people = (await standby.http.post("/people", json={"users": list(wanted)})).json()["people"]
    assert people == wanted, "it has taken over what was stored"


async def test_a_large_room_is_counted_and_shown_by_pages(start: Start, gateways: Gateways, client: Client) -> None:
    http = (await start()).http
    rows = [row(f"s{i}", f"u{i}", "hall") for i in range(1500)]
    await gateways.send(*table("g1", 1, rows, parts=4))
    await eventually(lambda: len(client.ids("hall")) == 1500, 20)
    assert await members(http, "hall", limit=1499) == {"members": None, "count": 1500, "rev": 1}
    assert len((await members(http, "hall", limit=1500))["members"]) == 1500
    seen: list[str] = []
    more = True
    while more:
        wanted = {"room": "hall", "after": seen[-1] if seen else "", "limit": 400}
        page = (await http.post("/members/page", json=wanted)).json()
        seen += [m["id"] for m in page["members"]]
        more = page["truncated"]
        assert page["count"] == 1500
    assert seen == sorted(f"u{i}" for i in range(1500))
    assert [type(f) for f in client.facts] == [PresenceChanged], "one fact for all of them"


async def test_only_holders_of_the_service_token_may_ask(start: Start, gateways: Gateways) -> None:
    running = await start()
    async with httpx.AsyncClient(base_url=running.url) as stranger:
        assert (await stranger.post("/members", json={"rooms": []})).status_code == httpx.codes.UNAUTHORIZED
        assert (await stranger.post("/revs", json={"rooms": []})).status_code == httpx.codes.UNAUTHORIZED
        assert (await stranger.post("/names", json={"users": []})).status_code == httpx.codes.UNAUTHORIZED


async def test_a_rename_is_told_once_and_kept_for_ever(start: Start, gateways: Gateways, client: Client) -> None:
    running = await start()
    assert await names(running.http, "idp/ann") == {}
    await gateways.send(joined("s1", "idp/ann", "general", 1, name="Ann"))
    sent = await gateways.send(rename("idp/ann", "Ann", "Queen", 2))
    await eventually(lambda: client.renamed and client.rooms["general"] == {"idp/ann": "Queen"})
    [fact] = client.renamed
    assert (fact.user.name, fact.was, fact.rooms) == ("Queen", "Ann", ("general",))
    assert await names(running.http, "idp/ann", "bob") == {"idp/ann": "Queen"}
    await gateways.send(rename("idp/ann", "Queen", "Queen", 3), closed("s1", "idp/ann", 4))
    await eventually(lambda: client.rooms["general"] == {})
    assert len(client.renamed) == 1
    await running.stop()
    http = (await start()).http
    await gateways.send(joined("s2", "idp/ann", "general", 5, name="Ann"))
    await eventually(lambda: client.rooms["general"] == {"idp/ann": "Queen"})
    assert await names(http, "idp/ann") == {"idp/ann": "Queen"}
    assert len(sent) == 1


async def test_what_comes_twice_changes_nothing_the_second_time(
    start: Start, gateways: Gateways, client: Client
) -> None:
    http = (await start()).http
    sent = await gateways.send(joined("s1", "ann", "general", 1), joined("s2", "bob", "general", 2))
    sent += await gateways.send(left("s2", "bob", "general", 3), rename("ann", "ann", "Queen", 4))
    await eventually(lambda: client.renamed and client.rooms["general"] == {"ann": "Queen"})
    before = await members(http, "general")
    await gateways.again(sent)
    await gateways.send(joined("s9", "end", "elsewhere", 9))
    await eventually(lambda: client.ids("elsewhere") == {"end"})
    assert await members(http, "general") == before
    assert client.revs["general"] == before["rev"]


async def test_members_and_revs_are_there_after_a_restart(start: Start, gateways: Gateways, client: Client) -> None:
    running = await start()
    await gateways.send(*(joined(f"s{i}", f"u{i}", "general", i) for i in range(30)))
    await eventually(lambda: len(client.ids("general")) == 30)
    before = await members(running.http, "general")
    await running.stop()
    again = await start()
    from_store = await members(again.http, "general")
    assert (from_store["rev"], from_store["count"]) == (before["rev"], 30)
    assert sorted(m["id"] for m in from_store["members"]) == sorted(m["id"] for m in before["members"])
    await gateways.send(left("s0", "u0", "general", 100))
    await eventually(lambda: client.revs["general"] == before["rev"] + 1)
    assert await ids(again.http, "general") == client.ids("general")


async def test_a_silent_gateway_is_gone_after_its_lease_and_its_late_signals_with_it(
    start: Start, gateways: Gateways, client: Client
) -> None:
    http = (await start()).http
    gateways.alive("g1")
    gateways.alive("g2")
    await gateways.send(joined("s1", "ann", "general", 1), joined("s2", "bob", "general", 2, gateway="g2"))
    await eventually(lambda: client.ids("general") == {"ann", "bob"})
    beats = gateways.beats
    await eventually(lambda: gateways.beats >= beats + 4 * LEASE / BEAT, 30, what="two leases of beats")
    assert client.ids("general") == {"ann", "bob"}
    await gateways.silent("g1")
    await eventually(lambda: client.ids("general") == {"bob"}, LEASE + 15)
    assert client.left_at["ann"] - gateways.last_beat["g1"] >= LEASE
    await gateways.send(joined("s3", "ann", "general", 3), beat("g1", 4))
    await gateways.send(joined("s4", "cyd", "general", 5, gateway="g2"))
    await eventually(lambda: client.ids("general") == {"bob", "cyd"})
    assert await ids(http, "general") == {"bob", "cyd"}
    await gateways.send(*table("g1", 6, [row("s1", "ann", "general"), row("s3", "dan", "general")], parts=2))
    await eventually(lambda: client.ids("general") == {"ann", "bob", "cyd", "dan"})


async def test_while_presence_is_down_nobody_expires(
    start: Start, gateways: Gateways, client: Client, wire: Wire
) -> None:
    running = await start()
    gateways.alive("g1")
    await gateways.send(joined("s1", "ann", "general", 1), joined("s2", "bob", "general", 2, gateway="silent"))
    await eventually(lambda: client.ids("general") == {"ann", "bob"})
    await running.stop()

    async def backlog() -> bool:
        return await wire.depth("presence.events") >= 2 * LEASE / BEAT

    await eventually(backlog, 30, what="two leases of beats wait")
    began = asyncio.get_running_loop().time()
    await start()
    await eventually(lambda: client.ids("general") == {"ann"}, LEASE + 15)
    assert client.left_at["bob"] - began >= LEASE, "the silent one got a whole lease from the start on"


async def test_a_standby_reads_the_same_and_takes_over(start: Start, gateways: Gateways, client: Client) -> None:
    gateways.alive("g1")
    first = await start()
    await gateways.send(joined("s1", "ann", "general", 1))
    await eventually(lambda: client.ids("general") == {"ann"})
    second = await start()
    await gateways.send(joined("s2", "bob", "general", 2))
    await eventually(lambda: client.ids("general") == {"ann", "bob"})
    assert await members(second.http, "general") == await members(first.http, "general")
    beats = gateways.beats
    await eventually(lambda: gateways.beats >= beats + 2 * LEASE / BEAT, 30, what="a lease of beats and more")
    assert client.ids("general") == {"ann", "bob"}, "the standby hears no beats, and expires nobody"
    await first.stop()
    await gateways.send(left("s1", "ann", "general", 3), rename("bob", "bob", "Bob II", 4))
    await eventually(lambda: client.rooms["general"] == {"bob": "Bob II"})
    found = await members(second.http, "general")
    assert (found["members"], found["rev"]) == (
        [{"id": "bob", "name": "Bob II", "status": "online"}],
        client.revs["general"],
    )
    assert client.gaps == set()


@contextmanager
def presence_process(space: Space, port: int) -> Iterator[subprocess.Popen[bytes]]:
    env = {**os.environ, **space.env(port=port, lease=LEASE, log_level="warning")}
    process = subprocess.Popen([sys.executable, "-m", "presence"], env=env, stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@asynccontextmanager
async def asking(space: Space, port: int) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": f"Bearer {space.service_token}"}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=10) as http:
        yield http


async def test_killed_again_and_again_in_the_middle_of_a_stream(
    space: Space, gateways: Gateways, client: Client
) -> None:
    """Whatever a kill cuts short: in the end members, facts and truth are one, and revs were never given twice."""
    truth: dict[str, set[str]] = {f"r{i}": set() for i in range(5)}
    done = asyncio.Event()

    async def stream() -> None:
        sent = 0
        while not done.is_set():
            sent += 1
            user, room = f"u{sent % 37}", f"r{sent % 5}"
            signals: list[SessionSignal] = []
            if user in truth[room]:
                truth[room].remove(user)
                signals.append(left(f"s-{user}", user, room, gateways.ms()))
            else:
                truth[room].add(user)
                signals.append(joined(f"s-{user}", user, room, gateways.ms()))
            await gateways.send(*signals)

    gateways.alive("g1")
    port = free_port()
    streaming = asyncio.create_task(stream())
    for _ in range(3):
        with presence_process(space, port) as process:
            told = len(client.facts)
            await eventually(lambda told=told: len(client.facts) > told + 20, 60, what="facts flow")  # type: ignore[misc]
            process.send_signal(signal.SIGKILL)
            process.wait()
    done.set()
    await streaming
    with presence_process(space, port):
        async with asking(space, port) as http:

            async def settled() -> bool:
                try:
                    return all([await ids(http, room) == users for room, users in truth.items()])
                except httpx.TransportError:
                    return False

            await eventually(settled, 60)
            await client.catch_up(http)
            await eventually(lambda: {r: client.ids(r) for r in truth} == truth)
    contents: dict[tuple[str, int], set[PresenceChanged]] = {}
    for fact in client.facts:
        if isinstance(fact, PresenceChanged):
            contents.setdefault((fact.room, fact.rev), set()).add(fact)
    assert all(len(told) == 1 for told in contents.values()), "a rev means one change for ever"
