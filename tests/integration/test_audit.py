"""The audit service on a real broker and store: everything is recorded, once, and no change goes unseen."""

from __future__ import annotations

import asyncio
import hashlib
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from motor.motor_asyncio import AsyncIOMotorClient

from audit import app as audit_app
from audit.app import build
from audit.repository import Records
from audit.settings import AuditSettings
from tests.support.services import Running, Services
from tests.support.space import Space
from tests.support.waiting import eventually
from tests.support.wire import Wire
from warren.contracts import User, now
from warren.contracts.commands import PostMessage
from warren.contracts.events import MessagePosted
from warren.errors import DependencyDownError
from warren.ids import uuid7
from warren.messaging.codec import BUNDLE, BUNDLE_TYPE
from warren.storage import Database, Document
from warren.topology import COMMANDS, EVENTS, dead_queue

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE}-00f067aa0ba902b7-00"


@pytest.fixture
async def audit(services: Services) -> Running:
    return await services.start(build, AuditSettings, audit_seal_interval=0.05)


@pytest.fixture
async def store(space: Space) -> AsyncIterator[Database]:
    """The audit's own database, past the service."""
    client: AsyncIOMotorClient[Document] = AsyncIOMotorClient(space.mongo_url)
    yield client[f"{space.database_prefix}audit"]
    client.close()


def command(number: int, room: str = "general", user: str = "ada") -> bytes:
    post = PostMessage(
        room=room, id=f"m-{number}", user=User(id=user, name=user.title()), time=now(), body=f"hello {number}"
    )
    return post.model_dump_json().encode()


async def post(wire: Wire, number: int, trace: str = TRACE, **where: str) -> str:
    """Publish a command as a gateway does; returns its AMQP id."""
    message_id = uuid7()
    await wire.publish(
        COMMANDS,
        "chat.0",
        command(number, **where),
        message_id=message_id,
        type=PostMessage.TYPE,
        app_id="gateway",
        timestamp=now(),
        content_type="application/json",
        headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-00"},
    )
    return message_id


async def records(audit: Running, **query: Any) -> list[dict[str, Any]]:
    answer = await audit.http.get("/records", params={"limit": 1000, "order": "oldest", **query})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["records"]
    return found


async def recorded(audit: Running, count: int, **query: Any) -> list[dict[str, Any]]:
    """Wait for so many records, and return them."""

    async def enough() -> list[dict[str, Any]] | None:
        found = await records(audit, **query)
        return found if len(found) >= count else None

    return await eventually(enough, 15, what=f"{count} records of {query}")


async def verified(audit: Running, **query: str) -> dict[str, Any]:
    answer = await audit.http.get("/verify", params=query)
    assert answer.status_code == 200, answer.text
    result: dict[str, Any] = answer.json()
    return result


async def sealed(audit: Running) -> dict[str, Any]:
    """Wait until the only chain is sealed to its end, but for what holds seals only; returns its summary."""

    async def done() -> dict[str, Any] | None:
        (chain,) = (await audit.http.get("/chains")).json()["chains"]
        seals = await records(audit, type="audit.sealed.v1")
        told = {orjson.loads(s["body"])["n"] for s in seals}
        return chain if chain["sealed"] in told else None

    return await eventually(done, 10, what="the seal is recorded")


