"""The chat service on a real broker and store: order, identity, crashes between the steps, history."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import orjson
import pytest
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import monitoring

from chat.app import build
from chat.committing import GroupCommit
from chat.handlers import Partition
from chat.listing import MAX_LISTED, RoomList
from chat.model import Entry, KnownError
from chat.repository import MARK_EVERY, Entries, Wanted
from chat.settings import ChatSettings
from tests.support.services import Running, Services
from tests.support.space import PARTITIONS, Space
from tests.support.waiting import eventually
from tests.support.wire import Wire
from warren.contracts import User, now
from warren.contracts.base import Contract
from warren.contracts.commands import DeleteMessage, EditMessage, PostMessage
from warren.contracts.frames import MAX_SEQ
from warren.envelope import Event, event
from warren.errors import DeposedError
from warren.ids import uuid7
from warren.messaging.codec import split
from warren.storage import Mongo
from warren.topology import COMMANDS, EVENTS, dead_queue, partition, room_key

ANN = User(id="ann", name="Ann")
BOB = User(id="bob", name="Bob")


def command(room: str, message: str, body: str = "hello", user: User = ANN) -> Event:
    data = PostMessage(room=room, id=message, user=user, time=now(), body=body)
    trace = f"00-{uuid7().replace('-', '')}-{'b' * 16}-00"
    return event(data, COMMANDS, room_key("chat", room, PARTITIONS), traceparent=trace)


async def say(wire: Wire, one: Event) -> None:
    await wire.publish(
        one.exchange, one.routing_key, one.body, type=one.type, message_id=one.id, headers=dict(one.headers),
        content_type="application/json",
    )  # fmt: skip


@pytest.fixture
async def chat(services: Services, wire: Wire, space: Space) -> Running:
    await wire.declare(space.topology, "audit")
    return await services.start(build, ChatSettings)


@pytest.fixture
async def entries(space: Space) -> Entries:
    mongo = Mongo(space.mongo_url, f"{space.database_prefix}chat", "test")
    entries = Entries(mongo.database)
    await entries.prepare()
    return entries


async def history(chat: Running, room: str, **query: int) -> dict[str, object]:
    answer = await chat.http.post("/pages", json={"pages": [{"room": room, **query}]})
    answer.raise_for_status()
    page: dict[str, object]
    [page] = answer.json()["pages"]
    return page


async def test_commands_become_facts_in_dense_order_with_their_trace(chat: Running, wire: Wire) -> None:
    facts = await wire.collect(EVENTS, "room.#")
    sent = [command("r", f"m{n}", f"body {n}") for n in range(30)]
    for one in sent:
        await say(wire, one)
    told: list[Event] = []
    while len(told) < len(sent):
        told += split(await wire.take(facts))  # under load, several come in one bundle
    for n, (one, fact) in enumerate(zip(sent, told, strict=True)):
        body = orjson.loads(fact.body)
        assert (body["seq"], body["id"], body["body"]) == (n + 1, f"m{n}", f"body {n}")
        assert fact.type == "message.posted.v1"
        assert fact.correlation_id == one.id
        assert fact.headers["traceparent"] == one.headers["traceparent"]


async def test_an_id_sent_again_is_told_again_as_it_was(chat: Running, wire: Wire) -> None:
    facts = await wire.collect(EVENTS, "room.#")
    await say(wire, command("r", "once", "first"))
    first = await wire.take(facts)
    await say(wire, command("r", "once", "second"))
    again = await wire.take(facts)
    assert again.body == first.body
    assert again.headers["traceparent"] == first.headers["traceparent"]
    page = await history(chat, "r")
    assert page["seq"] == 1


async def test_death_between_store_and_publish_loses_no_fact(space: Space, entries: Entries) -> None:
    """The batch is delivered again to a process that knows nothing: the same facts, no new entries."""

    class Facts:
        def __init__(self, *, broken: bool) -> None:
            self.broken = broken
            self.told: list[Event] = []

        async def publish_all(self, events: Sequence[Event]) -> None:
            if self.broken:
                raise ConnectionError("killed here")
            self.told += events

    batch = [command("r", f"m{n}") for n in range(5)]
    dying = Partition(0, PARTITIONS, GroupCommit(entries), Facts(broken=True))
    with pytest.raises(ConnectionError):
        await dying.handle(batch)
    facts = Facts(broken=False)
    await Partition(0, PARTITIONS, GroupCommit(entries), facts).handle(batch)
    assert [orjson.loads(e.body)["seq"] for e in facts.told] == [1, 2, 3, 4, 5]
    assert await entries.heads(["r"]) == {"r": 5}


def entry(room: str, seq: int, message: str) -> Entry:
    return Entry(room, seq, message, ANN, "x", now())


async def test_two_writers_cannot_both_win(entries: Entries) -> None:
    log = GroupCommit(entries)
    await log.append([entry("r", 1, "a")])
    with pytest.raises(DeposedError):
        await log.append([entry("r", 1, "b"), entry("r", 2, "c")])
    with pytest.raises(KnownError):
        await log.append([entry("r", 2, "a")])
    assert await entries.heads(["r"]) == {"r": 1}


async def test_groups_that_are_written_together_fail_alone(entries: Entries) -> None:
    await GroupCommit(entries).append([entry("b", 1, "there"), entry("d", 1, "there")])
    groups = [
        [entry("a", 1, "1"), entry("a", 2, "2")],
        [entry("b", 2, "new"), entry("b", 3, "there"), entry("b", 4, "after")],
        [entry("c", 1, "1")],
        [entry("d", 1, "other")],
        [entry("e", 1, "1"), entry("e", 2, "2")],
    ]
    fared = await entries.append(groups)
    assert [type(f) for f in fared] == [type(None), KnownError, type(None), DeposedError, type(None)]
    assert await entries.heads("abcde") == {"a": 2, "b": 1, "c": 1, "d": 1, "e": 2}, "a refused group is refused whole"


async def test_what_arrives_during_a_write_goes_out_together_with_the_next(entries: Entries) -> None:
    class Slow:
        def __init__(self) -> None:
            self.sizes: list[int] = []
            self.go_on = asyncio.Event()

        async def append(self, groups: Sequence[Sequence[Entry]]) -> list[Exception | None]:
            self.sizes.append(len(groups))
            await self.go_on.wait()
            return await entries.append(groups)

    slow = Slow()
    log = GroupCommit(slow)  # type: ignore[arg-type]  # it needs no more of its store here
    first = asyncio.create_task(log.append([entry("lone", 1, "m")]))
    await eventually(lambda: slow.sizes == [1], what="the lone write leaves at once")
    others = asyncio.gather(*[log.append([entry(f"room {n}", 1, "m")]) for n in range(19)])
    await asyncio.sleep(0)
    slow.go_on.set()
    await asyncio.gather(first, others)
    assert slow.sizes == [1, 19]


async def test_a_deposed_writer_reads_the_head_again(entries: Entries) -> None:
    class Facts:
        async def publish_all(self, events: Sequence[Event]) -> None: ...

    slow, fast = (Partition(0, PARTITIONS, GroupCommit(entries), Facts()) for _ in range(2))
    await slow.handle([command("r", "1")])
    await fast.handle([command("r", "2")])
    await slow.handle([command("r", "3")])
    [page] = await entries.pages([Wanted("r", after=0)])
    assert [(e.seq, e.id) for e in page.entries] == [(1, "1"), (2, "2"), (3, "3")]


async def test_pages_of_history(chat: Running, wire: Wire) -> None:
    total = MARK_EVERY + 37  # beyond a mark
    for n in range(1, total + 1):
        await say(wire, command("r", f"m{n}"))

    async def whole() -> bool:
        return (await history(chat, "r"))["seq"] == total

    await eventually(whole, 20)

    def seqs(page: dict[str, object]) -> list[int]:
        return [e["seq"] for e in page["entries"]]  # type: ignore[attr-defined]  # JSON

    newest = await history(chat, "r", limit=10)
    assert (seqs(newest), newest["truncated"]) == (list(range(total - 9, total + 1)), True)
    before = await history(chat, "r", before=6, limit=10)
    assert (seqs(before), before["truncated"]) == ([1, 2, 3, 4, 5], False)
    after = await history(chat, "r", after=3, limit=4)
    assert (seqs(after), after["truncated"]) == ([4, 5, 6, 7], True)
    end = await history(chat, "r", after=total - 2, limit=4)
    assert (seqs(end), end["truncated"]) == ([total - 1, total], False)
    beyond = await history(chat, "r", after=total + 100)
    assert (seqs(beyond), beyond["seq"], beyond["truncated"]) == ([], total, False)
    between = await history(chat, "r", after=3, before=6)
    assert seqs(between) == [4, 5]
    nowhere = await history(chat, "no-such-room")
    assert nowhere == {"entries": [], "seq": 0, "truncated": False}


async def test_any_page_is_what_a_list_would_give(entries: Entries) -> None:
    chance = random.Random(7)
    log = list(range(1, 5 * MARK_EVERY))
    rest = [entry("r", seq, f"m{seq}") for seq in log]
    while rest:
        size = chance.choice((1, 1, 2, 30, 90))
        assert await entries.append([rest[:size]]) == [None]
        rest = rest[size:]
    moments = [None, *(chance.randrange(1, len(log) + 150) for _ in range(12)), len(log), len(log) + 1]
    wanted = [Wanted("r", a, b, chance.choice((1, 50, 200))) for a in moments for b in moments]
    for asked, page in zip(wanted, await entries.pages(wanted), strict=True):
        found = [s for s in log if (asked.after or 0) < s < (asked.before or MAX_SEQ)]
        shown = found[: asked.limit] if asked.after is not None else found[-asked.limit :]
        assert [e.seq for e in page.entries] == shown, asked
        assert (page.seq, page.truncated) == (len(log), len(found) > len(shown)), asked


class Asked(monitoring.CommandListener):
    """Collects the filters that the log is searched by."""

    def __init__(self) -> None:
        self.filters: list[Any] = []

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        if event.command.get("find") == "log":
            self.filters.append(event.command["filter"])

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Nothing to note."""

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Nothing to note."""


async def test_changes_have_their_place_and_deleting_blanks_the_store(
    chat: Running, wire: Wire, entries: Entries
) -> None:
    facts = await wire.collect(EVENTS, "room.#")
    await say(wire, command("r", "m1", "secret"))
    about = {"room": "r", "user": ANN, "time": now()}
    changes: list[tuple[Contract, str]] = [
        (EditMessage(**about, id="m2", target=1, body="secret too"), "message.edited.v1"),
        (EditMessage(**about, id="m3", target=9, body="x"), "message.rejected.v1"),
        (EditMessage(**{**about, "user": BOB}, id="m4", target=1, body="x"), "message.rejected.v1"),
        (DeleteMessage(**about, id="m5", target=1), "message.deleted.v1"),
        (EditMessage(**about, id="m6", target=1, body="too late"), "message.rejected.v1"),
        (EditMessage(**about, id="m2", target=1, body="again"), "message.edited.v1"),
    ]
    await wire.take(facts)
    told = []
    for data, _ in changes:
        await say(wire, event(data, COMMANDS, room_key("chat", "r", PARTITIONS)))
        told.append(await wire.take(facts))
    assert [t.type for t in told] == [kind for _, kind in changes]
    bodies = [orjson.loads(t.body) for t in told]
    assert [b.get("seq") for b in bodies] == [2, None, None, 3, None, 2]
    assert [b.get("code") for b in bodies] == [None, "bad_target", "not_yours", None, "bad_target", None]
    page = await history(chat, "r")
    rows: Any = page["entries"]
    assert [(e["type"], e["seq"], e.get("target"), e.get("body")) for e in rows] == [
        ("message", 1, None, ""),
        ("edited", 2, 1, ""),
        ("deleted", 3, 1, None),
    ]


async def test_death_before_the_store_was_blanked_leaves_nothing_behind(space: Space, entries: Entries) -> None:
    """The command is delivered again: the body goes then, although its entry is stored already."""

    class Facts:
        async def publish_all(self, events: Sequence[Event]) -> None:
            """Take them."""

    class Dying(GroupCommit):
        async def amend(self, changes: Sequence[Entry]) -> None:
            raise ConnectionError("killed here")

    post = command("r", "m1", "secret")
    about = {"room": "r", "user": ANN, "time": now(), "target": 1}
    gone = event(DeleteMessage(**about, id="m2"), COMMANDS, room_key("chat", "r", PARTITIONS))
    dying = Partition(0, PARTITIONS, Dying(entries), Facts())
    await dying.handle([post])
    with pytest.raises(ConnectionError):
        await dying.handle([gone])
    await Partition(0, PARTITIONS, GroupCommit(entries), Facts()).handle([gone])
    [page] = await entries.pages([Wanted("r")])
    assert [(e.kind, e.body, e.gone) for e in page.entries] == [("message", "", True), ("deleted", "", False)]


async def test_no_read_looks_through_the_log(space: Space, entries: Entries) -> None:
    total = 4 * MARK_EVERY
    await entries.append([[entry("r", n, f"m{n}") for n in range(1, total + 1)]])
    asked = Asked()
    client: AsyncIOMotorClient[Any] = AsyncIOMotorClient(space.mongo_url, event_listeners=[asked])
    database = client[f"{space.database_prefix}chat"]
    reader = Entries(database)
    assert await reader.known([("r", "ann", "m1")])
    assert all(p.entries for p in await reader.pages([Wanted("r"), Wanted("r", after=1), Wanted("r", before=50)]))
    assert await reader.heads(["r"]) == {"r": total}
    assert [e.seq for e in (await reader.newest(await reader.active(10))).values()] == [total]
    assert len(asked.filters) == 8
    for wanted in asked.filters:
        explained = await database.command("explain", {"find": "log", "filter": wanted})
        assert "IXSCAN" in str(explained["queryPlanner"]["winningPlan"]), wanted
    client.close()


async def test_heads_are_right_before_and_after_a_restart(chat: Running, wire: Wire, services: Services) -> None:
    for room, count in (("a", 3), ("b", 1)):
        for n in range(count):
            await say(wire, command(room, f"m{n}"))

    async def heads(service: Running) -> dict[str, int]:
        found: dict[str, int] = (await service.http.post("/heads", json={"rooms": ["a", "b", "c"]})).json()["heads"]
        return found

    async def right() -> bool:
        return await heads(chat) == {"a": 3, "b": 1, "c": 0}

    await eventually(right)
    await chat.stop()
    again = await services.start(build, ChatSettings)
    assert await heads(again) == {"a": 3, "b": 1, "c": 0}
    facts = await wire.collect(EVENTS, "room.#")
    await say(wire, command("a", "next"))
    assert orjson.loads((await wire.take(facts)).body)["seq"] == 4


async def test_a_bad_command_is_parked_and_good_ones_flow(chat: Running, wire: Wire) -> None:
    facts = await wire.collect(EVENTS, "room.#")
    key = room_key("chat", "r", PARTITIONS)
    await wire.publish(COMMANDS, key, b"{}", type="message.post.v1", message_id="bad", content_type="application/json")
    await say(wire, command("r", "good"))
    assert orjson.loads((await wire.take(facts)).body)["id"] == "good"
    dead = await wire.take(dead_queue("chat"))
    assert dead.message_id == "bad"
    assert dead.headers["x-warren-cause"] == "ContractError"
    assert await wire.depth(dead_queue("chat")) == 0


async def test_rooms_the_most_recently_active_first(chat: Running, wire: Wire) -> None:
    for room in ("old", "newer", "newest"):
        await say(wire, command(room, "m"))
        await asyncio.sleep(0.002)  # two commands of one millisecond have no order

    async def listed() -> bool:
        rooms = (await chat.http.get("/rooms")).json()["rooms"]
        return [r["room"] for r in rooms] == ["newest", "newer", "old"]

    await eventually(listed)


async def test_of_many_rooms_those_that_were_active_last_are_listed(chat: Running, wire: Wire, space: Space) -> None:
    """However many there are, a room in which something was said is at the top."""
    facts = await wire.collect(EVENTS, "room.#")
    many, start = MAX_LISTED + 100, now() - timedelta(days=90)
    at = start
    entries = Entries(Mongo(space.mongo_url, f"{space.database_prefix}chat", "test").database, lambda: at)
    for n in range(0, many, 100):
        at = start + timedelta(minutes=n)
        some = [[replace(entry(f"old-{m}", 1, "m"), time=start + timedelta(minutes=m))] for m in range(n, n + 100)]
        assert not any(await entries.append(some))
    for room in ("new", "old-7"):
        await say(wire, command(room, "said"))
        await wire.take(facts)
    rooms = (await chat.http.get("/rooms", params={"limit": 200}, timeout=60)).json()["rooms"]
    wanted = [("old-7", 2), ("new", 1), *((f"old-{n}", 1) for n in range(many - 1, many - 199, -1))]
    assert [(r["room"], r["seq"]) for r in rooms] == wanted


async def test_the_list_asks_the_store_once_about_a_room_written_here_or_quiet(space: Space, entries: Entries) -> None:
    class Facts:
        async def publish_all(self, events: Sequence[Event]) -> None:
            """Take them."""

    here = {partition(room, PARTITIONS) for room in ("a", "b")}
    c = next(room for room in "cdefghijklmnopqrstuvwxyz" if partition(room, PARTITIONS) not in here)
    await entries.append([[entry(room, 1, "before")] for room in ("a", "b", c)])
    asked = Asked()
    client: AsyncIOMotorClient[Any] = AsyncIOMotorClient(space.mongo_url, event_listeners=[asked], tz_aware=True)
    reader = Entries(client[f"{space.database_prefix}chat"])
    later = timedelta()
    partitions = [Partition(n, PARTITIONS, GroupCommit(entries), Facts()) for n in range(PARTITIONS)]
    look = RoomList(reader, partitions, lambda: now() + later)

    async def said(room: str, message: str) -> None:
        await partitions[partition(room, PARTITIONS)].handle([command(room, message)])

    for room in ("a", "b"):
        await said(room, "m1")
    await look()
    asked.filters.clear()
    await said("a", "m2")
    await said("a", "m3")
    assert [(row.room, row.seq) for row in await look()] == [("a", 4), ("b", 2), (c, 1)]
    assert {f["room"] for f in asked.filters} == {c}, "nobody writes to it here: another process might"

    later = timedelta(minutes=3)
    assert [(row.room, row.seq) for row in await look()] == [("a", 4), ("b", 2), (c, 1)]
    asked.filters.clear()
    assert [(row.room, row.seq) for row in await look()] == [("a", 4), ("b", 2), (c, 1)]
    assert not asked.filters, "whoever writes to a room that was quiet moves its mark"
    another = Entries(client[f"{space.database_prefix}chat"], lambda: now() + later)
    await another.append([[entry(c, 2, "by another process")]])
    assert [(row.room, row.seq) for row in await look()] == [(c, 2), ("a", 4), ("b", 2)]

    partitions[partition("b", PARTITIONS)].give_up()
    await entries.append([[entry("b", 3, "by another process")]])
    assert [(row.room, row.seq) for row in await look()] == [("b", 3), (c, 2), ("a", 4)]
    client.close()
