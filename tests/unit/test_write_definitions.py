from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

from warren.stack.definitions import password_hash
from warren.stack.secrets import ADMIN
from warren.stack.services import service_packages
from warren.stack.write_definitions import password_variable


def run(target: Path, passwords: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command: list[str | Path] = [sys.executable, "-m", "warren.stack.write_definitions", target]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={"PATH": os.defpath, **passwords})


def test_each_service_gets_a_user_with_its_own_password(tmp_path: Path) -> None:
    target = tmp_path / "definitions.json"
    target.write_text("of an earlier start")
    users = {user: f"password of {user}" for user in (ADMIN, *service_packages())}
    done = run(target, {password_variable(user): password for user, password in users.items()})
    assert done.returncode == 0, done.stderr
    assert not any(password in target.read_text() for password in users.values())
    hashes = {u["name"]: u["password_hash"] for u in json.loads(target.read_text())["users"]}
    assert hashes == {u: password_hash(p, base64.b64decode(hashes[u])[:4]) for u, p in users.items()}
    assert list(tmp_path.iterdir()) == [target]


def test_a_missing_password_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    target = tmp_path / "definitions.json"
    given = {password_variable(u): "x" for u in (ADMIN, *service_packages()) if u != "dlq-monitor"}
    done = run(target, given)
    assert done.returncode == 1
    assert "BROKER_PASSWORD_DLQ_MONITOR" in done.stderr
    assert "Traceback" not in done.stderr
    assert not target.exists()


def test_a_folder_that_is_missing_is_said_plainly(tmp_path: Path) -> None:
    done = run(tmp_path / "nowhere/definitions.json", {password_variable(u): "x" for u in (ADMIN, *service_packages())})
    assert done.returncode == 1
    assert "nowhere" in done.stderr
    assert "Traceback" not in done.stderr
