"""dlq-monitor on real nodes: what dies is parked once with its cause, and people decide what becomes of it."""

from __future__ import annotations

import asyncio
import hashlib
import struct
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner, Result

from audit.app import build as build_audit
from audit.settings import AuditSettings
from chat.app import build as build_chat
from chat.settings import ChatSettings
from dlq_monitor.app import build as build_dlq
from dlq_monitor.cli.app import app as cli
from dlq_monitor.settings import DlqSettings
from presence.app import build as build_presence
from presence.settings import PresenceSettings
from tests.support.lab import sample
from tests.support.proxy import Proxy
from tests.support.raw import RawClient, long, nested, properties, short
from tests.support.services import Running, Services
from tests.support.space import Space
from tests.support.waiting import eventually
from tests.support.wire import Wire
from warren.contracts import User, now
from warren.contracts.commands import PostMessage
from warren.envelope import LINKED, REPLAYS, TRACEPARENT, Event, event
from warren.messaging import codec, failures
from warren.topology import COMMANDS, DEAD, EPHEMERAL, EVENTS

TRACE = f"00-{'a' * 32}-{'b' * 16}-01"
KEY = "chat.0"
QUEUE = "chat.commands.0-of-2"
ADA = User(id="ada", name="Ada")


@pytest.fixture
async def dlq(wire: Wire, space: Space, services: Services) -> Running:
    """A dlq-monitor, alone, beside all queues."""
    await wire.declare(space.topology)
    return await services.start(build_dlq, DlqSettings)


async def test_a_refused_message_is_parked_with_all_that_is_known_of_it(
    dlq: Running, wire: Wire, services: Services
) -> None:
    facts = await wire.collect(EVENTS, "deadletter.#")
    await services.start(build_chat, ChatSettings)
    await wire.publish(
        COMMANDS,
        KEY,
        b'{"room":"r"}',
        type="message.post.v1",
        message_id="m-1",
        timestamp=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        correlation_id="c-1",
        app_id="stranger",
        reply_to="me",
        priority=3,
        content_type="application/json",
        headers={"traceparent": TRACE, "mine": 5},
    )
    row = await _only(dlq)
    assert row == {**row, "message_id": "m-1", "queue": QUEUE, "type": "message.post.v1", "status": "held"}
    assert row["cause"] == "ContractError"
    letter = await _letter(dlq, row["id"])
    assert letter["cause"]["message"].startswith("message.post.v1: id: Field required")
    assert letter["cause"]["where"] == "codec.py:decode"
    assert (letter["exchange"], letter["routing_key"], letter["service"]) == (COMMANDS, KEY, "chat")
    assert (letter["dead_queue"], letter["attempt"], letter["trace"]) == ("chat.dead", 1, "a" * 32)
    assert letter["properties"] == {
        "message_id": "m-1",
        "type": "message.post.v1",
        "timestamp": {"$date": "2026-01-02T03:04:05+00:00"},
        "app_id": "stranger",
        "correlation_id": "c-1",
        "content_type": "application/json",
        "reply_to": "me",
        "priority": 3,
        "delivery_mode": 2,
    }
    assert letter["headers"]["mine"] == 5
    assert letter["body"]["data"] == '{"room":"r"}'
    assert letter["body"]["sha256"] == hashlib.sha256(b'{"room":"r"}').hexdigest()
    assert [(s["action"], s["actor"]) for s in letter["history"]] == [
        ("parked", "dlq-monitor"),
        ("held", "rule everything else"),
    ]
    fact = await wire.take(facts)
    assert (fact.type, fact.headers["traceparent"]) == ("deadletter.parked.v1", TRACE)
    told = orjson.loads(fact.body)
    assert (told["letter"], told["queue"], told["cause"], told["message_id"]) == (
        row["id"],
        QUEUE,
        "ContractError",
        "m-1",
    )


