"""Bulk replay on real nodes: a plan, a pace, a canary, outcomes that are seen, and a record of all of it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from aio_pika.abc import AbstractIncomingMessage
from typer.testing import CliRunner, Result

from chat.app import build as build_chat
from chat.settings import ChatSettings
from dlq_monitor.app import build
from dlq_monitor.cli.app import app as cli
from dlq_monitor.settings import DlqSettings
from tests.support.nodes import free_port
from tests.support.services import Running, Services
from tests.support.space import Space
from tests.support.waiting import eventually
from tests.support.wire import Wire
from warren.contracts import now
from warren.contracts.base import User
from warren.contracts.commands import PostMessage
from warren.contracts.events import MessagePosted
from warren.envelope import LETTER, REPLAYS, Event, event
from warren.messaging import failures
from warren.topology import COMMANDS, DEAD, EVENTS, chat_queue, partition

QUEUE = "other.work"  # of a service outside of the topology
CHAT = chat_queue(0, 2)
SETTLE = 2.0  # seconds: what the tests do before a letter counts as quiet must fit into them on a busy machine
QUICK = {"dlq_settle": SETTLE, "watch_ignore": "*"}
ANN = {"actor": "ann", "reason": "mended"}
ROOT = Path(__file__).parents[2]


@pytest.fixture
async def dlq(wire: Wire, space: Space, services: Services) -> Running:
    """dlq-monitor, with a queue beside the topology."""
    await _declare(wire, space)
    return await services.start(build, DlqSettings, **QUICK)


async def test_a_group_goes_in_its_order_and_is_resolved_when_it_stays_quiet(wire: Wire, dlq: Running) -> None:
    await _die(wire, 30)
    await _die(wire, 5, first=200, error=KeyError("x"))
    await eventually(lambda: _count(dlq, "held", 35))
    group = next(g["id"] for g in (await dlq.http.get("/groups")).json()["items"] if g["count"] == 30)
    wanted = {**ANN, "letters": {"group": group}, "canary": False}
    dry = await _post(dlq, "/replays", {**wanted, "dry_run": True})
    assert dry["replay"] is None
    assert dry["plan"] == {
        "total": 30,
        "parts": [
            {
                "queue": QUEUE,
                "exchange": "",
                "type": "message.post.v1",
                "count": 30,
                "outcome": "quiet",
                "at_least_once": True,
            }
        ],
        "at_least_once": 30,
        "busy": 0,
        "unsendable": 0,
    }
    assert await wire.depth(QUEUE) == 0
    replay = (await _post(dlq, "/replays", wanted))["replay"]
    await _die(wire, 1, first=99)
    await eventually(lambda: _is(dlq, replay, sent=30, awaited=30, state="settling"))
    taken = [await wire.take(QUEUE) for _ in range(30)]
    assert [m.message_id for m in taken] == [f"m-{n}" for n in range(30)]
    assert {m.headers[REPLAYS] for m in taken} == {1}
    await eventually(lambda: _is(dlq, replay, resolved=30, state="done"))
    letter = await _letter(dlq, "resolved")
    assert [(s["action"], s["actor"]) for s in letter["history"][-2:]] == [
        ("replayed", "ann"),
        ("resolved", "dlq-monitor"),
    ]
    assert letter["history"][-1]["reason"] == f"it did not die again for {SETTLE:g} s after {QUEUE} was seen empty"
    assert letter["history"][-2]["reason"] == f"mended (replay {replay['id'][-8:]})"
    assert await _count(dlq, "held", 6), "what came after the plan is not part of it"


async def test_a_fact_resolves_and_another_death_returns(wire: Wire, dlq: Running) -> None:
    await _die(wire, 3, queue=CHAT)
    await eventually(lambda: _count(dlq, "held", 3))
    plan = {**ANN, "letters": {"queue": "chat.*"}, "canary": False}
    (part,) = (await _post(dlq, "/replays", {**plan, "dry_run": True}))["plan"]["parts"]
    assert (part["queue"], part["exchange"], part["outcome"], part["at_least_once"]) == (
        CHAT,
        "chat.again",
        "fact",
        False,
    )
    replay = (await _post(dlq, "/replays", plan))["replay"]
    first, second, third = await _consume(wire, 3)
    await _answer(wire, str(first.message_id))
    await eventually(lambda: _is(dlq, replay, resolved=1))
    letter = await _letter(dlq, "resolved")
    assert (letter["message_id"], "message.posted.v1 was seen" in letter["history"][-1]["reason"]) == ("m-0", True)
    await _die(wire, 1, queue=CHAT, first=1, headers=dict(second.headers))
    returned = await eventually(lambda: _letter(dlq, "returned"))
    heir = await eventually(lambda: _letter(dlq, "held"))
    assert (returned["message_id"], returned["id"]) == ("m-1", second.headers[LETTER])
    assert heir["id"] in returned["history"][-1]["reason"]
    assert (heir["replays"], heir["group"]) == (1, returned["group"])
    assert third.message_id == "m-2"
    await eventually(lambda: _is(dlq, replay, resolved=2, returned=1, state="done"), what="the third, which was quiet")


async def test_a_mended_service_resolves_what_it_had_failed_at(wire: Wire, dlq: Running, services: Services) -> None:
    """The canary's fact comes from chat itself, and so do all others."""
    await services.start(build_chat, ChatSettings)
    room = next(f"room-{n}" for n in range(100) if partition(f"room-{n}", 2) == 0)
    posts = [
        event(
            PostMessage(room=room, id=f"p-{n}", user=User(id="u", name="u"), time=now(), body="b"), COMMANDS, "chat.0"
        )
        for n in range(5)
    ]
    for post in posts:
        copy = failures.dead_copy(post, "chat", "chat@1", CHAT, ValueError("a bug"))
        await wire.publish(DEAD, "chat.dead", post.body, type=post.type, message_id=post.id, headers={**copy.headers})
    await eventually(lambda: _count(dlq, "held", 5))
    replay = (await _post(dlq, "/replays", {**ANN, "letters": {"all": True}}))["replay"]
    await eventually(lambda: _is(dlq, replay, state="done", resolved=5))
    for row in await _letters(dlq, "resolved"):
        history = (await dlq.http.get(f"/letters/{row['id']}")).json()["history"]
        assert "message.posted.v1 was seen" in history[-1]["reason"]


