"""`warren dlq … --direct QUEUE`: straight on a dead queue, while dlq-monitor is down."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest
from typer.testing import CliRunner, Result

from dlq_monitor.app import build
from dlq_monitor.cli.app import app as cli
from dlq_monitor.settings import DlqSettings
from tests.support.raw import RawClient, long, properties, short
from tests.support.services import Services
from tests.support.space import Space
from tests.support.waiting import eventually
from tests.support.wire import Wire
from warren.envelope import LETTER, TRACEPARENT, Event
from warren.messaging import codec, failures
from warren.stack.definitions import permissions
from warren.topology import COMMANDS, DEAD

KEY, QUEUE, DEAD_QUEUE = "chat.0", "audit.events", "audit.dead"

ODD = short(b"odd") + b"S" + long(b"\xff")


class _Direct:
    def __init__(self, url: str, queue: str = DEAD_QUEUE) -> None:
        self._env = {"WARREN_AMQP_URL": url, "WARREN_PARTITIONS": "2"}
        self._queue = queue

    async def run(self, *words: str) -> Result:
        return await asyncio.to_thread(CliRunner().invoke, cli, [*words, "--direct", self._queue], env=self._env)

    async def json(self, *words: str) -> Any:
        ran = await self.run(*words, "--json")
        assert ran.exit_code == 0, ran.output
        return orjson.loads(ran.stdout)


@pytest.fixture
async def direct(wire: Wire, space: Space) -> AsyncIterator[_Direct]:
    """Three messages in a dead queue, the second a stranger's; commands with no more rights than dlq-monitor has."""
    await wire.declare(space.topology)
    raw = await RawClient.open(space.amqp_url)
    for n in (1, 2, 3):
        if n == 2:
            assert await raw.publish(DEAD.encode(), DEAD_QUEUE.encode(), properties(headers=ODD), b"\xff\x00")
        else:
            await _publish(wire, _dead(n))
    await raw.close()
    await eventually(lambda: _depth(wire, DEAD_QUEUE, 3))
    user, grants = f"dlq_{space.vhost}", permissions(space.topology, "dlq-monitor")
    await space.management.add_user(user, "secret", space.vhost, grants)
    parts = urlsplit(space.amqp_url)
    yield _Direct(parts._replace(netloc=f"{user}:secret@{parts.hostname}:{parts.port}").geturl())
    await space.management.delete_user(user)


async def test_looking_takes_nothing_and_keeps_the_order(direct: _Direct, wire: Wire) -> None:
    listed = await direct.json("list")
    assert [i["message_id"] for i in listed["items"]] == ["m-3", None, "m-1"]
    assert listed["items"][0] == {**listed["items"][0], "queue": QUEUE, "cause": "ValueError", "status": "new"}
    assert await direct.json("list") == listed | {
        "items": [*map(_same_but_time, listed["items"], [False, True, False])]
    }
    assert (await direct.json("list", "--cause", "valueerr", "--limit", "1"))["total"] == 2
    few = await direct.run("list", "--look", "2")
    assert "only the first 2 messages" in few.stderr
    odd = await direct.json("show", listed["items"][1]["id"][:10])
    assert odd["body"]["encoding"] == "base64"
    assert odd["headers"]["odd"] == {"$amqp": ["S", "/w=="]}
    assert (await direct.run("show", "ffff")).exit_code == 1
    assert (await direct.run("list", "--look", "1")).exit_code == 0
    assert (await direct.run("list", "--status", "held")).exit_code == 2
    for n in range(4, 54):  # above 32 the broker itself forgets the order of what comes back
        await _publish(wire, _dead(n))
    await eventually(lambda: _depth(wire, DEAD_QUEUE, 53))
    for look in ("60", "40", "10"):
        await direct.run("list", "--look", look)
    tenth = next(i["id"] for i in (await direct.json("list"))["items"] if i["message_id"] == "m-10")
    assert (await direct.run("replay", tenth)).exit_code == 0
    assert await wire.depth(DEAD_QUEUE) == 52
    left = [(await wire.take(DEAD_QUEUE)).message_id for _ in range(52)]
    assert left == ["m-1", None, *(f"m-{n}" for n in range(3, 54) if n != 10)]