async def test_garbage_in_every_exchange_is_parked_once_and_good_messages_flow_on(
    dlq: Running, wire: Wire, services: Services, space: Space
) -> None:
    """chat and presence refuse it, each once; audit records everything; nothing crashes or loops."""
    chat = await services.start(build_chat, ChatSettings)
    presence = await services.start(build_presence, PresenceSettings)
    audit = await services.start(build_audit, AuditSettings)
    raw = await RawClient.open(space.amqp_url)
    sent: list[bytes] = []
    for name, header, body in _garbage():
        for exchange, key in ((COMMANDS, KEY), (EVENTS, "signal.0"), (EVENTS, "room.0"), (EPHEMERAL, "typing.0")):
            assert await raw.publish(exchange.encode(), key.encode(), header, body), name
        sent.append(body)
        await wire.publish(COMMANDS, KEY, _post(name).body, type="message.post.v1")
    await raw.close()
    await eventually(lambda: _entries(chat, len(sent)), 20)
    await eventually(lambda: _total(dlq, 2 * len(sent)), 30, what=f"{2 * len(sent)} letters")
    for queue in (QUEUE, "presence.events"):
        rows = (await dlq.http.get("/letters", params={"queue": queue, "limit": 100})).json()["items"]
        letters = [await _letter(dlq, r["id"]) for r in rows]
        assert sorted(x["body"]["sha256"] for x in letters) == sorted(hashlib.sha256(b).hexdigest() for b in sent)
        assert {x["cause"]["type"] for x in letters} == {"ContractError"}
        assert {x["seen"] for x in letters} == {1}
    for service in (chat, presence, audit, dlq):
        assert not service.task.done()
        assert await service.is_ready()
    assert (await dlq.http.get("/letters", params={"queue": "audit.events"})).json()["total"] == 0


async def test_bad_events_of_a_bundle_are_parked_alone(dlq: Running, wire: Wire, services: Services) -> None:
    chat = await services.start(build_chat, ChatSettings)
    good = [orjson.loads(codec.to_content([_post("1"), _post("2")], "gateway").body)[n] for n in (0, 1)]
    hostile = [
        5,
        {"properties": {"type": "message.post.v1"}, "headers": {}, "body": {}},
        {**good[0], "headers": [1]},
        {**good[0], "properties": {**good[0]["properties"], "message_id": "x" * 300}},
        {**good[0], "properties": {**good[0]["properties"], "timestamp": "0001-01-01T00:00:00+14:00"}},
        {**good[0], "body": {"deep": orjson.loads("[" * 200 + "]" * 200)}},
    ]
    body = orjson.dumps([good[0], *hostile, good[1]])
    await wire.publish(COMMANDS, KEY, body, content_type=codec.BUNDLE, message_id="b-1", headers={"CC": []})
    await eventually(lambda: _total(dlq, len(hostile)))
    await eventually(lambda: _entries(chat, 2))
    for broken in (b"[1,", b'{"a":1}', b"\xff\xfe"):
        await wire.publish(COMMANDS, KEY, broken, content_type=codec.BUNDLE)
    await eventually(lambda: _total(dlq, len(hostile) + 3))


async def test_dead_letters_wait_for_their_monitor_and_their_service_may_be_missing(
    wire: Wire, space: Space, services: Services
) -> None:
    await wire.declare(space.topology, "audit")
    dlq = await services.start(build_dlq, DlqSettings)
    await wire.publish(DEAD, "chat.dead", b"by hand", message_id="h-1")
    row = await _only(dlq)
    assert (row["queue"], row["cause"]) == ("chat.dead", "unknown")
    answer = await dlq.http.post(f"/letters/{row['id']}/replay", json={"actor": "me"})
    assert (answer.status_code, answer.json()["detail"]) == (409, "it is not known which queue it died in")


async def test_the_same_death_is_one_letter(dlq: Running, wire: Wire) -> None:
    copy = failures.dead_copy(
        Event("message.post.v1", b"{}", KEY, COMMANDS), "chat", "chat@1", QUEUE, ValueError("no good")
    )
    for _ in range(3):
        await wire.publish(copy.exchange, copy.routing_key, copy.body, headers=dict(copy.headers), message_id=copy.id)
    await eventually(lambda: _seen(dlq, 3))
    assert (await _only(dlq))["id"] == copy.headers["x-warren-death"]