async def test_a_canary_that_fails_stops_after_one_and_too_many_failures_stop_later(wire: Wire, dlq: Running) -> None:
    await _die(wire, 40)
    await eventually(lambda: _count(dlq, "held", 40))
    replay = (await _post(dlq, "/replays", {**ANN, "letters": {"all": True}, "rate": 50, "max_failures": 2}))["replay"]
    canary = await wire.take(QUEUE)
    await _die(wire, 1, headers=dict(canary.headers))
    await eventually(lambda: _is(dlq, replay, state="stopped", sent=1, returned=1))
    assert await wire.depth(QUEUE) == 0
    resumed = await _post(dlq, f"/replays/{replay['id'][-6:]}/resume", ANN)
    assert resumed["state"] == "running"
    assert (await wire.take(QUEUE)).message_id == "m-1", "another canary, which goes well"
    for n in range(2, 5):
        one = await wire.take(QUEUE)
        await _die(wire, 1, first=n, headers=dict(one.headers))
    stopped = await eventually(lambda: _is(dlq, replay, state="stopped", returned=4))
    assert (stopped["why"], stopped["sent"] < 40) == ("3 letters failed, 2 may", True)


async def test_a_rate_is_kept_and_cancel_and_resume_lose_nothing(wire: Wire, dlq: Running) -> None:
    await _die(wire, 300)
    await eventually(lambda: _count(dlq, "held", 300))
    replay = (await _post(dlq, "/replays", {**ANN, "letters": {"all": True}, "rate": 100, "canary": False}))["replay"]
    await eventually(lambda: _is(dlq, replay, at_least=20))
    began, before = time.monotonic(), (await _replay(dlq, replay))["sent"]
    await eventually(lambda: _is(dlq, replay, at_least=before + 150))
    assert time.monotonic() - began > 1.4, "150 at 100 a second"
    busy = await dlq.http.post(f"/letters/{(await _letters(dlq, 'held'))[0]['id']}/replay", json=ANN)
    assert (busy.status_code, busy.json()["detail"]) == (409, "it is part of a replay that is under way")
    began = time.monotonic()
    cancelled = await _post(dlq, f"/replays/{replay['id']}/cancel", ANN)
    assert time.monotonic() - began < 1
    sent = await wire.depth(QUEUE)
    assert (cancelled["state"], cancelled["why"]) == ("cancelled", "by ann: mended")
    assert (await dlq.http.post(f"/replays/{replay['id']}/cancel", json=ANN)).status_code == 409
    assert await wire.depth(QUEUE) == sent == (await _replay(dlq, replay))["sent"]
    await eventually(lambda: _count(dlq, "replayed", sent), what="what was sent says so, though it was cancelled")
    await _post(dlq, f"/replays/{replay['id']}/resume", ANN)
    await eventually(lambda: _is(dlq, replay, at_least=300))
    ids = [m.message_id for m in await _consume(wire, 300, QUEUE)]
    assert ids == [f"m-{n}" for n in range(300)]


