"""Groups of dead letters on real nodes: counted right, after a restart too; what people say; what is kept how long."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner, Result

from dlq_monitor.app import build
from dlq_monitor.cli.app import app as cli
from dlq_monitor.settings import DlqSettings
from tests.support.services import Running, Services
from tests.support.space import Space
from tests.support.waiting import eventually
from tests.support.wire import Wire
from warren.envelope import Event
from warren.messaging import failures
from warren.messaging.codec import split
from warren.topology import COMMANDS, DEAD, EVENTS

QUEUE = "chat.commands.0-of-2"
CAUSES = 12


@pytest.fixture
async def dlq(wire: Wire, space: Space, services: Services) -> Running:
    """A dlq-monitor, alone, beside all queues."""
    await wire.declare(space.topology)
    return await services.start(build, DlqSettings)


async def test_letters_of_twelve_causes_are_twelve_groups_and_still_are_after_a_restart(
    dlq: Running, wire: Wire, services: Services
) -> None:
    for n in range(120):
        await _die(wire, n, n % CAUSES)
    await eventually(lambda: _counted(dlq, 120), 20)
    before = (await dlq.http.get("/groups")).json()
    assert (before["total"], {g["count"] for g in before["items"]}) == (CAUSES, {10})
    one = before["items"][3]
    found = (await dlq.http.get("/letters", params={"group": one["id"], "limit": 7})).json()
    assert (found["total"], {r["group"] for r in found["items"]}) == (10, {one["id"]})
    await dlq.http.post(f"/letters/{found['items'][0]['id']}/discard", json={"actor": "ann", "reason": "a test"})
    await dlq.stop()
    again = await services.start(build, DlqSettings)
    after = (await again.http.get("/groups")).json()
    assert {g["id"]: g["count"] for g in after["items"]} == {g["id"]: 10 for g in before["items"]}
    kept = (await again.http.get(f"/groups/{one['id'][:8]}")).json()
    assert (kept["counts"]["discarded"], kept["open"], sum(h["count"] for h in kept["hours"])) == (1, 9, 10)


async def test_the_same_death_is_counted_once(dlq: Running, wire: Wire, services: Services) -> None:
    for _ in range(3):
        await _die(wire, 1, 1)
    await eventually(lambda: _seen(dlq, 3))
    assert (await dlq.http.get("/groups")).json()["items"][0]["count"] == 1


async def test_a_group_that_comes_back_is_reopened_and_says_so(dlq: Running, wire: Wire, services: Services) -> None:
    await _die(wire, 1, 1)
    await eventually(lambda: _counted(dlq, 1))
    (group,) = (await dlq.http.get("/groups")).json()["items"]
    path = f"/groups/{group['id']}"
    said = {"actor": "ann", "status": "resolved", "note": "fixed in 1.4.2", "owner": "ann", "reason": "deployed"}
    closed = (await dlq.http.patch(path, json=said)).json()
    assert (closed["status"], closed["note"], closed["owner"]) == ("resolved", "fixed in 1.4.2", "ann")
    await _die(wire, 2, 1)
    await eventually(lambda: _counted(dlq, 2))
    await dlq.stop()
    again = await services.start(build, DlqSettings)
    opened = (await again.http.get(path)).json()
    assert (opened["status"], opened["note"]) == ("held", "fixed in 1.4.2")
    assert [(s["action"], s["actor"]) for s in opened["history"]] == [("resolved", "ann"), ("reopened", "dlq-monitor")]


async def test_a_saying_is_checked(dlq: Running, wire: Wire) -> None:
    await _die(wire, 1, 1)
    await eventually(lambda: _counted(dlq, 1))
    (group,) = (await dlq.http.get("/groups")).json()["items"]
    path = f"/groups/{group['id']}"
    for wrong in ({"actor": "a"}, {"actor": "a", "status": "retrying"}, {"note": "who?"}, {"actor": "a", "nte": ""}):
        assert (await dlq.http.patch(path, json=wrong)).status_code == 422, wrong
    assert (await dlq.http.patch("/groups/ffff", json={"actor": "a", "note": "x"})).status_code == 404
    assert (await dlq.http.get(path, headers={"Authorization": "Bearer wrong"})).status_code == 401
    assert (await dlq.http.get("/groups/x..")).status_code == 422


async def test_what_is_dealt_with_goes_by_count_and_what_is_open_stays(
    wire: Wire, space: Space, services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    """The limit is two; a discarded letter can be restored until it goes."""
    await wire.declare(space.topology)
    dlq = await services.start(build, DlqSettings)
    for n in range(5):
        await _die(wire, n, n % 2)
    await eventually(lambda: _counted(dlq, 5))
    rows = (await dlq.http.get("/letters")).json()["items"]
    for row in rows[:3]:
        await dlq.http.post(f"/letters/{row['id']}/discard", json={"actor": "ann", "reason": "a test"})
    back = await dlq.http.post(f"/letters/{rows[0]['id']}/restore", json={"actor": "ann", "reason": "no test"})
    assert (back.json()["status"], back.json()["history"][-1]["action"]) == ("held", "restored")
    assert (await dlq.http.post(f"/letters/{rows[0]['id']}/restore", json={"actor": "ann"})).status_code == 409
    await dlq.stop()
    again = await services.start(build, DlqSettings, dlq_keep=2)
    await eventually(lambda: _counted(again, 3))
    left = (await again.http.get("/letters")).json()["items"]
    assert {r["id"] for r in left} == {r["id"] for r in (rows[0], *rows[3:])}
    await eventually(lambda: "more letters are open than are to be kept" in caplog.text)
    assert "warren_letters_over_limit 1.0" in (await again.http.get("/metrics")).text
    await again.stop()
    last = await services.start(build, DlqSettings, dlq_keep_open_days=1e-6)
    await eventually(lambda: _counted(last, 0))
    assert "open letters removed" in caplog.text
    assert (await last.http.get("/groups")).json()["total"] == 0


async def test_groups_on_the_command_line(dlq: Running, wire: Wire, space: Space) -> None:
    async def warren(*words: str) -> Result:
        env = {"WARREN_SERVICE_TOKEN": space.service_token}
        return await asyncio.to_thread(CliRunner().invoke, cli, [*words, "--url", dlq.url], env=env)

    for n in range(4):
        await _die(wire, n, n % 2)
    await eventually(lambda: _counted(dlq, 4))
    listed = orjson.loads((await warren("groups", "--json", "--queue", "chat.*", "--since", "2h")).stdout)
    assert (listed["total"], {g["cause"] for g in listed["items"]}) == (2, {"Error0", "Error1"})
    id = listed["items"][0]["id"]  # noqa: A001 - the group's
    assert id in (await warren("groups")).stdout
    said = await warren(
        "groups", id[:5], "--owner", "ann", "--set", "held", "--reason", "[b]looking[/]", "--actor", "bo"
    )
    assert "[b]looking[/]" in said.stdout, "what people write is no markup"
    shown = await warren("groups", id)
    assert ("held" in shown.stdout, "ann" in shown.stdout, "no answer in <n> s" in shown.stdout) == (True,) * 3
    assert (await warren("groups", "--note", "of what?")).exit_code == 2
    assert (await warren("groups", "xyz")).exit_code == 1
    assert (await warren("groups", "ffffff")).exit_code == 1
    assert orjson.loads((await warren("list", "--json", "--group", id[:6])).stdout)["total"] == 2
    row = listed["items"][0]
    letter = orjson.loads((await warren("list", "--json", "--group", row["id"])).stdout)["items"][0]["id"]
    assert (await warren("discard", letter, "--reason", "x")).exit_code == 0
    assert (await warren("restore", letter)).exit_code == 0
    assert (await warren("restore", letter)).exit_code == 1


async def _die(wire: Wire, n: int, cause: int) -> None:
    """Let message `n` die of one of many causes, told in words of its own."""
    error = type(f"Error{cause}", (Exception,), {})(f"no answer in {n} s from 'user-{n}'")
    died = Event("message.post.v1", orjson.dumps({"n": n}), "chat.0", COMMANDS, id=f"m-{n}")
    copy = failures.dead_copy(died, "chat", "chat@1", QUEUE, error)
    await wire.publish(DEAD, "chat.dead", died.body, type=died.type, message_id=died.id, headers={**copy.headers})


async def _counted(dlq: Running, wanted: int) -> bool:
    found = (await dlq.http.get("/letters")).json()["total"]
    assert found == wanted, f"{found} letters"
    return True


async def _seen(dlq: Running, times: int) -> bool:
    rows: list[dict[str, Any]] = (await dlq.http.get("/letters")).json()["items"]
    return bool(rows) and (await dlq.http.get(f"/letters/{rows[0]['id']}")).json()["seen"] == times


async def test_a_group_is_discarded_and_each_letter_says_so(
    dlq: Running, wire: Wire, space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WARREN_SERVICE_TOKEN", space.service_token)
    facts = await wire.collect(EVENTS, "deadletter.discarded")
    for n, cause in enumerate((1, 1, 1, 2)):
        await _die(wire, n, cause)
    await eventually(lambda: _counted(dlq, 4))
    group = next(g for g in (await dlq.http.get("/groups")).json()["items"] if g["count"] == 3)

    async def discard(*words: str) -> Result:
        return await asyncio.to_thread(
            CliRunner().invoke, cli, ["discard", *words, "--url", dlq.url, "--reason", "a test"]
        )

    assert (await discard()).exit_code == 2, "nothing says which"
    dry = await discard("--group", group["id"], "--dry-run", "--json")
    assert orjson.loads(dry.stdout) == {"total": 3, "busy": 0, "discarded": 0}
    done = await discard("--group", group["id"], "--yes", "--json", "--actor", "ann")
    assert orjson.loads(done.stdout) == {"total": 3, "busy": 0, "discarded": 3}
    rows = (await dlq.http.get("/letters", params={"status": "discarded"})).json()["items"]
    assert {r["group"] for r in rows} == {group["id"]}
    history = (await dlq.http.get(f"/letters/{rows[0]['id']}")).json()["history"]
    assert (history[-1]["action"], history[-1]["actor"], history[-1]["reason"]) == ("discarded", "ann", "a test")
    told: list[Event] = []
    while len(told) < 3:
        told += split(await wire.take(facts))
    assert {e.type for e in told} == {"deadletter.discarded.v1"}
    assert (await dlq.http.post(f"/letters/{rows[0]['id']}/restore", json={"actor": "ann"})).is_success
