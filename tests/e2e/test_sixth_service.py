"""A sixth service is added to a copy of the project by following CONTRIBUTING.md, and receives facts."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import httpx

from tests.support.nodes import free_port
from tests.support.services import Services
from tests.support.space import Space
from tests.support.waiting import eventually
from tests.support.wire import Wire
from warren.contracts import User, now
from warren.contracts.events import MessagePosted, PresenceChanged
from warren.topology import EVENTS, dead_queue, room_key

PROJECT = Path(__file__).parents[2]
LISTS = {
    '[project.entry-points."warren.services"]\n': '[project.entry-points."warren.services"]\necho = "echo"\n',
    '  "services/dlq-monitor",\n': '  "services/dlq-monitor",\n  "services/echo",\n',
    '  "services/dlq-monitor/dlq_monitor",\n': '  "services/dlq-monitor/dlq_monitor",\n  "services/echo/echo",\n',
    '"audit", "dlq_monitor"]': '"audit", "dlq_monitor", "echo"]',
}


def follow_the_guide(copy: Path) -> None:
    """Do what CONTRIBUTING.md says under "Add a service", with the files it shows."""
    shutil.copytree(PROJECT, copy, ignore=shutil.ignore_patterns(".venv", ".warren", ".git", "__pycache__", ".*_cache"))
    guide = (copy / "CONTRIBUTING.md").read_text().split("## Add a service")[1]
    blocks = re.findall(r"```python\n(.*?)```", guide, re.DOTALL)
    queue, *files = blocks
    topology = copy / "shared/warren/topology.py"
    before = topology.read_text()
    after = before.replace(
        '            Queue("audit.events"', f"            {queue.strip()},\n" + '            Queue("audit.events"'
    )
    assert after != before
    topology.write_text(after)
    folder = copy / "services/echo/echo"
    folder.mkdir(parents=True)
    names = re.findall(r"^`(\w+\.py)`:$", guide, re.MULTILINE)
    assert names == ["__init__.py", "settings.py", "app.py", "__main__.py"]
    for name, text in zip(names, files, strict=True):
        (folder / name).write_text(text)
    pyproject = copy / "pyproject.toml"
    text = pyproject.read_text()
    for old, new in LISTS.items():
        assert old in text, old
        text = text.replace(old, new)
    pyproject.write_text(text)
    checked = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "services/echo", "shared/warren/topology.py"],
        cwd=copy,
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout


async def test_a_sixth_service_receives_facts(space: Space, wire: Wire, services: Services, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    follow_the_guide(copy)
    folders = [str(p.parent) for p in copy.glob("services/*/*/__init__.py")]
    path = os.pathsep.join([str(copy / "shared"), *[str(Path(f).parent) for f in folders]])
    await wire.declare(space.topology, "audit")
    port = free_port()
    log = tmp_path / "echo.log"
    with log.open("wb") as out:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "echo",
            env={**os.environ, **space.env(port=port, instance="echo"), "PYTHONPATH": path}, stdout=out, cwd=tmp_path,
        )  # fmt: skip
    try:
        async with httpx.AsyncClient() as http:
            await eventually(lambda: _ready(http, port), 30, what=f"echo is ready: {log.read_text()[-500:]}")
        key = room_key("room", "general", 2)
        posted = MessagePosted(room="general", seq=1, id="m", user=User(id="u", name="U"), time=now(), body="hear this")
        other = PresenceChanged(room="general", rev=1, count=0)
        for data in (other, posted):
            body = data.model_dump_json().encode()
            await wire.publish(EVENTS, key, body, type=data.TYPE, message_id="id", content_type="application/json")
        await eventually(lambda: "hear this" in log.read_text(), 10, what="the service heard the fact")
        assert await wire.depth(dead_queue("echo")) == 0
    finally:
        process.terminate()
        assert await process.wait() == 0


async def _ready(http: httpx.AsyncClient, port: int) -> bool:
    try:
        return (await http.get(f"http://127.0.0.1:{port}/readyz")).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False
