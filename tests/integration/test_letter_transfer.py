"""Export and import on real nodes: what is written out on one desk is the same on another, to the last byte."""

from __future__ import annotations

import asyncio
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
from typer.testing import CliRunner, Result

from dlq_monitor.app import build
from dlq_monitor.cli import app as cli
from dlq_monitor.settings import DlqSettings
from tests.support.raw import RawClient, long, properties, short
from tests.support.services import Running, Services
from tests.support.space import Space
from tests.support.waiting import eventually
from tests.support.wire import Wire


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
