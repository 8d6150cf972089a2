"""dlq-monitor watches a real broker, and says what is wrong with it in time."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
from typer.testing import CliRunner, Result

from dlq_monitor.alerting.cli import app as cli
from dlq_monitor.app import build as build_dlq
from dlq_monitor.settings import DlqSettings
from tests.support.counterparts import Sink
from tests.support.nodes import free_port
from tests.support.services import Running, Services
from tests.support.space import Space
from tests.support.waiting import eventually
from tests.support.wire import Wire
from warren.topology import COMMANDS, DEAD, EVENTS

QUICK = {"alert_quiet": 0, "alert_settle": 0, "watch_interval": 0.5}
QUEUE = "chat.commands.0-of-2"


async def _firing(dlq: Running, alert: str, about: str = "") -> dict[str, Any] | None:
    """Return the alert of that name, about that queue, if it fires."""
    items = (await dlq.http.get("/alerts")).json()["items"]
    return next((a for a in items if a["alert"] == alert and about in ("", *a["labels"].values())), None)


async def test_a_backlog_that_grows_is_alerted_with_an_estimate(wire: Wire, space: Space, services: Services) -> None:
    await wire.declare(space.topology)
    watch = {"watch_backlog": 20, "watch_backlog_limit": 1000, "watch_window": 2}
    dlq = await services.start(build_dlq, DlqSettings, management_url=space.management_url, **QUICK, **watch)

    async def publish() -> None:
        while True:
            await wire.publish(COMMANDS, "chat.0", b"{}", type="message.post.v1")
            await asyncio.sleep(0.02)  # the pace of the publisher

    publishing = asyncio.create_task(publish())
    found = await eventually(lambda: _firing(dlq, "queue_backlog", QUEUE), 15)
    assert f"{QUEUE} holds" in found["summary"]
    assert "it never drains at present rates, 1,000 in" in found["summary"]
    queues = {q["name"]: q for q in (await dlq.http.get("/queues")).json()["items"]}
    assert queues[QUEUE]["growth"] > 0
    assert queues[QUEUE]["drain_seconds"] is None
    assert 0 < queues[QUEUE]["limit_seconds"] < 1000
    publishing.cancel()
    history = (await dlq.http.get(f"/queues/{QUEUE}/history", params={"seconds": 60})).json()["samples"]
    depths = [s["ready"] for s in history]
    assert depths == sorted(depths)
    assert depths[-1] >= 20
    await eventually(lambda: _counted(dlq, QUEUE), 15, what="the management API's counters are there")
    assert (await dlq.http.get("/queues/none/history")).status_code == 404
    assert f'warren_queue_ready{{queue="{QUEUE}"}}' in (await dlq.http.get("/metrics")).text


async def _counted(dlq: Running, queue: str) -> bool:
    [found] = [q for q in (await dlq.http.get("/queues")).json()["items"] if q["name"] == queue]
    return found["oldest_by"] == "estimated" and found["unacked"] == 0


async def test_letters_are_alerted_once_over_a_restart_and_cleared(
    wire: Wire, space: Space, services: Services
) -> None:
    await wire.declare(space.topology)
    told = await wire.collect(EVENTS, "alert.#")
    async with Sink(free_port()).running() as sink:
        hook = {"alert_webhook_url": sink.url, "watch_ignore": "*", **QUICK}
        dlq = await services.start(build_dlq, DlqSettings, **hook)
        await wire.publish(DEAD, "audit.dead", b"lost")
        alert = await eventually(lambda: _firing(dlq, "letters_waiting", "audit.dead"))
        assert alert["labels"].items() >= {"queue": "audit.dead", "cause": "unknown"}.items()
        await eventually(lambda: len(sink.taken) == 1)
        await eventually(lambda: _owes(dlq, []))
        await dlq.stop()

        dlq = await services.start(build_dlq, DlqSettings, **hook)
        again = await eventually(lambda: _firing(dlq, "letters_waiting"))
        assert again["id"] == alert["id"]
        [letter] = (await dlq.http.get("/letters")).json()["items"]
        decided = {"actor": "ada", "reason": "a test"}
        assert (await dlq.http.post(f"/letters/{letter['id']}/discard", json=decided)).status_code == 200
        await eventually(lambda: len(sink.taken) == 2, 15)
        assert [(t.json["kind"], len(t.json["alerts"])) for t in sink.taken] == [("raised", 1), ("cleared", 1)]
        facts = [orjson.loads((await wire.take(told)).body) for _ in range(2)]
        assert [f["summary"] for f in facts] == [alert["summary"]] * 2
        past = (await dlq.http.get("/alerts", params={"state": "cleared"})).json()["items"]
        assert [a["id"] for a in past] == [alert["id"]]


async def test_what_a_channel_is_owed_is_told_after_a_restart(wire: Wire, space: Space, services: Services) -> None:
    await wire.declare(space.topology)
    sink = Sink(free_port())
    hook = {"alert_webhook_url": sink.url, "watch_ignore": "*", **QUICK}
    dlq = await services.start(build_dlq, DlqSettings, **hook)
    await wire.publish(DEAD, "audit.dead", b"lost")
    alert = await eventually(lambda: _firing(dlq, "letters_waiting"))
    await eventually(lambda: _owes(dlq, ["webhook"]))
    await dlq.stop()
    async with sink.running():
        dlq = await services.start(build_dlq, DlqSettings, **hook)
        await eventually(lambda: _owes(dlq, []))
        assert [(t.json["kind"], t.json["alerts"][0]["id"]) for t in sink.taken] == [("raised", alert["id"])]


async def _owes(dlq: Running, channels: list[str]) -> bool:
    alert = await _firing(dlq, "letters_waiting")
    return alert is not None and alert["owed"] == channels


async def test_a_foreign_or_missing_management_api_is_said_and_stops_nothing(
    wire: Wire, space: Space, services: Services
) -> None:
    await wire.declare(space.topology)
    async with Sink(free_port()).running() as foreign:
        url = foreign.url.replace("http://", "http://a:b@")
        dlq = await services.start(build_dlq, DlqSettings, management_url=url, **QUICK)
        seen = await eventually(lambda: _queues(dlq))
        assert "does not answer like RabbitMQ" in seen["management"]
        assert {q["name"] for q in seen["items"]} >= {QUEUE, "audit.events", "audit.dead"}
        await wire.publish(DEAD, "audit.dead", b"lost")
        await eventually(lambda: _firing(dlq, "letters_waiting"))
        assert (await dlq.http.get("/health")).json()["ready"] is True


async def _queues(dlq: Running) -> dict[str, Any] | None:
    found: dict[str, Any] = (await dlq.http.get("/queues")).json()
    return found if found["items"] else None


async def test_the_command_line(wire: Wire, space: Space, services: Services) -> None:
    await wire.declare(space.topology)
    dead = f"http://127.0.0.1:{free_port()}"
    dlq = await services.start(build_dlq, DlqSettings, alert_webhook_url=dead, watch_ignore="*", **QUICK)

    async def warren(*words: str) -> Result:
        env = {"WARREN_SERVICE_TOKEN": space.service_token}
        return await asyncio.to_thread(CliRunner().invoke, cli, [*words, "--url", dlq.url], env=env)

    told = await wire.collect(EVENTS, "alert.raised")
    assert "took the test" in (await warren("test", "event", "--actor", "ada")).output
    assert "asked for by ada" in orjson.loads((await wire.take(told)).body)["summary"]
    failed = await warren("test", "webhook")
    assert (failed.exit_code, "ConnectError" in failed.output) == (1, True)
    unknown = await warren("test", "pigeon")
    assert (unknown.exit_code, "there is no channel pigeon" in unknown.output) == (1, True)

    quiet = ("silence", "letters_*", "--label", "queue=audit.*", "--for", "2h", "--reason", "a test", "--json")
    made = orjson.loads((await warren(*quiet)).stdout)
    await wire.publish(DEAD, "audit.dead", b"lost")
    alert = await eventually(lambda: _firing(dlq, "letters_waiting"))
    assert alert["silence"] == made["id"]
    listed = (await warren("list")).output
    assert all(words in listed for words in ("letters_waiting", "silenced", "a test", "webhook", "ConnectError"))
    content = orjson.loads((await warren("list", "--json")).stdout)
    assert (content["total"], content["silences"]) == (1, [made])
    assert await wire.depth(told) == 0
    assert "is over" in (await warren("unsilence", made["id"][:30], "--actor", "bob")).output
    assert orjson.loads((await wire.take(told)).body)["alert"] == "letters_waiting"
    assert (await warren("unsilence", made["id"])).exit_code == 1
    assert (await warren("silence", "x", "--for", "soon", "--reason", "r")).exit_code == 2

    del dlq.http.headers["Authorization"]
    for method, path in (("GET", "/alerts"), ("GET", "/silences"), ("GET", "/queues"), ("POST", "/alerts/test/log")):
        assert (await dlq.http.request(method, path)).status_code == 401
