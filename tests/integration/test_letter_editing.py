"""Edited replays on real nodes: checked before they are sent, never beside their original, and both on record."""

from __future__ import annotations

import asyncio
import base64
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner, Result

from chat.app import build as build_chat
from chat.settings import ChatSettings
from dlq_monitor.app import build
from dlq_monitor.cli.app import app as cli
from dlq_monitor.settings import DlqSettings
from tests.support.services import Running, Services
from tests.support.space import Space
from tests.support.waiting import eventually
from tests.support.wire import Wire
from warren.contracts import now
from warren.contracts.base import User
from warren.contracts.commands import PostMessage
from warren.envelope import LETTER, LINKED, REPLACES, TRACEPARENT, Event, event
from warren.messaging import failures
from warren.storage import Mongo
from warren.topology import COMMANDS, DEAD, chat_queue, partition

QUEUE = "other.work"  # of a service outside of the topology
CHAT = chat_queue(0, 2)
ROOM = next(f"room-{n}" for n in range(100) if partition(f"room-{n}", 2) == 0)
TRACE = f"00-{'a' * 32}-{'b' * 16}-00"
ANN = {"actor": "ann", "reason": "a wrong name"}


@pytest.fixture
async def dlq(wire: Wire, space: Space, services: Services) -> Running:
    """dlq-monitor, with a queue beside the topology."""
    await wire.declare(space.topology)
    await _declare(wire)
    return await services.start(build, DlqSettings, dlq_settle=1, watch_ignore="*")


async def test_the_copy_does_its_work_and_the_record_shows_both(wire: Wire, dlq: Running, services: Services) -> None:
    await services.start(build_chat, ChatSettings)
    await _die(wire, _post(body="wrong"), CHAT, headers={"mine": 7})
    original = await _only(dlq, "held")
    body = {**orjson.loads(original["body"]["data"]), "body": "right"}
    edit = {**ANN, "body": {"encoding": "utf-8", "data": orjson.dumps(body).decode()}, "headers": {"mine": 8}}
    url = f"/letters/{original['id']}/edit"

    dry = (await dlq.http.post(url, json={**edit, "dry_run": True})).json()
    assert dry["letter"] is None
    plan = dry["plan"]
    assert (plan["queue"], plan["exchange"], plan["checked"], plan["outcome"], plan["at_least_once"]) == (
        CHAT,
        "chat.again",
        "message.post.v1",
        "fact",
        False,
    )
    assert (plan["headers"]["mine"], plan["headers"][REPLACES]) == (8, "m-1")
    assert (await _letter(dlq, original["id"]))["status"] == "held", "a plan changes nothing"

    answer = await dlq.http.post(url, json=edit)
    assert answer.is_success, answer.text
    done = answer.json()
    copy = done["letter"]
    assert (done["original"]["status"], done["original"]["replaced_by"]) == ("replaced", copy["id"])
    resolved = await eventually(lambda: _is(dlq, copy["id"], "resolved"))
    assert "message.posted.v1 was seen" in resolved["history"][-1]["reason"]
    assert (resolved["replaces"], resolved["message_id"] != "m-1") == (original["id"], True)
    assert [s["action"] for s in resolved["history"]] == ["edited", "replayed", "resolved"]
    assert {s["actor"] for s in resolved["history"][:2]} == {"ann"}
    was = await _letter(dlq, original["id"])
    assert was["history"][-1] | {"time": ""} == {
        "action": "replaced",
        "actor": "ann",
        "reason": "a wrong name",
        "time": "",
        "letter": copy["id"],
    }
    assert orjson.loads(was["body"]["data"])["body"] == "wrong"

    for decision in ("replay", "edit", "discard"):
        refused = await dlq.http.post(f"/letters/{original['id']}/{decision}", json=ANN)
        assert (refused.status_code, copy["id"] in refused.json()["detail"]) == (409, True), decision
    plan = (await dlq.http.post("/replays", json={**ANN, "letters": {"all": True}, "dry_run": True})).json()["plan"]
    assert plan["total"] == 0


