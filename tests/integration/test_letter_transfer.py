"""Export and import on real nodes: what is written out on one desk is the same on another, to the last byte."""

from __future__ import annotations

import asyncio
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from chat.app import build as build_chat
from chat.settings import ChatSettings
from dlq_monitor.app import build
from dlq_monitor.cli.app import app as cli
from dlq_monitor.settings import DlqSettings
from tests.support.raw import RawClient, long, properties, short
from tests.support.services import Running, Services
from tests.support.space import Space
from tests.support.waiting import eventually
from tests.support.wire import Wire
from tests.support.wire_tables import sorted_table, tables
from warren.messaging.fields import write_table

QUEUE = "other.work"
_ADDED = ("x-warren-", "traceparent", "x-delivery-count")


async def test_letters_move_to_another_desk_as_they_are(
    wire: Wire, space: Space, services: Services, tmp_path: Path
) -> None:
    await wire.declare(space.topology)
    dlq = await services.start(build, DlqSettings)
    other = Services(replace(space, database_prefix=f"{space.database_prefix}other_"))
    raw = await RawClient.open(space.amqp_url)
    table = b"".join(
        (
            short(b"text") + b"S" + long(b"words"),
            short(b"bytes") + b"x" + long(b"\x00\xff\xfe"),
            short(b"odd") + b"S" + long(b"\xff"),
            short(b"time") + b"T" + struct.pack(">Q", 1_800_000_000),
            short(b"none") + b"V",
            short(b"yes") + b"t\x01",
            short(b"list") + b"A" + long(b"l" + struct.pack(">q", -(2**60)) + b"t\x00"),
        )
    )
    bodies = [bytes(range(256)), b"", b"{}", b"x" * 3000]
    for n, body in enumerate(bodies):
        header = properties(message_id=b"m-%d" % n, type=b"any.v1", headers=table, reply_to=b"me")
        assert await raw.publish(b"warren.dead", b"chat.dead", header, body)
    await raw.close()
    await eventually(lambda: _total(dlq, len(bodies)))
    row = (await dlq.http.get("/letters")).json()["items"][0]
    await dlq.http.post(f"/letters/{row['id']}/discard", json={"actor": "ann", "reason": "a test"})
    file = tmp_path / "letters.ndjson"
    written = await _warren(space, dlq, "export", "--output", str(file))
    assert written.exit_code == 0, written.output
    one_desk = await _all(dlq)
    await dlq.stop()

    there = await other.start(build, DlqSettings)
    taken = await _warren(space, there, "import", str(file), "--json", "--actor", "bo", "--reason", "moved")
    assert orjson.loads(taken.stdout) == {"imported": 4, "known": 0}
    again = await _warren(space, there, "import", str(file), "--json", "--actor", "bo")
    assert orjson.loads(again.stdout) == {"imported": 0, "known": 4}
    other_desk = await _all(there)
    for letter in other_desk.values():
        assert letter["history"].pop() == {**letter["history"][-1], **_IMPORTED, "time": ANY}
    assert other_desk == one_desk
    groups = (await there.http.get("/groups")).json()["items"]
    assert sum(g["count"] for g in groups) == 4
    assert (await there.http.get("/letters", params={"status": "discarded"})).json()["total"] == 1
    await _refuses(space, there, tmp_path, file.read_text().splitlines()[0])
    await other.stop()


async def test_any_bytes_and_any_headers_go_the_whole_way(
    wire: Wire, space: Space, services: Services, tmp_path: Path
) -> None:
    """Refused by a service or put into a dead queue, parked, exported, imported elsewhere, sent again: bit by bit."""
    await wire.declare(space.topology)
    await wire.channel.declare_queue(QUEUE, durable=True, arguments={"x-queue-type": "quorum"})
    await services.start(build_chat, ChatSettings)
    dlq = await services.start(build, DlqSettings)
    messages = _messages()
    raw = await RawClient.open(space.amqp_url)
    for place, (headers, body) in enumerate(messages):
        exchange, key = ((b"warren.dead", b"chat.dead"), (b"warren.commands", b"chat.0"))[place % 2]
        header = properties(message_id=b"m-%d" % place, type=b"any.v1", headers=headers[4:])
        assert await raw.publish(exchange, key, header, body)
    await raw.close()
    await eventually(lambda: _total(dlq, len(messages)), 20)
    file = tmp_path / "letters.ndjson"
    assert (await _warren(space, dlq, "export", "--output", str(file))).exit_code == 0
    await dlq.stop()

    other = Services(replace(space, database_prefix=f"{space.database_prefix}other_"))
    there = await other.start(build, DlqSettings)
    assert (await _warren(space, there, "import", str(file))).exit_code == 0
    elsewhere = {"letters": {"all": True}, "to": {"exchange": "", "key": QUEUE}, "canary": False, "actor": "ann"}
    assert (await there.http.post("/replays", json=elsewhere)).is_success
    for _ in messages:
        message = await wire.take(QUEUE)
        headers, body = messages[int(str(message.message_id)[2:])]
        kept = {k: v for k, v in message.headers.items() if not k.startswith(_ADDED)}
        assert sorted_table(write_table(kept)) == sorted_table(headers)
        assert message.body == body
    await other.stop()


def _messages() -> list[tuple[bytes, bytes]]:
    """Return tables with their length, and bodies."""
    found: list[tuple[bytes, bytes]] = []

    @settings(max_examples=60, database=None, derandomize=True, deadline=None)
    @given(tables(), st.binary(max_size=200))
    def collect(headers: bytes, body: bytes) -> None:
        found.append((headers, body))

    collect()
    return found


async def _refuses(space: Space, dlq: Running, directory: Path, line: str) -> None:
    for name, text in (("json", line + "\n{\n"), ("letter", line.replace("any.v1", "any.v1", 1)[:-1] + ',"x":1}\n')):
        path = directory / name
        path.write_text(text)
        refused = await _warren(space, dlq, "import", str(path))
        assert refused.exit_code == 1, refused.output
        assert "line" in refused.stderr


class _Any:
    def __eq__(self, _: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]  # it is equal to everything


ANY = _Any()
_IMPORTED = {"action": "imported", "actor": "bo", "reason": "moved"}


async def _warren(space: Space, dlq: Running, *words: str) -> Result:
    env = {"WARREN_SERVICE_TOKEN": space.service_token}
    return await asyncio.to_thread(CliRunner().invoke, cli, [*words, "--url", dlq.url], env=env)


async def _all(dlq: Running) -> dict[str, dict[str, Any]]:
    rows = (await dlq.http.get("/letters")).json()["items"]
    return {r["id"]: (await dlq.http.get(f"/letters/{r['id']}")).json() for r in rows}


async def _total(dlq: Running, wanted: int) -> bool:
    found: int = (await dlq.http.get("/letters")).json()["total"]
    return found == wanted
