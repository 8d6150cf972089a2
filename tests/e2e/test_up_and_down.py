"""Starting and stopping: taken ports, kept data, children that die, and no orphans whatever happens."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import psutil
import pytest

from tests.support.stack import WARREN, Stack, enter, guest, warren
from tests.support.waiting import eventually
from warren.client import Rest

pytestmark = pytest.mark.timeout(240)


def family(stack: Stack) -> list[psutil.Process]:
    return [psutil.Process(p["pid"]) for p in stack.status()["processes"]]


def gone(processes: list[psutil.Process]) -> bool:
    return not [p for p in processes if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


def in_foreground(data: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [WARREN, "up", "--gateways", "1", "--data", data],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "NO_COLOR": "1"},
    )


async def test_beside_another_stack_killed_and_started_again_with_its_data(
    stack: Stack, tmp_path: Path, room: str
) -> None:
    """A second stack finds its ports taken; `kill -9` leaves no orphan, `down` neither; the data stays."""
    second = Stack(tmp_path / "data dir", gateways_wanted=1, options=("--chat", "2", "--audit", "2"))
    second.up()  # in a path with a space, as people have them
    try:
        status = second.status()
        names = {p["name"] for p in status["processes"]}
        assert {"chat", "chat-2", "audit", "audit-2", "presence", "dlq-monitor", "gateway-1"} < names
        assert set(status["services"]) == {"audit", "chat", "dlq-monitor", "presence"}
        assert not set(second.gateways) & set(stack.gateways)
        assert warren("up", "--detach", "--data", str(second.data)).returncode == 1  # it runs already
        base = second.gateways[0]
        token = (await guest(base, "Ann"))["token"]
        async with await enter(base, "", room, token) as ann:
            await ann.send_json({"type": "message", "id": "kept", "room": room, "body": "keep this"})
            await ann.expect("message", id="kept")
        assert json.loads(second.run("audit", "verify", "--json").stdout)["ok"] is True
        processes = family(second)
        supervisor = psutil.Process(processes[0].pid).parent()
        assert supervisor is not None
        supervisor.send_signal(signal.SIGKILL)
        await eventually(lambda: gone(processes), 15, what="kill -9 of the supervisor leaves no orphan")
        assert second.run("status").returncode == 1
    finally:
        second.discard()

    running = in_foreground(second.data)
    try:
        await eventually(lambda: second.run("status").returncode == 0, 60, what="all is ready", interval=0.5)
        async with Rest(second.gateways) as rest:
            page = [e async for e in rest.history(room, token)]
        assert [(e["seq"], e["body"]) for e in page] == [(1, "keep this")]
        former = second.kill("presence")
        back = lambda: second.runs("presence") and second.pid("presence") != former  # noqa: E731
        await eventually(back, 30, what="presence is started again", interval=0.5)
        await eventually(lambda: second.run("status").returncode == 0, 30, what="all is ready again", interval=0.5)
        processes = family(second)
        second.down()
    finally:
        running.send_signal(signal.SIGTERM)  # the same, if it has not come so far
        output, _ = running.communicate(timeout=60)
    assert running.returncode == 0, output
    assert "Web client" in output
    assert "presence" in output
    assert gone(processes)


def test_wrong_settings_end_the_start_with_a_reason(tmp_path: Path) -> None:
    failed = warren("up", "--detach", "--data", str(tmp_path), env={"WARREN_PARTITIONS": "none"})
    try:
        assert failed.returncode == 1
        assert "WARREN_PARTITIONS" in failed.stdout + failed.stderr
    finally:
        warren("down", "--data", str(tmp_path))


def test_doctor_says_what_is_there(tmp_path: Path) -> None:
    ran = warren("doctor", "--json", "--data", str(tmp_path))
    checks = json.loads(ran.stdout)
    assert ran.returncode == 0, ran.stdout
    assert "rabbitmq" in json.dumps(checks).lower()
