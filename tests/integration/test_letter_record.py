"""The record of changes at dlq-monitor: everything that was asked for, allowed or denied, and no flood of it."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from typer.testing import CliRunner

from dlq_monitor.access.model import Entry
from dlq_monitor.access.repository import Entries
from dlq_monitor.access.tokens import made
from dlq_monitor.app import build
from dlq_monitor.cli.app import app as cli
from dlq_monitor.settings import DlqSettings
from tests.support.proxy import Proxy
from tests.support.services import Running, Services
from tests.support.space import Space
from tests.support.waiting import eventually
from tests.support.wire import Wire
from warren.contracts import now
from warren.storage import Mongo
from warren.topology import DEAD

PATH = f"/letters/{'0' * 32}/discard"


@pytest.fixture
def people(tmp_path: Path) -> dict[str, str]:
    (ann, a), (rae, r) = made("ann", "operator"), made("rae", "reader")
    (tmp_path / "tokens").write_text(f"{a.line}\n{r.line}\n")
    return {"ann": ann, "rae": rae}


async def test_every_allow_and_deny_of_a_change_is_on_record(
    wire: Wire, space: Space, services: Services, people: dict[str, str], tmp_path: Path
) -> None:
    await wire.declare(space.topology)
    dlq = await services.start(build, DlqSettings, dlq_tokens=str(tmp_path / "tokens"))
    await wire.publish(DEAD, "chat.dead", b"?", message_id="m-1")
    await eventually(lambda: _has_a_letter(dlq))
    id_ = (await dlq.http.get("/letters")).json()["items"][0]["id"]
    discard = f"/letters/{id_}/discard"
    await _ask(dlq, "POST", discard, people["rae"], {"reason": "mine"})
    await _ask(dlq, "POST", discard, people["ann"], {"reason": "a test"})
    await _ask(dlq, "POST", discard, people["ann"], {"reason": "again"})
    await dlq.http.post(discard, json={"reason": "x"})
    await dlq.http.post(discard, content=b"{", headers={"Content-Type": "application/json"})
    await dlq.http.post("/replays", json={"actor": "bo", "letters": {"all": True}, "dry_run": True})
    await dlq.http.get("/letters")
    found = await _record(dlq, people["rae"])
    assert [(e["who"], e["role"], e["outcome"], e["status"], e["reason"]) for e in found] == [
        ("service token", "operator", "denied", 422, None),
        ("service token", "operator", "denied", 422, "x"),
        ("ann", "operator", "denied", 409, "again"),
        ("ann", "operator", "allowed", 200, "a test"),
        ("rae", "reader", "denied", 403, "mine"),
    ]
    assert {(e["method"], e["path"], e["actor"], e["count"]) for e in found} == {("POST", discard, None, 1)}
    pages, before = list[dict[str, Any]](), None
    while True:
        page = await _page(dlq, people["ann"], limit=2, before=before)
        pages += page["items"]
        if (before := page["next"]) is None:
            break
    assert pages == found
    listed = await asyncio.to_thread(
        CliRunner().invoke, cli, ["record", "--url", dlq.url], env={"WARREN_DLQ_TOKEN": people["rae"]}
    )
    assert "denied 403" in listed.stdout
    assert "a test" in listed.stdout
    await _flood(dlq, people["ann"])


async def _flood(dlq: Running, token: str) -> None:
    """A stranger's denials are counted, in few entries; what he sends is not even read."""
    await asyncio.gather(*[_ask(dlq, "POST", PATH, "wrong", {"actor": "eve", "reason": "?"}) for _ in range(59)])
    headers = {"Authorization": "Bearer wrong", "Content-Type": "application/json"}
    assert (await dlq.http.post("/nowhere", content=b"{", headers=headers)).status_code == 401

    async def told() -> list[dict[str, Any]] | None:
        found = [e for e in await _record(dlq, token) if e["who"] == "unknown"]
        return found if sum(e["count"] for e in found) == 60 else None

    found = await eventually(told, 15)
    assert 1 <= len(found) <= 3
    assert all(e == {**e, "role": None, "outcome": "denied", "status": 401, "actor": None} for e in found)
    assert found[0]["path"] == "/nowhere"


async def test_a_store_that_is_away_delays_no_refusal_for_long_and_loses_no_entry(
    wire: Wire, space: Space, services: Services, people: dict[str, str], tmp_path: Path
) -> None:
    await wire.declare(space.topology)
    async with Proxy(space.mongo_url).running() as store:
        dlq = await services.start(build, DlqSettings, mongo_url=store.url, dlq_tokens=str(tmp_path / "tokens"))
        store.stall()
        store.cut()
        began = time.monotonic()
        answers = await asyncio.gather(*[_ask(dlq, "POST", PATH, people["rae"], {"reason": str(n)}) for n in range(20)])
        assert {a.status_code for a in answers} == {403}
        assert time.monotonic() - began < 8
        store.flow()
        store.cut()

        async def told() -> bool:
            return {e["reason"] for e in await _record(dlq, people["rae"])} == {str(n) for n in range(20)}

        await eventually(told, 20)
        await dlq.stop()


async def test_the_record_is_bounded_by_age_and_number(space: Space) -> None:
    mongo = Mongo(space.mongo_url, f"{space.database_prefix}dlq", "test")
    entries = Entries(mongo.database)
    await entries.prepare()
    made_ = [
        Entry("ann", "operator", "POST", f"/{n}", "allowed", 200, time=now() - timedelta(days=130 - n))
        for n in range(130)
    ]
    await entries.add(made_[:100])
    await entries.add(made_[100:])
    await entries.add(made_[:5])  # as if the answer to the first write had been lost
    assert [e.path for e in await entries.page(200, None)] == [f"/{n}" for n in reversed(range(130))]
    await entries.trim(made_[10].time, 0)
    assert (await entries.page(200, None))[-1].path == "/10"
    await entries.trim(None, 60)
    left = await entries.page(200, None)
    assert left[0].path == "/129"
    assert 1 <= len(left) <= 60
    again = Entries(mongo.database)
    await again.add([Entry("bo", "operator", "POST", "/new", "allowed", 200)])
    assert (await again.page(1, None))[0].path == "/new"
    await again.trim(now(), 0)
    assert await again.page(10, None) == []
    mongo.close()


async def _record(dlq: Running, token: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await _page(dlq, token))["items"]
    return items


async def _page(dlq: Running, token: str, **query: int | None) -> dict[str, Any]:
    params = {k: v for k, v in query.items() if v is not None}
    answer = await dlq.http.get("/record", params=params, headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = orjson.loads(answer.content)
    return found


async def _ask(dlq: Running, method: str, path: str, token: str, body: object) -> httpx.Response:
    return await dlq.http.request(method, path, headers={"Authorization": f"Bearer {token}"}, json=body)


async def _has_a_letter(dlq: Running) -> bool:
    return bool((await dlq.http.get("/letters")).json()["total"])