async def test_what_the_broker_gives_up_is_parked_and_can_be_sent_back(dlq: Running, wire: Wire, space: Space) -> None:
    await wire.publish(
        EVENTS, "room.1", b"\xff\x00binary", message_id="m-2", type="x", headers={"b": bytearray(b"\xfe"), "CC": ["y"]}
    )
    await wire.reject("audit.events")
    row = await eventually(lambda: _row(dlq, "m-2"))
    assert (row["queue"], row["cause"]) == ("audit.events", "rejected")
    letter = await _letter(dlq, row["id"][:6])
    assert (letter["exchange"], letter["routing_key"]) == (EVENTS, "room.1")
    assert letter["headers"]["x-death"][0]["queue"] == "audit.events"
    assert letter["body"]["encoding"] == "base64"
    answer = await dlq.http.post(f"/letters/{row['id']}/replay", json={"actor": "ada", "reason": "mended"})
    assert answer.json()["status"] == "replayed"
    assert [(s["action"], s["actor"], s["reason"]) for s in answer.json()["history"][2:]] == [
        ("replayed", "ada", "mended")
    ]
    again = await eventually(lambda: _with_id(wire, "audit.events", "m-2"))
    assert (again.body, again.routing_key, again.type) == (b"\xff\x00binary", "room.1", "x")
    assert ("timestamp" in letter["properties"], again.timestamp) == (False, None), "it had none"
    kept = {k: v for k, v in again.headers.items() if k not in {"x-delivery-count", TRACEPARENT}}
    assert kept == {"b": bytearray(b"\xfe"), "x-warren-replays": 1, "x-warren-letter": answer.json()["id"]}


async def test_a_bundle_that_the_broker_gives_up_becomes_single_letters(dlq: Running, wire: Wire) -> None:
    bundle = codec.to_content([sample(n, "room.1") for n in range(3)], "lab")
    await wire.publish(EVENTS, "room.1", bundle.body, content_type=codec.BUNDLE, type=codec.BUNDLE_TYPE)
    await wire.reject("audit.events")
    await eventually(lambda: _total(dlq, 3))
    rows = (await dlq.http.get("/letters")).json()["items"]
    assert {(r["type"], r["queue"], r["cause"]) for r in rows} == {("lab.sample.v1", "audit.events", "rejected")}
    answer = await dlq.http.post(f"/letters/{rows[0]['id']}/replay", json={"actor": "ada"})
    body = answer.json()["body"]["data"].encode()
    again = await eventually(lambda: _with_id(wire, "audit.events", rows[0]["message_id"]))
    assert (again.body, again.content_type) == (body, "application/json")


async def test_a_replay_that_dies_again_is_another_letter(dlq: Running, wire: Wire, services: Services) -> None:
    await services.start(build_chat, ChatSettings)
    facts = await wire.collect(EVENTS, "deadletter.replayed")
    await wire.publish(COMMANDS, KEY, b"{}", type="message.post.v1", message_id="m-3", headers={"traceparent": TRACE})
    first = await _only(dlq)
    replay = {"actor": "ada", "reason": "to see"}
    assert (await dlq.http.post(f"/letters/{first['id']}/replay", json=replay)).status_code == 200
    await eventually(lambda: _total(dlq, 2))
    second = (await dlq.http.get("/letters", params={"status": "held"})).json()["items"]
    assert [r["message_id"] for r in second] == ["m-3"]
    letter = await _letter(dlq, second[0]["id"])
    assert (letter["headers"][REPLAYS], letter["attempt"]) == (1, 1)
    assert "timestamp" not in letter["properties"], "the message had none, and no copy of it got one"
    assert (letter["trace"], letter["headers"][LINKED]) == (first["id"], TRACE), "a new trace, linked to the old"
    fact = await wire.take(facts)
    told = orjson.loads(fact.body)
    assert (told["letter"], told["actor"], told["reason"]) == (first["id"], "ada", "to see")
    await eventually(lambda: _has_status(dlq, first["id"], "returned"))
    refused = await dlq.http.post(f"/letters/{first['id']}/replay", json=replay)
    assert (refused.status_code, refused.json()["detail"]) == (
        409,
        "it was sent again and died again, as another letter",
    )