async def warren(*arguments: str, space: Space) -> tuple[int, str, str]:
    """Run the command line as a user does; returns exit code, output and complaints."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "warren.cli.main"),
        *arguments,
        env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "WARREN_SERVICE_TOKEN": space.service_token},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    stdout, stderr = await process.communicate()
    assert process.returncode is not None
    return process.returncode, stdout.decode(), stderr.decode()


async def test_a_command_and_its_fact_are_recorded_with_their_envelope(audit: Running, wire: Wire) -> None:
    sent = await post(wire, 1)
    fact = MessagePosted(room="general", seq=7, id="m-1", user=User(id="ada", name="Ada"), time=now(), body="hello 1")
    await wire.publish(
        EVENTS,
        "room.0",
        fact.model_dump_json().encode(),
        message_id=uuid7(),
        type=MessagePosted.TYPE,
        app_id="chat",
        correlation_id=sent,
        headers={"traceparent": TRACEPARENT},
    )

    of_command, of_fact = await recorded(audit, 2, trace=TRACE)

    assert of_command["message_id"] == sent == of_fact["correlation_id"]
    assert (of_command["exchange"], of_command["routing_key"]) == (COMMANDS, "chat.0")
    assert (of_command["type"], of_command["app"]) == ("message.post.v1", "gateway")
    assert (of_fact["exchange"], of_fact["app"]) == (EVENTS, "chat")
    for record in (of_command, of_fact):
        assert (record["room"], record["user"], record["id"], record["trace"]) == ("general", "ada", "m-1", TRACE)
        assert record["headers"] == {"traceparent": TRACEPARENT}
    assert orjson.loads(of_command["body"])["body"] == "hello 1"
    assert datetime.fromisoformat(of_command["received"]) <= now()


async def test_garbage_is_recorded_and_never_refused(audit: Running, wire: Wire) -> None:
    deep: Any = "bottom"
    for _ in range(40):
        deep = {"a.b": [deep], "$where": 1}
    hostile = {
        "dotted.key": "x",
        "$set": {"$inc": 1},
        "": "no name",
        "binary": bytearray(b"\xff\x00\xfe"),
        "when": datetime(2026, 1, 1, tzinfo=UTC),
        "deep": deep,
        "long": "y" * 50_000,
        "many": list(range(5000)),
        "float": 1.5,
        "none": None,
        "traceparent": {"not": "a string"},
    }
    garbage: list[tuple[bytes, dict[str, Any]]] = [
        (b"", {}),
        (b"not json", {"type": "message.post.v1"}),
        (b"\xff\xfe\x00\x01", {"type": "nobody.knows.v9", "message_id": "g-1"}),
        (b'{"room": 7, "user": [1], "id": {}}', {"type": "message.post.v1"}),
        (b'{"room":"' + b"r" * 70_000 + b'"}', {}),
        (b"[" * 20_000, {}),
        (b"x" * 1_000_000, {"type": "t" * 255, "message_id": "i" * 255}),
        (b"{}", {"headers": hostile}),
        (b"not a bundle", {"content_type": BUNDLE, "headers": {"x-warren-events": 3}}),
        (b'[{"properties": 1}]', {"content_type": BUNDLE}),
        (b'{"chain":"x"}', {"type": "audit.sealed.v1", "app_id": "audit"}),
    ]
    for body, properties in garbage:
        for exchange, key in ((COMMANDS, "chat.0"), (EVENTS, "any.key.at.all")):
            await wire.publish(exchange, key, body, **properties)
    await post(wire, 1)
    await recorded(audit, 1, trace=TRACE)

    async def all_of_it() -> list[dict[str, Any]] | None:
        found = [r for r in await records(audit) if r["routing_key"] != "audit.sealed"]
        return found if len(found) >= 2 * len(garbage) + 1 else None

    found = await eventually(all_of_it, 15, what="every message is recorded")

    assert len(found) == 2 * len(garbage) + 1
    binary = next(f for f in found if f["message_id"] == "g-1")
    assert (binary["encoding"], binary["body"]) == ("base64", "//4AAQ==")
    big = next(f for f in found if f["size"] == 1_000_000)
    assert big["cut"]
    assert len(big["body"]) == 65_536
    assert big["sha256"] == hashlib.sha256(b"x" * 1_000_000).hexdigest()
    kept = next(f for f in found if "dotted.key" in f["headers"])["headers"]
    assert kept["$set"] == {"$inc": 1}
    assert kept["when"] == "2026-01-01T00:00:00.000Z"
    assert len(orjson.dumps(kept)) < 30_000
    assert await wire.depth(dead_queue("audit")) == 0
    assert (await verified(audit))["ok"]


async def test_a_bundle_is_recorded_event_by_event(audit: Running, wire: Wire) -> None:
    items = [
        {
            "properties": {
                "message_id": uuid7(),
                "type": PostMessage.TYPE,
                "timestamp": "2026-11-23T05:00:00.123Z",
                "app_id": "gateway",
            },
            "headers": {"traceparent": f"00-{i:032x}-00f067aa0ba902b7-00"},
            "body": orjson.loads(command(i)),
        }
        for i in range(1, 301)
    ]
    await wire.publish(COMMANDS, "chat.0", orjson.dumps(items), content_type=BUNDLE, type=BUNDLE_TYPE)

    found = await recorded(audit, 300, room="general")

    assert [f["id"] for f in found] == [f"m-{i}" for i in range(1, 301)]
    assert found[0]["time"] == "2026-11-23T05:00:00.123Z"
    assert len({f["n"] for f in found}) == 1, "one document for one batch"


async def test_search_finds_by_each_key_in_either_order(audit: Running, wire: Wire) -> None:
    for number in range(1, 7):
        room, user = ("red", "ada") if number % 2 else ("blue", "bob")
        await post(wire, number, trace=f"{number:032x}", room=room, user=user)
    every = await recorded(audit, 6, type=PostMessage.TYPE)

    def numbers(found: list[dict[str, Any]]) -> list[str]:
        return [f["id"] for f in found]

    assert numbers(await records(audit, room="red")) == ["m-1", "m-3", "m-5"]
    assert numbers(await records(audit, room="red", order="newest", limit=2)) == ["m-5", "m-3"]
    assert numbers(await records(audit, user="bob")) == ["m-2", "m-4", "m-6"]
    assert numbers(await records(audit, user="bob", room="red")) == []
    assert numbers(await records(audit, message="m-4")) == ["m-4"]
    assert numbers(await records(audit, message=every[2]["message_id"])) == ["m-3"]
    assert numbers(await records(audit, trace=f"{5:032x}")) == ["m-5"]
    assert numbers(await records(audit, room="red", until=every[0]["received"])) == []
    assert numbers(await records(audit, room="red", since=every[0]["received"])) == ["m-1", "m-3", "m-5"]
    assert await records(audit, room="nowhere") == []


async def test_only_holders_of_the_service_token_may_read(audit: Running) -> None:
    for path in ("/records", "/chains", "/verify"):
        assert (await audit.http.get(path, headers={"Authorization": "Bearer wrong"})).status_code == 401


async def test_the_last_batch_is_sealed_and_seals_call_for_no_seal(audit: Running, wire: Wire) -> None:
    seals = await wire.collect(EVENTS, "audit.sealed")

    for number in (1, 2):
        await post(wire, number)
        await recorded(audit, number, trace=TRACE)
        chain = await sealed(audit)
        seal = orjson.loads((await wire.take(seals)).body)
        (document,) = await _documents(audit, seal["n"])
        assert (seal["chain"], seal["hash"]) == (chain["chain"], document)

    assert await wire.depth(seals) == 0, "two batches, two seals: their own records were not sealed"
    assert (await audit.http.get("/chains")).json()["chains"][0]["total"] == 4


async def _documents(audit: Running, n: int) -> list[str]:
    (chain,) = (await audit.http.get("/chains")).json()["chains"]
    found = await Records(_database(audit)).between(chain["chain"], n, n)
    return [d["hash"] for d in found]


def _database(audit: Running) -> Database:
    settings = audit.service.settings
    client: AsyncIOMotorClient[Document] = AsyncIOMotorClient(settings.mongo_url.get_secret_value())
    return client[settings.database]


async def test_draining_seals_what_was_recorded(services: Services, wire: Wire, store: Database) -> None:
    audit = await services.start(build, AuditSettings, audit_seal_interval=3600)
    await post(wire, 1)
    await recorded(audit, 1, trace=TRACE)
    await sealed(audit)
    await post(wire, 2)
    await recorded(audit, 2, trace=TRACE)

    assert await audit.stop() == 0

    (chain,) = await store["chains"].find({}).to_list(None)
    (last,) = await store["records"].find({"chain": chain["_id"], "n": chain["n"]}).to_list(None)
    assert any("m-2" in e for e in last["entries"]), "the chain is sealed up to the second message"


Append = Callable[[Records, Document], Awaitable[None]]


async def test_what_was_stored_but_not_acked_is_recorded_once(
    services: Services, space: Space, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two processes work the queue; one dies between store and ack, and a third starts later."""
    survivor = await services.start(build, AuditSettings, instance="survivor")
    stuck: list[Document] = []

    class DyingRecords(Records):
        async def append(self, document: Document) -> None:
            await super().append(document)
            stuck.append(document)
            await asyncio.Event().wait()

    monkeypatch.setattr(audit_app, "Records", DyingRecords)
    dying = await services.start(build, AuditSettings, instance="dying")
    monkeypatch.undo()
    sent: list[str] = []
    while not stuck:
        sent.append(await post(wire, len(sent)))
    dying.task.cancel()
    await asyncio.wait([dying.task])
    await services.start(build, AuditSettings, instance="newcomer")
    sent += [await post(wire, len(sent) + n) for n in range(20)]

    found = await recorded(survivor, len(sent), trace=TRACE)
    await eventually(lambda: _empty(space), 15, what="all is acked")

    found = await records(survivor, trace=TRACE)
    assert Counter(f["message_id"] for f in found) == Counter(sent)
    assert (await verified(survivor))["ok"]


