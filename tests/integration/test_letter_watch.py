"""`warren dlq watch` as people run it: in a terminal, and for scripts."""

from __future__ import annotations

import asyncio
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
from typer.testing import CliRunner, Result

from dlq_monitor.app import build
from dlq_monitor.cli.app import app as cli
from dlq_monitor.settings import DlqSettings
from tests.support.services import Running, Services
from tests.support.space import Space
from tests.support.waiting import eventually
from tests.support.wire import Wire
from warren.topology import DEAD

WARREN = Path(sys.executable).with_name("warren")
WIDE = {"COLUMNS": "160", "LINES": "60", "TERM": "xterm"}


async def test_watch_shows_what_goes_on_and_outlives_the_service(wire: Wire, space: Space, services: Services) -> None:
    await wire.declare(space.topology)
    dlq = await services.start(build, DlqSettings, watch_interval=0.5)
    await wire.publish(DEAD, "chat.dead", b"?", message_id="m-1")
    await wire.publish("warren.commands", "chat.0", b"?")
    await eventually(lambda: _seen(dlq))

    env = {**os.environ, "WARREN_SERVICE_TOKEN": space.service_token, **WIDE}
    once = await _once(dlq, env)
    assert [g["count"] for g in once["groups"]] == [1]
    assert {q["name"]: q["depth"] for q in once["queues"]}["chat.commands.0-of-2"] == 1
    shown = await asyncio.to_thread(_run, "--once", "--url", dlq.url, env={**env, "NO_COLOR": "1"})
    assert "chat.commands.0-of-2" in shown.stdout
    assert "without a cause" in shown.stdout
    piped = await asyncio.to_thread(_run, "--url", dlq.url, env=env)
    assert piped.exit_code == 2
    assert "--once" in piped.stderr

    screen, lines = _Screen(dlq.url, env), _Lines(dlq.url, env)
    await eventually(lambda: screen.has("without a cause"), 20)
    await eventually(lambda: lines.has(kind="group", count=1), 20)
    await wire.publish(DEAD, "chat.dead", b"?", message_id="m-2")
    await eventually(lambda: screen.has("+1"), 20)
    await eventually(lambda: lines.has(kind="group", count=2), 20)
    await dlq.stop()
    await eventually(lambda: screen.has("does not answer"), 20)
    await eventually(lambda: lines.has(kind="service", up=False), 20)
    for process in (screen.process, lines.process):
        process.send_signal(signal.SIGINT)
    assert await asyncio.to_thread(screen.process.wait, 10) == 0
    assert await asyncio.to_thread(lines.process.wait, 10) == 0
    assert not screen.has("Traceback")
    assert screen.has("\x1b[?1049l")  # the screen from before is back
    assert lines.rest() == ""
    away = await asyncio.to_thread(_run, "--once", "--url", dlq.url, env=env)
    assert away.exit_code == 1
    assert "does not answer" in away.stderr


async def _seen(dlq: Running) -> bool:
    depths = {q["name"]: q["depth"] for q in (await dlq.http.get("/queues")).json()["items"]}
    letters = (await dlq.http.get("/letters")).json()["total"]
    return letters == 1 and depths.get("chat.commands.0-of-2") == 1


async def _once(dlq: Running, env: dict[str, str]) -> Any:
    ran = await asyncio.to_thread(_run, "--once", "--json", "--url", dlq.url, env=env)
    assert ran.exit_code == 0, ran.stderr
    return orjson.loads(ran.stdout)


def _run(*words: str, env: dict[str, str]) -> Result:
    return CliRunner().invoke(cli, ["watch", *words], env=env)


class _Screen:
    """The command in a terminal of its own; `text` is all that it ever wrote."""

    def __init__(self, url: str, env: dict[str, str]) -> None:
        self._terminal, inside = pty.openpty()
        os.set_blocking(self._terminal, False)
        self.text = ""
        self.process = subprocess.Popen(
            [WARREN, "dlq", "watch", "--url", url], env=env, stdin=inside, stdout=inside, stderr=inside
        )
        os.close(inside)

    def has(self, text: str) -> bool:
        try:
            while data := os.read(self._terminal, 65_536):
                self.text += data.decode(errors="replace")
        except OSError:  # nothing more for now, or it has ended
            pass
        return text in self.text


class _Lines:
    """The command with `--json`."""

    def __init__(self, url: str, env: dict[str, str]) -> None:
        words = [WARREN, "dlq", "watch", "--json", "--url", url]
        self.process = subprocess.Popen(words, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert self.process.stdout is not None
        os.set_blocking(self.process.stdout.fileno(), False)
        self._data = b""

    def has(self, **wanted: object) -> bool:
        assert self.process.stdout is not None
        self._data += self.process.stdout.read() or b""
        whole = self._data[: self._data.rfind(b"\n") + 1]
        return any(wanted.items() <= orjson.loads(line).items() for line in whole.splitlines())

    def rest(self) -> str:
        """What it said of errors."""
        assert self.process.stderr is not None
        return self.process.stderr.read().decode()