async def test_a_mended_message_does_its_work_after_a_replay(dlq: Running, wire: Wire, services: Services) -> None:
    """It died of a bug, as if chat could not read it then; replayed, it takes its place in the room."""
    chat = await services.start(build_chat, ChatSettings)
    post = _post("late")
    copy = failures.dead_copy(post, "chat", "chat@1", QUEUE, ValueError("a bug"))
    await wire.publish(
        copy.exchange, copy.routing_key, copy.body, type=copy.type, message_id=copy.id, headers=dict(copy.headers)
    )
    row = await _only(dlq)
    await dlq.http.post(f"/letters/{row['id']}/replay", json={"actor": "ada"})
    await eventually(lambda: _entries(chat, 1))


async def test_discarding_needs_a_reason_and_is_final(dlq: Running, wire: Wire) -> None:
    facts = await wire.collect(EVENTS, "deadletter.discarded")
    await wire.publish(DEAD, "chat.dead", b"1")
    row = await _only(dlq)
    path = f"/letters/{row['id']}"
    assert (await dlq.http.post(f"{path}/discard", json={"actor": "ada", "reason": "  "})).status_code == 422
    assert (await dlq.http.post(f"{path}/discard", json={"actor": "", "reason": "x"})).status_code == 422
    done = await dlq.http.post(f"{path}/discard", json={"actor": "ada", "reason": "a test"})
    assert (done.json()["status"], done.json()["history"][-1]["reason"]) == ("discarded", "a test")
    assert orjson.loads((await wire.take(facts)).body)["reason"] == "a test"
    for decision in ("replay", "discard"):
        again = await dlq.http.post(f"{path}/{decision}", json={"actor": "bob", "reason": "too late"})
        assert (again.status_code, again.json()["detail"]) == (409, "it was discarded already, by ada")
    assert (await dlq.http.get("/letters/ffff")).status_code == 404
    assert (await dlq.http.get(path, headers={"Authorization": "Bearer wrong"})).status_code == 401


async def test_filters(dlq: Running, wire: Wire) -> None:
    for n, kind in enumerate(("a.v1", "a.v1", "b.v1")):
        died = Event(kind, str(n).encode(), KEY, COMMANDS)
        copy = failures.dead_copy(died, "chat", "chat@1", QUEUE, ValueError() if n else KeyError())
        await wire.publish(DEAD, "chat.dead", copy.body, type=kind, message_id=str(n), headers=dict(copy.headers))
    await eventually(lambda: _total(dlq, 3))

    async def ids(**query: object) -> tuple[int, list[str]]:
        found = (await dlq.http.get("/letters", params={k: str(v) for k, v in query.items()})).json()
        return found["total"], sorted(r["message_id"] for r in found["items"])

    assert await ids(type="a.v1") == (2, ["0", "1"])
    assert await ids(cause="ValueError", queue=QUEUE) == (2, ["1", "2"])
    assert await ids(status="replayed") == (0, [])
    assert (await ids(limit=2))[0] == 3
    first = (await dlq.http.get("/letters", params={"limit": 2})).json()
    rest = (await dlq.http.get("/letters", params={"limit": 2, "before": first["next"]})).json()
    assert sorted(r["message_id"] for r in (*first["items"], *rest["items"])) == ["0", "1", "2"]
    assert rest["next"] is None
    assert (await ids(queue="chat.*", type="b*")) == (1, ["2"])
    assert (await ids(queue="presence.*")) == (0, [])
    assert (await ids(cause="value")) == (2, ["1", "2"])
    assert (await ids(status="open"))[0] == 3
    assert await ids(since="2999-01-01T00:00:00Z") == (0, [])
    assert (await ids(since="2020-01-01"))[0] == 3
    assert (await dlq.http.get("/letters", params={"status": "lost"})).status_code == 422


