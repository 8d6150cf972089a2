"""Rules on real nodes: what passes by itself is sent again after its delay, so many times; the rest waits."""

from __future__ import annotations

import asyncio
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner, Result

from dlq_monitor.app import build
from dlq_monitor.cli.app import app as cli
from dlq_monitor.rules import RulesError
from dlq_monitor.settings import DlqSettings
from tests.support.services import Running, Services
from tests.support.space import Space
from tests.support.waiting import eventually
from tests.support.wire import Wire
from warren.envelope import REPLAYS, Event
from warren.messaging import failures
from warren.topology import COMMANDS, DEAD

QUEUE = "other.work"  # of a service outside of the topology: reached by its name
RULES = """
rules:
- {name: passing, match: {transient: true}, do: republish, times: 2, delay: 1s, factor: 1, jitter: 0}
- {name: tests, match: {cause: KeyError}, do: discard, after: 0s}
- {name: rest, do: hold, alert: warning}
"""


@pytest.fixture
def rules(tmp_path: Path) -> str:
    """A file of rules that has short times."""
    path = tmp_path / "rules.yaml"
    path.write_text(RULES)
    return str(path)


async def test_a_passing_cause_is_sent_again_so_many_times_and_then_held(
    wire: Wire, space: Space, services: Services, rules: str
) -> None:
    """By our own count, which the message carries: the broker knows nothing of it."""
    await _declare(wire, space)
    dlq = await services.start(build, DlqSettings, dlq_rules=rules)
    headers: dict[str, Any] = {}
    for replays in (1, 2):
        await _die(wire, TimeoutError("no answer"), headers)
        waiting = await eventually(lambda: _one(dlq, "retrying"))
        due, parked = (datetime.fromisoformat(waiting[k]) for k in ("due", "first"))
        assert (due - parked).total_seconds() == pytest.approx(1, abs=0.01)
        again = await wire.take(QUEUE)
        headers = dict(again.headers)
        assert (again.message_id, headers[REPLAYS]) == ("m-1", replays)
        await eventually(lambda: _count(dlq, "replayed", 1))
    await _die(wire, TimeoutError("no answer"), headers)
    held = await eventually(lambda: _one(dlq, "held"))
    assert (held["replays"], held["due"], held["history"][1]["actor"]) == (2, None, "rule rest")
    assert await _count(dlq, "returned", 2)
    (group,) = (await dlq.http.get("/groups")).json()["items"]
    assert (group["status"], group["count"], group["open"]) == ("held", 3, 1)


async def test_a_plan_survives_the_process_and_people_go_first(
    wire: Wire, space: Space, services: Services, rules: str
) -> None:
    await _declare(wire, space)
    dlq = await services.start(build, DlqSettings, dlq_rules=rules)
    await _die(wire, TimeoutError("no answer"), {})
    await eventually(lambda: _one(dlq, "retrying"))
    (group,) = (await dlq.http.get("/groups")).json()["items"]
    await dlq.http.patch(f"/groups/{group['id']}", json={"actor": "ann", "status": "held"})
    await eventually(lambda: _one(dlq, "held"), what="the plan was looked at again")
    assert await wire.depth(QUEUE) == 0
    await dlq.http.patch(f"/groups/{group['id']}", json={"actor": "ann", "status": "new"})
    await _die(wire, TimeoutError("no answer"), {}, id="m-2")
    await eventually(lambda: _one(dlq, "retrying"))
    await dlq.stop()
    again = await services.start(build, DlqSettings, dlq_rules=rules)
    assert (await wire.take(QUEUE)).message_id == "m-2"
    await eventually(lambda: _count(again, "replayed", 1))


async def test_a_number_in_a_header_keeps_all_its_digits_and_a_plan_that_cannot_be_carried_out_is_given_up(
    wire: Wire, space: Space, services: Services, rules: str
) -> None:
    await _declare(wire, space)
    dlq = await services.start(build, DlqSettings, dlq_rules=rules)
    await _die(wire, TimeoutError("no answer"), {"tenth": 0.1, "huge": 1e300})
    again = await wire.take(QUEUE)
    assert (again.headers["tenth"], again.headers["huge"]) == (0.1, 1e300)
    await eventually(lambda: _count(dlq, "replayed", 1))
    await _die(wire, TimeoutError("no answer"), {}, id="m-2")
    await eventually(lambda: _one(dlq, "retrying"))
    await wire.channel.queue_delete(QUEUE)
    held = await eventually(lambda: _one(dlq, "held"))
    assert f"is {QUEUE} still there" in held["history"][-1]["reason"]