async def test_what_the_contract_refuses_is_not_sent_and_stays_open(wire: Wire, dlq: Running) -> None:
    await _die(wire, _post(body="x"), CHAT)
    letter = await _only(dlq, "held")
    cases: list[tuple[dict[str, Any], str]] = [
        ({"body": {"encoding": "utf-8", "data": '{"room": "r"}'}}, "message.post.v1: "),
        ({"body": {"encoding": "utf-8", "data": "no json"}}, "message.post.v1: "),
        ({"properties": {"type": "message.post.v9"}}, "unknown version"),
        ({"properties": {"type": None}}, "the message has no type"),
        ({"properties": {"expiration": "5"}}, "can't be changed"),
        ({"properties": {"app_id": "x" * 256}}, "longer than 255 bytes"),
        ({"headers": {"x-death": []}}, "not the sender's to set"),
        ({"headers": {"big": "x" * 50_000}}, "more than 49152 bytes"),
        ({"headers": {"t": {"$date": "soon"}}}, "does not fit its tag"),
        ({"body": {"encoding": "base64", "data": "%"}}, "base64"),
    ]
    for change, words in cases:
        for dry in (True, False):
            answer = await dlq.http.post(f"/letters/{letter['id']}/edit", json={**ANN, **change, "dry_run": dry})
            assert (answer.status_code, words in answer.text) == (422, True), (change, answer.text)
    assert (await _letter(dlq, letter["id"]))["status"] == "held"
    assert await wire.depth("chat.dead") == 0


async def test_a_strangers_message_goes_in_a_trace_of_its_own(wire: Wire, dlq: Running) -> None:
    """No contract is known for it, and the plan says so; any bytes may be its body."""
    strange = Event(
        "strange", b"\x00", QUEUE, id="m-1", headers={TRACEPARENT: TRACE, "kept": "yes"}, content_type="x/y"
    )
    await _die(wire, strange, QUEUE)
    letter = await _only(dlq, "held")
    assert letter["editable"]["headers"] == {"kept": "yes"}
    edit = {**ANN, "body": {"encoding": "base64", "data": base64.b64encode(b"\xff\x00").decode()}}
    answer = (await dlq.http.post(f"/letters/{letter['id']}/edit", json=edit)).json()
    assert (answer["plan"]["checked"], answer["plan"]["outcome"], answer["plan"]["at_least_once"]) == (
        None,
        "quiet",
        True,
    )
    sent = await wire.take(QUEUE)
    copy = answer["letter"]
    assert (sent.body, sent.message_id, sent.content_type) == (b"\xff\x00", copy["message_id"], "x/y")
    assert {k: sent.headers[k] for k in ("kept", REPLACES, LETTER, LINKED)} == {
        "kept": "yes",
        REPLACES: "m-1",
        LETTER: copy["id"],
        LINKED: TRACE,
    }
    assert str(sent.headers[TRACEPARENT])[3:35] == copy["id"], "a replay's trace is named by its letter"
    await eventually(lambda: _is(dlq, copy["id"], "resolved"))


async def test_a_copy_that_cannot_be_sent_is_kept_and_goes_later(wire: Wire, dlq: Running) -> None:
    """Between the two writes and the sending anything may happen: the copy waits, the original never goes as well."""
    await _die(wire, Event("strange", b"{}", QUEUE, id="m-1"), QUEUE)
    letter = await _only(dlq, "held")
    await wire.channel.queue_delete(QUEUE)
    answer = await dlq.http.post(f"/letters/{letter['id']}/edit", json={**ANN, "properties": {"app_id": "me"}})
    assert answer.status_code == 409
    copy = await _only(dlq, "held")
    assert (copy["id"] in answer.json()["detail"], copy["replaces"]) == (True, letter["id"])
    await _declare(wire)
    assert (await dlq.http.post(f"/letters/{copy['id']}/replay", json=ANN)).status_code == 200
    sent = await wire.take(QUEUE)
    assert (sent.app_id, sent.headers[REPLACES]) == ("me", "m-1")