async def test_a_store_that_is_away_keeps_letters_in_their_queue(wire: Wire, space: Space, services: Services) -> None:
    await wire.declare(space.topology)
    async with Proxy(space.mongo_url).running() as store:
        dlq = await services.start(build_dlq, DlqSettings, mongo_url=store.url)
        store.stall()
        store.cut()
        for n in range(5):
            await wire.publish(DEAD, "chat.dead", b"x", message_id=str(n))
        await eventually(lambda: _consumers(wire, "chat.dead", 0), 15, what="the queue is paused")
        await eventually(lambda: _not_ready(dlq))
        store.flow()
        store.cut()
        await eventually(lambda: _total(dlq, 5), 20)
        await dlq.stop()


async def test_a_body_that_is_too_long_is_cut_and_says_so(wire: Wire, space: Space, services: Services) -> None:
    await wire.declare(space.topology)
    dlq = await services.start(build_dlq, DlqSettings, dlq_body_limit=1000)
    body = b"0123456789" * 1000
    died = Event("message.post.v1", body, KEY, COMMANDS)
    copy = failures.dead_copy(died, "chat", "chat@1", QUEUE, ValueError())
    await wire.publish(DEAD, "chat.dead", body, headers=dict(copy.headers))
    row = await _only(dlq)
    kept = (await _letter(dlq, row["id"]))["body"]
    assert (kept["size"], kept["complete"], len(kept["data"])) == (10_000, False, 1000)
    assert kept["sha256"] == hashlib.sha256(body).hexdigest()
    answer = await dlq.http.post(f"/letters/{row['id']}/replay", json={"actor": "ada"})
    assert answer.json()["detail"] == "its body of 10000 bytes was too long to be kept whole"


async def test_dead_queues_of_others_are_watched_too(wire: Wire, space: Space, services: Services) -> None:
    """One of a service outside of the topology, one that does not exist yet; letters go back by the queue's name."""
    await wire.declare(space.topology)
    await wire.channel.declare_queue("other.work", durable=True, arguments=_dead_lettering("other.dead"))
    await wire.channel.declare_queue("other.dead", durable=True)
    dlq = await services.start(build_dlq, DlqSettings, dlq_queues="other.dead, not.there.yet")
    await wire.publish("", "other.work", b"w", message_id="w-1", headers={"CC": ["elsewhere"]})
    await wire.reject("other.work")
    row = await _only(dlq)
    assert (row["queue"], row["cause"]) == ("other.work", "rejected")
    assert (await dlq.http.post(f"/letters/{row['id']}/replay", json={"actor": "ada"})).status_code == 200
    assert (await wire.take("other.work")).message_id == "w-1"
    await wire.publish("", "not.there.yet", b"n")
    await eventually(lambda: _total(dlq, 2))


async def test_a_queue_that_is_gone_takes_no_replay(wire: Wire, space: Space, services: Services) -> None:
    await wire.declare(space.topology)
    dlq = await services.start(build_dlq, DlqSettings)
    copy = failures.dead_copy(Event("x", b"{}", "k", ""), "other", "other@1", "gone.queue", ValueError())
    await wire.publish(DEAD, "chat.dead", b"{}", headers=dict(copy.headers))
    row = await _only(dlq)
    answer = await dlq.http.post(f"/letters/{row['id']}/replay", json={"actor": "ada"})
    assert answer.status_code == 409
    assert "gone.queue" in answer.json()["detail"]
    assert (await _only(dlq))["status"] == "held"


async def test_a_dead_fact_about_a_letter_tells_no_further_fact(dlq: Running, wire: Wire) -> None:
    facts = await wire.collect(EVENTS, "deadletter.#")
    for kind in ("deadletter.parked.v1", "other.v1"):
        died = Event(kind, b"{}", "deadletter.parked", EVENTS)
        copy = failures.dead_copy(died, "audit", "audit@1", "audit.events", ValueError())
        await wire.publish(DEAD, "audit.dead", b"{}", type=kind, headers=dict(copy.headers))
    await eventually(lambda: _total(dlq, 2))
    assert orjson.loads((await wire.take(facts)).body)["type"] == "other.v1"
    assert await wire.depth(facts) == 0


