"""Who may do what at dlq-monitor: tokens, roles, names."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from typer.testing import CliRunner, Result

from dlq_monitor.access.tokens import made
from dlq_monitor.alerting.cli import app as alerts_cli
from dlq_monitor.app import build
from dlq_monitor.cli.app import app as cli
from dlq_monitor.settings import DlqSettings
from tests.support.services import Running, Services
from tests.support.space import Space
from tests.support.waiting import eventually
from tests.support.wire import Wire
from warren.topology import DEAD

SOME_ID = "0" * 32


@pytest.fixture
def people(tmp_path: Path) -> dict[str, str]:
    """Tokens of ann, who is an operator, and of rae, who is a reader; their file is `tokens`."""
    (ann, a), (rae, r) = made("ann", "operator"), made("rae", "reader")
    (tmp_path / "tokens").write_text(f"{a.line}\n{r.line}\n")
    return {"ann": ann, "rae": rae}


@pytest.fixture
async def dlq(wire: Wire, space: Space, services: Services, people: dict[str, str], tmp_path: Path) -> Running:
    """A dlq-monitor with these people and two letters."""
    await wire.declare(space.topology)
    running = await services.start(build, DlqSettings, dlq_tokens=str(tmp_path / "tokens"))
    for n in (1, 2):
        await wire.publish(DEAD, "chat.dead", b"?", message_id=f"m-{n}")
    await eventually(lambda: _letters(running, 2))
    return running


async def test_readers_look_operators_act_and_strangers_stay_outside(dlq: Running, people: dict[str, str]) -> None:
    ids = [r["id"] for r in (await dlq.http.get("/letters")).json()["items"]]
    discard = f"/letters/{ids[0]}/discard"
    assert await _session(dlq, people["rae"]) == {"name": "rae", "role": "reader"}
    assert await _session(dlq, people["ann"]) == {"name": "ann", "role": "operator"}
    assert (await dlq.http.get("/session")).json() == {"name": None, "role": "operator"}
    for path in ("/letters", "/groups", "/replays", "/rules", "/queues", "/alerts", "/silences", "/letters/export"):
        assert (await _ask(dlq, "GET", path, people["rae"])).status_code == 200, path
        for token in ("", "wrong", people["rae"][:-1], "ü"):
            assert (await _ask(dlq, "GET", path, token)).status_code == 401, path
    every = {"letters": {"all": True}}
    plan = await _ask(dlq, "POST", "/replays", people["rae"], {**every, "dry_run": True})
    assert plan.json()["plan"]["total"] == 0
    assert plan.json()["plan"]["unsendable"] == 2
    for method, path, body in (
        ("POST", "/replays", every),
        ("POST", "/replays", {**every, "dry_run": "true"}),
        ("POST", discard, {"reason": "x"}),
        ("POST", discard, {"reason": "x", "dry_run": True}),
        ("PATCH", "/groups/0", {"note": "x"}),
        ("POST", "/silences", {}),
        ("POST", "/letters/import", {}),
    ):
        refused = await _ask(dlq, method, path, people["rae"], body)
        assert (refused.status_code, refused.json()["detail"]) == (
            403,
            "rae is a reader: changes are for operators",
        ), path
        assert (await _ask(dlq, method, path, "wrong", body)).status_code == 401
    done = await _ask(dlq, "POST", discard, people["ann"], {"reason": "a test"})
    assert done.json()["history"][-1] == {**done.json()["history"][-1], "action": "discarded", "actor": "ann"}


async def test_a_named_token_acts_under_its_name_and_the_service_token_needs_one(
    dlq: Running, people: dict[str, str]
) -> None:
    path = f"/letters/{SOME_ID}/discard"
    foreign = await _ask(dlq, "POST", path, people["ann"], {"reason": "x", "actor": "bo"})
    assert (foreign.status_code, foreign.json()["detail"][:19]) == (422, "this token is ann's")
    assert (await _ask(dlq, "POST", path, people["ann"], {"reason": "x", "actor": "ann"})).status_code == 404
    nameless = await dlq.http.post(path, json={"reason": "x"})
    assert (nameless.status_code, nameless.json()["detail"][:15]) == (422, "say who does it")
    assert (await dlq.http.post(path, json={"reason": "x", "actor": "bo"})).status_code == 404


async def test_the_commands_take_a_token_and_act_under_its_name(dlq: Running, people: dict[str, str]) -> None:
    async def run(app: Any, name: str, *words: str) -> Result:
        env = {"WARREN_DLQ_TOKEN": people.get(name, name), "WARREN_SERVICE_TOKEN": None}
        return await asyncio.to_thread(CliRunner().invoke, app, [*words, "--url", dlq.url], env=env)

    listed = orjson.loads((await run(cli, "rae", "list", "--json")).stdout)
    id_ = listed["items"][0]["id"]
    assert (await run(alerts_cli, "rae", "list")).exit_code == 0
    refused = await run(cli, "rae", "discard", id_, "--reason", "x")
    assert "rae is a reader" in str(refused.exception)
    assert "a valid token is needed" in str((await run(cli, "nobody", "list")).exception)
    done = await run(cli, "ann", "discard", id_, "--reason", "x", "--json")
    assert orjson.loads(done.stdout)["history"][-1]["actor"] == "ann"
    words = ["--token", people["ann"], "restore", id_, "--json", "--url", dlq.url]
    given = await asyncio.to_thread(CliRunner().invoke, cli, words)
    assert orjson.loads(given.stdout)["history"][-1]["actor"] == "ann"


async def _ask(dlq: Running, method: str, path: str, token: str, body: object = None) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}".encode() if token else b"Basic eDp5"}
    return await dlq.http.request(method, path, headers=headers, json=body)


async def _session(dlq: Running, token: str) -> Any:
    return (await _ask(dlq, "GET", "/session", token)).json()


async def _letters(dlq: Running, wanted: int) -> bool:
    return bool((await dlq.http.get("/letters")).json()["total"] == wanted)