async def test_on_the_command_line(wire: Wire, space: Space, dlq: Running) -> None:
    async def warren(*words: str, **more: Any) -> Result:
        env = {"WARREN_SERVICE_TOKEN": space.service_token}
        return await asyncio.to_thread(CliRunner().invoke, cli, [*words, "--url", dlq.url], env=env, **more)

    await _die(wire, 12)
    await eventually(lambda: _count(dlq, "held", 12))
    assert (await warren("replay")).exit_code == 2
    assert (await warren("replay", "--all", "--to-key", "x")).exit_code == 2
    plan = orjson.loads((await warren("replay", "--cause", "Value", "--dry-run", "--json")).stdout)
    assert (plan["total"], plan["at_least_once"]) == (12, 12)
    asked = await warren("replay", "--all", "--no-canary", input="n\n")
    assert (asked.exit_code, "12 letters" in asked.output, "at least once" in asked.output) == (1, True, True)
    assert await wire.depth(QUEUE) == 0

    every = ("replay", "--all", "--yes", "--actor", "ann", "--json")
    running = asyncio.create_task(warren(*every, "--rate", "50", "--canary"))
    canary = await wire.take(QUEUE)
    await _die(wire, 1, headers=dict(canary.headers))
    stopped = await running
    assert (stopped.exit_code, orjson.loads(stopped.stdout)["state"]) == (4, "stopped")
    await eventually(lambda: _count(dlq, "held", 12))
    running = asyncio.create_task(warren(*every, "--no-canary"))
    first, *_ = [await wire.take(QUEUE) for _ in range(12)]
    await _die(wire, 1, first=1, headers=dict(first.headers))
    done = await running
    assert (done.exit_code, orjson.loads(done.stdout)["returned"]) == (3, 1)
    begun = await warren("replay", "--queue", "other.*", "--yes", "--no-wait", "--rate", "0.1", "--no-canary")
    assert begun.exit_code == 0, begun.output
    listed = orjson.loads((await warren("replays", "list", "--json")).stdout)["items"]
    assert [r["state"] for r in listed] == ["running", "done", "stopped"]
    assert (await warren("replays", "cancel", listed[0]["id"][-8:], "--reason", "enough")).exit_code == 0
    assert "cancelled" in (await warren("replays", "show", listed[0]["id"])).stdout
    assert (await warren("replays", "cancel", listed[0]["id"])).exit_code == 1
    assert (await warren("replays", "resume", listed[0]["id"], "--no-wait")).exit_code == 0


async def test_ctrl_c_ends_the_watching_and_not_the_replay(wire: Wire, space: Space, dlq: Running) -> None:
    await _die(wire, 3)
    await eventually(lambda: _count(dlq, "held", 3))
    watching = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("warren")),
        *("dlq", "replay", "--all", "--yes", "--rate", "0.1", "--no-canary", "--url", dlq.url),
        env={**os.environ, "WARREN_SERVICE_TOKEN": space.service_token, "NO_COLOR": "1", "COLUMNS": "200"},
        stderr=asyncio.subprocess.PIPE,
    )
    (replay,) = await eventually(lambda: _replays(dlq), 20)
    assert watching.stderr is not None
    while b"Ctrl-C" not in await watching.stderr.readline():
        pass
    watching.send_signal(signal.SIGINT)
    said = (await watching.communicate())[1].decode()
    assert (watching.returncode, f"warren dlq replays show {replay['id'][-12:]}" in said) == (130, True), said
    assert (await _replay(dlq, replay))["state"] == "running"


async def test_elsewhere_and_what_cannot_be_sent(wire: Wire, dlq: Running) -> None:
    await _die(wire, 2)
    await eventually(lambda: _count(dlq, "held", 2))
    ids = [x["id"] for x in await _letters(dlq, "held")]
    await wire.channel.declare_queue("there", durable=True)
    to = {"exchange": "", "key": "there"}
    one = {**ANN, "letters": {"ids": [ids[0][:12]]}, "to": to, "canary": False}
    assert (await _post(dlq, "/replays", {**one, "dry_run": True}))["plan"]["at_least_once"] == 1
    replay = (await _post(dlq, "/replays", one))["replay"]
    assert (await wire.take("there")).headers[LETTER] == ids[0]
    await eventually(lambda: _is(dlq, replay, state="done", resolved=1))
    lost = {**ANN, "letters": {"ids": [ids[1]]}, "to": {"exchange": "", "key": "nowhere"}, "max_failures": 0}
    replay = (await _post(dlq, "/replays", lost))["replay"]
    await eventually(lambda: _is(dlq, replay, state="done", refused=1, open=1))
    for letters in ({}, {"ids": ids, "all": True}, {"ids": ["x"]}):
        assert (await dlq.http.post("/replays", json={**ANN, "letters": letters})).status_code == 422
    assert (await dlq.http.post("/replays", json={**ANN, "letters": {"ids": [ids[0]]}})).status_code == 409
    assert (await dlq.http.post("/replays", json={**ANN, "letters": {"ids": ["0" * 32]}})).status_code == 404
    assert (await dlq.http.post("/replays", json={**ANN, "letters": {"cause": "None"}})).status_code == 409