async def test_a_missing_management_api_is_a_warning(wire: Wire, space: Space, services: Services) -> None:
    await wire.declare(space.topology)
    well = await services.start(build_dlq, DlqSettings, management_url=space.management_url)
    ill = await services.start(build_dlq, DlqSettings, management_url="http://a:b@127.0.0.1:1")
    assert (await well.http.get("/health")).json()["neighbours"]["management"]["status"] == "ok"
    report = (await ill.http.get("/health")).json()
    assert (report["status"], report["ready"]) == ("warning", True)
    assert report["neighbours"]["management"]["essential"] is False


async def test_the_command_line(dlq: Running, wire: Wire, space: Space) -> None:
    async def warren(*words: str, url: str = dlq.url) -> Result:
        env = {"WARREN_SERVICE_TOKEN": space.service_token}
        return await asyncio.to_thread(CliRunner().invoke, cli, [*words, "--url", url], env=env)

    for n in range(3):
        died = Event("message.post.v1", orjson.dumps({"n": n}), "room.0", EVENTS)
        copy = failures.dead_copy(died, "audit", "audit@1", "audit.events", ValueError(f"[bold]{n}[/]"))
        await wire.publish(DEAD, "audit.dead", died.body, type=died.type, message_id=f"m-{n}", headers={**copy.headers})
    await eventually(lambda: _total(dlq, 3))
    listed = await warren("list", "--json", "--since", "2h")
    content = orjson.loads(listed.stdout)
    assert (content["total"], set(content)) == (3, {"total", "items"})
    assert set(content["items"][0]) == {"id", "message_id", "queue", "type", "cause", "group", "status", "time"}
    one, two, _ = (r["id"] for r in sorted(content["items"], key=lambda r: r["message_id"]))
    table = await warren("list", "--queue", "audit.events")
    assert one[:12] in table.stdout
    assert "ValueError" in table.stdout
    shown = await warren("show", one[:8], "--body")
    assert "[bold]0[/]" in shown.stdout, "what strangers write is no markup"
    assert '"n": 0' in shown.stdout
    replayed = await warren("replay", one[:8])
    assert (replayed.exit_code, "sent to audit.events again" in replayed.stdout) == (0, True)
    assert (await wire.take("audit.events")).type is not None
    assert (await warren("replay", one[:8])).exit_code == 1
    assert (await warren("discard", two, "--reason", "nonsense")).exit_code == 0
    assert (await warren("discard", two)).exit_code == 2
    assert (await warren("discard", two, "--reason", " ")).exit_code == 2
    assert (await warren("show", "ffffffff")).exit_code == 1
    assert (await warren("show", "../x")).exit_code == 1
    assert (await warren("list", "--since", "yesterday")).exit_code == 2
    left = orjson.loads((await warren("list", "--json", "--status", "open")).stdout)
    assert left["total"] == 1