async def test_a_copy_whose_sending_was_cut_off_is_found_at_the_next_start(
    wire: Wire, dlq: Running, space: Space, services: Services
) -> None:
    await _die(wire, Event("strange", b"{}", QUEUE, id="m-1"), QUEUE)
    letter = await _only(dlq, "held")
    done = (await dlq.http.post(f"/letters/{letter['id']}/edit", json=ANN)).json()
    await wire.take(QUEUE)
    copy = await eventually(lambda: _is(dlq, done["letter"]["id"], "resolved"))
    await dlq.stop()
    settings = DlqSettings(**space.settings)  # type: ignore[arg-type]
    mongo = Mongo(space.mongo_url, settings.database, "test")
    await mongo.database["letters"].update_one({"_id": copy["id"]}, {"$set": {"status": "edited"}})
    mongo.close()
    again = await services.start(build, DlqSettings, watch_ignore="*")
    found = await eventually(lambda: _is(again, copy["id"], "held"))
    assert "cut off" in found["history"][-1]["reason"]


async def _declare(wire: Wire) -> None:
    await wire.channel.declare_queue(QUEUE, durable=True, arguments={"x-queue-type": "quorum"})


async def _die(wire: Wire, one: Event, queue: str, headers: dict[str, Any] | None = None) -> None:
    one = replace(one, id="m-1", headers=headers or one.headers)
    copy = failures.dead_copy(one, "chat" if queue == CHAT else "other", "i", queue, ValueError("it is wrong"))
    properties = {"type": one.type, "message_id": "m-1", "content_type": one.content_type, "headers": {**copy.headers}}
    await wire.publish(DEAD, "chat.dead", one.body, **properties)


def _post(body: str) -> Event:
    data = PostMessage(room=ROOM, id="p-1", user=User(id="u", name="u"), time=now(), body=body)
    return event(data, COMMANDS, "chat.0")


async def _letter(dlq: Running, id: str) -> dict[str, Any]:  # noqa: A002 - the letter's
    found: dict[str, Any] = (await dlq.http.get(f"/letters/{id}")).json()
    return found


async def _is(dlq: Running, id: str, status: str) -> dict[str, Any] | None:  # noqa: A002 - the letter's
    found = await _letter(dlq, id)
    return found if found["status"] == status else None


async def _only(dlq: Running, status: str) -> dict[str, Any]:
    async def one() -> dict[str, Any] | None:
        rows = (await dlq.http.get("/letters", params={"status": status})).json()["items"]
        return await _letter(dlq, rows[0]["id"]) if len(rows) == 1 else None

    return await eventually(one)


async def test_on_the_command_line(
    wire: Wire, dlq: Running, space: Space, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WARREN_SERVICE_TOKEN", space.service_token)
    await _die(wire, replace(_post(body="wrong"), headers={"mine": 7}), QUEUE)
    letter = await _only(dlq, "held")

    async def run(*arguments: str) -> Result:
        return await asyncio.to_thread(
            CliRunner().invoke, cli, ["edit", letter["id"][:8], "--url", dlq.url, *arguments]
        )

    printed = await run("--print")
    found = orjson.loads(printed.stdout)
    assert (found["type"], found["headers"], found["body"]["body"]) == ("message.post.v1", {"mine": 7}, "wrong")
    file = tmp_path / "letter.json"
    file.write_text(printed.stdout)
    assert "nothing was changed" in (await run("--file", str(file))).stderr

    file.write_bytes(orjson.dumps({**found, "body": {"room": 5}}))
    wrong = await run("--file", str(file), "--yes")
    assert (wrong.exit_code, "message.post.v1: " in wrong.stderr, str(file) in wrong.stderr.replace("\n", "")) == (
        1,
        True,
        True,
    )
    editor = tmp_path / "editor"
    editor.write_text(f"#!{sys.executable}\nimport sys\np = sys.argv[1]\nt = open(p).read()\n" + _EDIT)
    editor.chmod(0o700)
    monkeypatch.setenv("VISUAL", str(editor))
    plan = orjson.loads((await run("--dry-run", "--json")).stdout)
    assert (plan["queue"], plan["checked"]) == (QUEUE, "message.post.v1")
    done = await run("--yes", "--reason", "a wrong word")
    assert (done.exit_code, "sent as letter" in done.stdout) == (0, True), done.stderr
    assert "it is a valid message.post.v1" in done.stderr
    sent = await wire.take(QUEUE)
    assert (orjson.loads(sent.body)["body"], sent.headers["mine"]) == ("right", 7)
    assert (await run("--file", str(file))).exit_code == 1, "it was replaced"


_EDIT = 'open(p, "w").write(t.replace("wrong", "right"))\n'