async def test_a_replay_goes_on_after_its_process_was_killed(wire: Wire, space: Space, services: Services) -> None:
    """What the record does not know of was sent twice, under the same id and close to the kill; nothing is left out."""
    await _declare(wire, space)
    port = free_port()
    env = space.env(port=port, log_level="error", **QUICK)
    victim = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "dlq_monitor", env={**os.environ, **env}, cwd=ROOT
    )
    headers = {"Authorization": f"Bearer {space.service_token}"}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers) as http:
        await _die(wire, 600)
        await eventually(lambda: _held(http, 600), 20)
        wanted = {**ANN, "letters": {"all": True}, "canary": False, "rate": 600}
        replay = (await http.post("/replays", json=wanted)).json()["replay"]
        await eventually(lambda: _deep(wire, 200))
    victim.kill()
    await victim.wait()
    dlq = await services.start(build, DlqSettings, **QUICK)
    await eventually(lambda: _is(dlq, replay, at_least=600), 30)
    depth = await wire.depth(QUEUE)
    ids = [m.message_id for m in await _consume(wire, depth, QUEUE)]
    assert list(dict.fromkeys(ids)) == [f"m-{n}" for n in range(600)]
    assert len(ids) < 850
    await eventually(lambda: _is(dlq, replay, state="done", resolved=600), 60)
    assert await _count(dlq, "resolved", 600)


async def _declare(wire: Wire, space: Space) -> None:
    await wire.declare(space.topology)
    await wire.channel.declare_queue(QUEUE, durable=True, arguments={"x-queue-type": "quorum"})


async def _die(
    wire: Wire,
    count: int,
    *,
    first: int = 0,
    queue: str = QUEUE,
    error: Exception | None = None,
    headers: dict[str, Any] | None = None,
) -> None:
    """Let messages die, in their order."""

    async def one(n: int) -> None:
        died = Event("message.post.v1", b'{"n":%d}' % n, "chat.0", COMMANDS, id=f"m-{n}", headers=headers or {})
        copy = failures.dead_copy(died, "chat", "chat@1", queue, error or ValueError("no good"))
        await wire.publish(DEAD, "chat.dead", died.body, type=died.type, message_id=died.id, headers={**copy.headers})

    await asyncio.gather(*[one(n) for n in range(first, first + count)])


async def _consume(wire: Wire, count: int, name: str = CHAT) -> list[AbstractIncomingMessage]:
    """Take messages off a queue, as its one consumer."""
    queue = await wire.channel.get_queue(name, ensure=False)
    found: list[AbstractIncomingMessage] = []

    async def note(message: AbstractIncomingMessage) -> None:
        found.append(message)

    tag = await queue.consume(note, no_ack=True)
    await eventually(lambda: len(found) == count)
    await queue.cancel(tag)
    return found


async def _answer(wire: Wire, cause: str) -> None:
    """Tell of a message's effect, as chat does."""
    posted = MessagePosted(room="r", seq=1, id="x", user=User(id="u", name="u"), body="b", time=now())
    told = event(posted, EVENTS, "room.0")
    await wire.publish(
        EVENTS, "room.0", told.body, type=told.type, message_id=told.id, correlation_id=cause, timestamp=now()
    )


async def _post(dlq: Running, path: str, content: dict[str, Any]) -> dict[str, Any]:
    answer = await dlq.http.post(path, json=content)
    assert answer.is_success, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def _replay(dlq: Running, replay: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = (await dlq.http.get(f"/replays/{replay['id']}")).json()
    return found


async def _replays(dlq: Running) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await dlq.http.get("/replays")).json()["items"]
    return found


async def _is(dlq: Running, replay: dict[str, Any], at_least: int = 0, **wanted: Any) -> dict[str, Any] | None:
    found = await _replay(dlq, replay)
    return found if found["sent"] >= at_least and wanted.items() <= found.items() else None


async def _letters(dlq: Running, status: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await dlq.http.get("/letters", params={"status": status})).json()["items"]
    return found


async def _letter(dlq: Running, status: str) -> dict[str, Any]:
    """Return the newest letter of a status, whole; nothing if there is none."""
    rows = await _letters(dlq, status)
    return (await dlq.http.get(f"/letters/{rows[0]['id']}")).json() if rows else {}


async def _count(dlq: Running, status: str, wanted: int) -> bool:
    return await _held(dlq.http, wanted, status)


async def _held(http: httpx.AsyncClient, wanted: int, status: str = "held") -> bool:
    try:
        answer = await http.get("/letters", params={"status": status, "limit": 1})
    except httpx.TransportError:
        return False
    return answer.is_success and bool(answer.json()["total"] == wanted)


async def _deep(wire: Wire, wanted: int) -> bool:
    return await wire.depth(QUEUE) >= wanted