def _garbage() -> list[tuple[str, bytes, bytes]]:
    """Messages that no one can want: name, properties, body; bodies are different each."""
    post = b"message.post.v1"
    bad = b"\xff\xfe\xc3\x28"
    wild = [
        ("huge time", {"timestamp": 2**64 - 1}),
        ("negative time", {"timestamp": 2**63}),
        ("type is no text", {"type": bad}),
        ("id is no text", {"type": post, "message_id": bad * 60}),
        ("content type is no text", {"type": post, "content_type": bad}),
        ("odd content type", {"type": post, "content_type": b"text/html; charset=\x00"}),
        ("expires", {"type": post, "expiration": b"60000"}),
        ("urgent", {"type": post, "priority": 255}),
        ("CC", {"headers": short(b"CC") + b"A" + long(b"S" + long(b"nowhere.x"))}),
        ("header name is no text", {"headers": short(bad) + b"S" + long(b"v")}),
        ("header is no text", {"headers": short(b"traceparent") + b"S" + long(bad)}),
        ("nested deep", {"headers": nested(600)}),
        ("nested deeper", {"headers": nested(20_000)}),
        ("huge header", {"headers": short(b"big") + b"S" + long(b"x" * 120_000)}),
        ("many headers", {"headers": b"".join(short(b"h%d" % n) + b"I" + bytes(4) for n in range(9000))}),
        ("time in a header", {"headers": short(b"t") + b"T" + struct.pack(">Q", 2**64 - 1)}),
        (
            "numbers",
            {"headers": short(b"d") + b"D\xff\xff\xff\xff\xff" + short(b"f") + b"d" + struct.pack(">d", 1e300)},
        ),
        (
            "own headers",
            {"headers": b"".join(short(b"x-warren-" + n) + b"S" + long(bad) for n in (b"attempt", b"death"))},
        ),
        (
            "forged death",
            {"headers": short(b"x-death") + b"A" + long(b"F" + long(short(b"queue") + b"S" + long(b"x")))},
        ),
        ("forged count", {"headers": short(b"x-warren-events") + b"I" + struct.pack(">i", 2**31 - 1)}),
        ("no bundle", {"content_type": codec.BUNDLE.encode()}),
    ]
    made = [(name, properties(**values), name.encode()) for name, values in wild]  # type: ignore[arg-type]
    plain = properties(type=post, content_type=b"application/json")
    return [
        *made,
        ("not JSON", plain, b"{"),
        ("no text", plain, bad),
        ("empty", plain, b""),
        ("missing fields", plain, b'{"room":"r"}'),
        ("wrong types", plain, b'{"room":1,"id":2,"user":3,"time":4,"body":5}'),
        ("nested body", plain, b"[" * 100_000),
        ("1 MB", plain, b"x" * 1_000_000),
        ("unknown type", properties(type=b"no.such.v1"), b'{"unknown":1}'),
        ("unknown version", properties(type=b"message.post.v99"), b'{"version":99}'),
        ("no type", properties(), b'{"no":"type"}'),
    ]


def _post(id: str) -> Event:  # noqa: A002 - the message's
    name = "".join(c if c.isalnum() else "-" for c in id)
    return event(PostMessage(room="r", id=name, user=ADA, time=now(), body=id), COMMANDS, KEY)


def _dead_lettering(to: str) -> dict[str, Any]:
    return {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": to}


async def _letter(dlq: Running, prefix: str) -> dict[str, Any]:
    answer = await dlq.http.get(f"/letters/{prefix}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def _rows(dlq: Running) -> list[dict[str, Any]]:
    answer = await dlq.http.get("/letters", params={"limit": 1000})
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


async def _has_status(dlq: Running, id: str, wanted: str) -> bool:  # noqa: A002 - the letter's
    return bool((await _letter(dlq, id))["status"] == wanted)


async def _only(dlq: Running) -> dict[str, Any]:
    rows: list[dict[str, Any]] = await eventually(lambda: _rows(dlq))
    assert len(rows) == 1
    return rows[0]


async def _row(dlq: Running, message_id: str) -> dict[str, Any] | None:
    return next((r for r in await _rows(dlq) if r["message_id"] == message_id), None)


async def _total(dlq: Running, wanted: int) -> bool:
    answer = await dlq.http.get("/letters")
    found = answer.json().get("total")
    assert found == wanted, f"{found} letters"
    return True


async def _seen(dlq: Running, times: int) -> bool:
    rows = await _rows(dlq)
    return len(rows) == 1 and (await _letter(dlq, rows[0]["id"]))["seen"] == times


async def _entries(chat: Running, wanted: int) -> bool:
    [page] = (await chat.http.post("/pages", json={"pages": [{"room": "r", "limit": 200}]})).json()["pages"]
    seqs = [e["seq"] for e in page["entries"]]
    return seqs == list(range(1, wanted + 1))


async def _with_id(wire: Wire, queue: str, message_id: str) -> Any:
    message = await wire.get(queue)
    return message if message and message.message_id == message_id else None


async def _consumers(wire: Wire, queue: str, wanted: int) -> bool:
    return await wire.consumers(queue) == wanted


async def _not_ready(dlq: Running) -> bool:
    return not await dlq.is_ready()