async def _empty(space: Space) -> bool:
    queue = await space.management.queue(space.vhost, "audit.events")
    return bool(queue.get("messages", 1) == 0)


async def test_a_write_whose_answer_was_lost_is_not_repeated(
    services: Services, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    class DeafRecords(Records):
        deaf = 3

        async def append(self, document: Document) -> None:
            await super().append(document)
            DeafRecords.deaf -= 1
            if DeafRecords.deaf >= 0:
                raise DependencyDownError("store", "the answer was lost")

    monkeypatch.setattr(audit_app, "Records", DeafRecords)
    audit = await services.start(build, AuditSettings)
    sent = [await post(wire, n) for n in range(10)]

    found = await recorded(audit, 10, trace=TRACE)
    await eventually(lambda: DeafRecords.deaf < 0, 10, what="the store answers again")

    assert Counter(f["message_id"] for f in found) == Counter(sent)
    assert (await verified(audit))["ok"]


async def _change_body(store: Database, target: Document) -> str:
    entries = list(target["entries"])
    entries[1] = entries[1].replace("hello", "hellO")
    await store["records"].update_one({"_id": target["_id"]}, {"$set": {"entries": entries}})
    return "its content was changed: record 2 of"


async def _change_time(store: Database, target: Document) -> str:
    await store["records"].update_one({"_id": target["_id"]}, {"$set": {"time": "2025" + target["time"][4:]}})
    return "what stands around"


async def _hide_from_search(store: Database, target: Document) -> str:
    await store["records"].update_one({"_id": target["_id"]}, {"$set": {"keys": []}})
    return "what stands around"


async def _remove_record(store: Database, target: Document) -> str:
    await store["records"].update_one({"_id": target["_id"]}, {"$set": {"entries": target["entries"][1:]}})
    return "records were added or removed"


async def _delete(store: Database, target: Document) -> str:
    await store["records"].delete_one({"_id": target["_id"]})
    return "missing"


async def _rewrite(store: Database, target: Document) -> str:
    from audit.chain import digest

    changed = {**target, "entries": [e.replace("hello", "hullo") for e in target["entries"]]}
    await store["records"].replace_one({"_id": target["_id"]}, {**changed, "hash": digest(changed)})
    return "does not follow the document before"


Tamper = Callable[[Database, Document], Awaitable[str]]


@pytest.mark.parametrize(
    "tamper",
    [_change_body, _change_time, _hide_from_search, _remove_record, _delete, _rewrite],
    ids=lambda f: f.__name__,
)
async def test_one_change_in_the_store_is_found_and_named(
    audit: Running, wire: Wire, store: Database, space: Space, tamper: Tamper
) -> None:
    for number in range(3):
        await asyncio.gather(*[post(wire, 10 * number + i) for i in range(4)])
        await recorded(audit, 4 * (number + 1), trace=TRACE)
    documents = await store["records"].find({"count": {"$gt": 1}}).sort("n", 1).to_list(None)
    assert documents, "posts that come together are recorded together"
    target = documents[0]
    await sealed(audit)
    assert (await verified(audit))["ok"]

    expected = await tamper(store, target)

    result = await verified(audit)
    assert not result["ok"]
    assert expected in result["problems"][0]["problem"]
    assert result["problems"][0]["n"] in {target["n"], target["n"] + 1}
    code, output, _ = await warren("audit", "verify", "--url", audit.url, space=space)
    assert code == 1
    assert f"document {result['problems'][0]['n']}: " in output
    assert expected in output


async def test_an_end_that_was_cut_off_is_found(audit: Running, wire: Wire, store: Database) -> None:
    await post(wire, 1)
    await recorded(audit, 1, trace=TRACE)
    chain = await sealed(audit)
    await store["records"].delete_many({"n": {"$gte": chain["sealed"]}})

    (problem,) = (await verified(audit))["problems"]

    assert problem["n"] == chain["sealed"]
    assert "missing" in problem["problem"]


async def test_a_chain_that_was_removed_is_missed_by_the_next_one(
    services: Services, wire: Wire, store: Database
) -> None:
    first = await services.start(build, AuditSettings, audit_seal_interval=0.05)
    await post(wire, 1)
    await recorded(first, 1, trace=TRACE)
    await sealed(first)
    await post(wire, 2)
    await recorded(first, 2, trace=TRACE)
    await first.stop()
    (chain,) = await store["chains"].find({}).to_list(None)
    second = await services.start(build, AuditSettings)
    await post(wire, 3)
    await recorded(second, 3, trace=TRACE)
    assert (await verified(second))["ok"]
    await store["chains"].delete_one({"_id": chain["_id"]})
    await store["records"].delete_many({"chain": chain["_id"]})

    (problem,) = (await verified(second))["problems"]

    assert problem["chain"] == chain["_id"]


async def test_the_command_line_searches_and_traces(audit: Running, wire: Wire, space: Space, tmp_path: Path) -> None:
    sent = await post(wire, 1)
    await recorded(audit, 1, trace=TRACE)
    logs = tmp_path / "logs"
    logs.mkdir()
    line = {"time": rfc_now(), "level": "info", "service": "chat", "instance": "chat@x", "message": "entries stored"}
    other = {**line, "message": "something else", "trace": "0" * 32}
    (logs / "chat.log").write_bytes(
        b"\n".join(
            [orjson.dumps({**line, "traces": ["0" * 32, TRACE]}), b"not json " + TRACE.encode(), orjson.dumps(other)]
        )
    )
    where = ("--url", audit.url)

    code, output, _ = await warren(
        "audit", "search", "--room", "general", "--since", "1h", "--json", *where, space=space
    )
    assert code == 0
    assert [r["message_id"] for r in orjson.loads(output)["records"]] == [sent]

    code, output, _ = await warren("trace", TRACE, "--data", str(tmp_path), *where, space=space)
    assert code == 0
    assert "something else" not in output
    for step in ("published message.post.v1", "recorded message.post.v1", "entries stored", "chat@x", "general", "m-1"):
        assert step in output

    for arguments in (("trace", TRACE), ("trace", "--message", "m-1"), ("trace", "--message", sent)):
        code, output, _ = await warren(*arguments, "--data", str(tmp_path), "--json", *where, space=space)
        (trail,) = orjson.loads(output)["traces"]
        assert trail["trace"] == TRACE
        assert trail["steps"][0]["what"] == "published message.post.v1"
        assert [s["after_ms"] for s in trail["steps"]] == sorted(s["after_ms"] for s in trail["steps"])

    code, _, complaint = await warren("trace", "f" * 32, "--data", str(tmp_path), *where, space=space)
    assert code == 1
    assert "nothing is known of trace" in complaint
    code, _, complaint = await warren("audit", "verify", "--url", "http://127.0.0.1:1", space=space)
    assert code != 0
    assert "does not answer" in complaint
    assert "Traceback" not in complaint


def rfc_now() -> str:
    return now().isoformat()


async def test_two_processes_share_the_work_with_a_chain_each(audit: Running, services: Services, wire: Wire) -> None:
    other = await services.start(build, AuditSettings, audit_seal_interval=0.05, instance="audit-2")
    sent = [await post(wire, n) for n in range(150)]
    assert await other.stop() == 0
    sent += [await post(wire, n) for n in range(150, 200)]

    async def all_there() -> bool:
        found = Counter(r["message_id"] for r in await records(audit, type=PostMessage.TYPE))
        assert set(found.values()) <= {1}
        return set(found) == set(sent)

    await eventually(all_there)
    chains = (await audit.http.get("/chains")).json()["chains"]
    assert len([c for c in chains if c["n"]]) == 2
    verified = (await audit.http.get("/verify")).json()
    assert (verified["ok"], verified["problems"]) == (True, [])