async def test_what_is_discarded_by_a_rule_can_be_restored_and_a_group_is_one_alert(
    wire: Wire, space: Space, services: Services, rules: str
) -> None:
    await _declare(wire, space)
    dlq = await services.start(build, DlqSettings, dlq_rules=rules, alert_quiet=0, watch_ignore="*")
    await _die(wire, KeyError("x"), {})
    gone = await eventually(lambda: _one(dlq, "discarded"))
    assert gone["history"][-1]["actor"] == "rule tests"
    restored = await dlq.http.post(f"/letters/{gone['id']}/restore", json={"actor": "ann"})
    assert (restored.json()["status"], restored.json()["due"]) == ("held", None)
    for n in range(3):
        await _die(wire, ValueError(f"no {n}"), {}, id=f"v-{n}")
    await eventually(lambda: _count(dlq, "held", 4))
    words = f"3 letters wait for a decision: died in {QUEUE} of ValueError"
    await eventually(lambda: _alerts(dlq, [words]), what="the rule's alert, and none for the rule without")


async def _alerts(dlq: Running, words: list[str]) -> bool:
    alerts = (await dlq.http.get("/alerts")).json()["items"]
    return [a["summary"] for a in alerts if a["alert"] == "letters_waiting"] == words


async def test_a_service_with_wrong_rules_does_not_start(services: Services, tmp_path: Path) -> None:
    wrong = tmp_path / "rules.yaml"
    wrong.write_text("rules:\n- name: x\n")
    with pytest.raises(RulesError, match="line 2: rule 1"):
        await services.start(build, DlqSettings, dlq_rules=str(wrong))


def _write(path: str, text: str) -> None:
    Path(path).write_text(text)


async def test_rules_on_the_command_line(wire: Wire, space: Space, services: Services, rules: str) -> None:
    async def warren(*words: str) -> Result:
        env = {"WARREN_SERVICE_TOKEN": space.service_token}
        return await asyncio.to_thread(CliRunner().invoke, cli, ["rules", *words], env=env)

    await _declare(wire, space)
    dlq = await services.start(build, DlqSettings, dlq_rules=rules)
    shown = orjson.loads((await warren("show", "--json", "--url", dlq.url)).stdout)
    assert [r["name"] for r in shown["rules"]] == ["passing", "tests", "rest"]
    assert "do: republish" in (await warren("show", "--url", dlq.url)).stdout
    assert (await warren("check", rules)).exit_code == 0
    default = (await warren("show", "--default")).stdout
    _write(rules, default)
    assert (await warren("check", rules)).exit_code == 0
    _write(rules, default.replace("times: 3", "times: many"))
    failed = await warren("check", rules)
    line = next(n for n, text in enumerate(default.splitlines(), 1) if "times: 3" in text)
    assert (failed.exit_code, f"line {line}: rule 1 → times" in failed.stderr) == (1, True)
    assert (await warren("check", "/no/such/file")).exit_code == 1
    assert orjson.loads((await warren("schema")).stdout)["title"] == "Rules"


async def _declare(wire: Wire, space: Space) -> None:
    await wire.declare(space.topology)
    await wire.channel.declare_queue(QUEUE, durable=True)


async def _die(wire: Wire, error: Exception, headers: dict[str, Any], id: str = "m-1") -> None:  # noqa: A002
    """Let a message die."""
    died = Event("message.post.v1", b"{}", "chat.0", COMMANDS, id=id, headers=headers)
    copy = failures.dead_copy(died, "chat", "chat@1", QUEUE, error)
    await wire.publish(DEAD, "chat.dead", died.body, type=died.type, message_id=died.id, headers={**copy.headers})


async def _one(dlq: Running, status: str) -> dict[str, Any] | None:
    """Return the one letter of a status, whole."""
    rows = (await dlq.http.get("/letters", params={"status": status})).json()["items"]
    if len(rows) != 1:
        return None
    found: dict[str, Any] = (await dlq.http.get(f"/letters/{rows[0]['id']}")).json()
    return found


async def _count(dlq: Running, status: str, wanted: int) -> bool:
    found: int = (await dlq.http.get("/letters", params={"status": status})).json()["total"]
    return found == wanted
