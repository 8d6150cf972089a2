"""The `warren` command as users run it, and a stack started with it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import jwt
import psutil

from warren.client.raw import RawSocket

WARREN = Path(sys.executable).with_name("warren")


def warren(*arguments: str, env: dict[str, str] | None = None, within: float = 90) -> subprocess.CompletedProcess[str]:
    """Run the command; its output is text, its failure is the caller's business."""
    return subprocess.run(
        [WARREN, *arguments],
        env={**os.environ, "NO_COLOR": "1", "COLUMNS": "200", **(env or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=within,
        check=False,
    )


@dataclass
class Stack:
    """A detached stack in `data`; `env` are settings for all its services."""

    data: Path
    env: dict[str, str] = field(default_factory=dict)
    gateways_wanted: int = 2
    options: tuple[str, ...] = ()
    """Further options of `warren up`."""

    def up(self) -> None:
        """Start it and wait until all is ready."""
        arguments = ("--detach", "--gateways", str(self.gateways_wanted), *self.options)
        started = warren("up", *arguments, "--data", str(self.data), env=self.env)
        assert started.returncode == 0, started.stdout + started.stderr

    def down(self) -> None:
        """Stop it in order."""
        stopped = self.run("down")
        assert stopped.returncode == 0, stopped.stdout + stopped.stderr

    def discard(self) -> None:
        """End it at once, by `kill -9` of its supervisor: nothing it holds is needed any more."""
        told = self.run("status", "--json").stdout
        if not told.strip():
            return  # it never ran
        processes = [psutil.Process(p["pid"]) for p in json.loads(told)["processes"]]
        supervisor = processes[0].parent()
        assert supervisor is not None
        supervisor.kill()
        _, alive = psutil.wait_procs([supervisor, *processes], timeout=10)
        assert not alive, alive

    def run(self, *arguments: str, within: float = 90) -> subprocess.CompletedProcess[str]:
        """Run a `warren` command on this stack."""
        return warren(*arguments, "--data", str(self.data), within=within)

    def status(self) -> dict[str, Any]:
        """Return `warren status --json`."""
        status: dict[str, Any] = json.loads(self.run("status", "--json").stdout)
        return status

    @property
    def gateways(self) -> list[str]:
        """Addresses of the gateways."""
        urls: list[str] = self.status()["gateways"]
        return urls

    def pid(self, name: str) -> int:
        """Return the pid of a process by its name."""
        return int(next(p["pid"] for p in self.status()["processes"] if p["name"] == name))

    def runs(self, name: str) -> bool:
        """Whether a process of this name runs just now: one that was killed before may not be back yet."""
        return any(p["name"] == name for p in self.status()["processes"])

    def kill(self, name: str) -> int:
        """`kill -9` a process; returns the pid it had."""
        pid = self.pid(name)
        os.kill(pid, signal.SIGKILL)
        return pid

    @property
    def service_token(self) -> str:
        """The operators' token, for services' own endpoints."""
        secrets: dict[str, Any] = json.loads((self.data / "secrets.json").read_text())
        return str(secrets["service_token"])

    def token(self, sub: str, **claims: object) -> str:
        """Sign a user's token, good for an hour unless `exp` is given; a claim that is None is left out."""
        secret = json.loads((self.data / "secrets.json").read_text())["jwt_secret"]
        said = {"sub": sub, "name": sub, "exp": time.time() + 3600, **claims}
        return jwt.encode({k: v for k, v in said.items() if v is not None}, secret, "HS256")

    def logs(self, name: str) -> list[dict[str, Any]]:
        """Return the JSON lines of a process' log."""
        lines = (self.data / "logs" / f"{name}.log").read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]


@contextlib.contextmanager
def running_stack(data: Path, gateways: int = 2, *options: str) -> Iterator[Stack]:
    """A stack in `data`, ended at once when it is no longer needed, and also when it did not come up."""
    stack = Stack(data, gateways_wanted=gateways, options=options)
    try:
        stack.up()
        yield stack
    finally:
        stack.discard()


async def guest(base: str, name: str | None = None) -> dict[str, Any]:
    """Get a guest's token at a gateway."""
    async with httpx.AsyncClient(timeout=10) as http:
        answer = await http.post(f"{base}/api/token", json={"name": name} if name else {})
        answer.raise_for_status()
        token: dict[str, Any] = answer.json()
        return token


async def enter(base: str, name: str, room: str | None = None, token: str | None = None) -> RawSocket:
    """Open a socket as a guest, take the welcome, and join a room if one is given."""
    socket = await RawSocket.connect(base, token or (await guest(base, name))["token"])
    await socket.expect("welcome")
    if room is not None:
        await socket.send_json({"type": "join", "room": room})
        await socket.expect("joined", room=room)
    return socket