async def test_replay_sends_to_the_queue_it_died_in_and_then_takes_it_off(direct: _Direct, wire: Wire) -> None:
    plan = await direct.json("replay", "--all", "--dry-run")
    assert plan["parts"] == [{"queue": QUEUE, "exchange": "audit.again", "key": KEY, "count": 2}]
    assert [*plan["unsendable"].values()] == ["it is not known which queue it died in"]
    assert await direct.json("replay", "--all", "--yes") == {"total": 2, "sent": 2, "failed": {}, "gone": 0}
    for n in (1, 3):
        again = await wire.take(QUEUE)
        assert (again.message_id, again.headers["mine"], again.headers["x-warren-replays"]) == (f"m-{n}", n, 1)
        assert str(again.headers[TRACEPARENT])[3:35] == again.headers[LETTER], "a trace of its own, as by dlq-monitor"
    assert await wire.depth(DEAD_QUEUE) == 1
    stranger = (await direct.json("list"))["items"][0]["id"]
    away = ("--to-exchange", "", "--to-key", "nowhere")
    failed = await direct.run("replay", stranger[:8], *away, "--json")
    assert failed.exit_code == 3
    assert "no queue takes nowhere" in orjson.loads(failed.stdout)["failed"][stranger]
    assert await wire.depth(DEAD_QUEUE) == 1


async def test_a_bundle_goes_as_a_whole_or_not_at_all(direct: _Direct, wire: Wire) -> None:
    two = codec.to_content([Event("a.v1", b"{}", KEY, id=f"b-{n}") for n in (1, 2)], "test")
    await wire.publish(COMMANDS, KEY, two.body, content_type=codec.BUNDLE, message_id="bundle", type=codec.BUNDLE_TYPE)
    await wire.reject(QUEUE)
    await eventually(lambda: _depth(wire, DEAD_QUEUE, 4))
    found = (await direct.json("list", "--cause", "rejected"))["items"]
    assert [i["message_id"] for i in found] == ["b-2", "b-1"]
    one = await direct.run("replay", found[0]["id"])
    assert one.exit_code == 1
    assert "shares a message" in one.stderr
    assert (await direct.run("discard", found[0]["id"], "--reason", "x")).exit_code == 1
    assert (await direct.json("replay", "--cause", "rejected", "--yes"))["sent"] == 2
    assert [(await wire.take(QUEUE)).message_id for _ in range(2)] == ["b-1", "b-2"]
    assert await wire.depth(DEAD_QUEUE) == 3


async def test_what_is_exported_or_discarded_can_be_imported_and_a_consumed_queue_is_left_alone(
    direct: _Direct, wire: Wire, services: Services, space: Space, tmp_path: Path
) -> None:
    first = (await direct.json("list"))["items"][-1]["id"]
    assert (await direct.run("discard", first)).exit_code == 2
    gone = await direct.run("discard", first, "--reason", "a test", "--actor", "ann", "--json")
    file = tmp_path / "letters.ndjson"
    assert (await direct.run("export", "--output", str(file))).exit_code == 0
    file.write_text(gone.stdout + file.read_text())
    assert await wire.depth(DEAD_QUEUE) == 2
    while await wire.get(DEAD_QUEUE):
        pass
    dlq = await services.start(build, DlqSettings)
    env = {"WARREN_SERVICE_TOKEN": space.service_token}
    words = ["import", str(file), "--url", dlq.url, "--json"]
    taken = await asyncio.to_thread(CliRunner().invoke, cli, words, env=env)
    assert orjson.loads(taken.stdout) == {"imported": 3, "known": 0}
    rows = (await dlq.http.get("/letters")).json()["items"]
    assert [(r["message_id"], r["status"]) for r in rows] == [("m-3", "new"), (None, "new"), ("m-1", "discarded")]
    replayed = await dlq.http.post(f"/letters/{rows[0]['id']}/replay", json={"actor": "ann"})
    assert replayed.status_code == 200
    assert (await wire.take(QUEUE)).message_id == "m-3"
    await eventually(lambda: _consumed(wire))
    busy = await direct.run("list")
    assert busy.exit_code == 1
    assert "somebody consumes audit.dead" in busy.stderr
    assert (await _Direct(space.amqp_url, "no.such").run("list")).exit_code == 1


def _same_but_time(item: dict[str, Any], invented: bool) -> dict[str, Any]:
    """A stranger's message does not say when it died."""
    return {**item, "time": _Any()} if invented else item


class _Any:
    def __eq__(self, _: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]  # it is equal to everything


def _dead(n: int) -> Event:
    died = Event("message.post.v1", b"{}", KEY, COMMANDS, id=f"m-{n}", headers={"mine": n})
    return failures.dead_copy(died, "audit", "audit@1", QUEUE, ValueError(f"no {n}"))


async def _publish(wire: Wire, event: Event) -> None:
    await wire.publish(
        event.exchange, event.routing_key, event.body, message_id=event.id, type=event.type, headers=dict(event.headers)
    )


async def _depth(wire: Wire, queue: str, wanted: int) -> bool:
    return await wire.depth(queue) == wanted


async def _consumed(wire: Wire) -> bool:
    return await wire.consumers(DEAD_QUEUE) > 0
