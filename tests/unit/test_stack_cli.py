from __future__ import annotations

import json
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from typer.testing import CliRunner

from warren.cli import main as cli
from warren.cli.addresses import without_password
from warren.stack.lock import Lock

runner = CliRunner()


def test_status_of_nothing_says_how_to_start_it(tmp_path: Path) -> None:
    result = runner.invoke(cli.app, ["status", "--data", str(tmp_path)])
    assert result.exit_code == 1
    assert "warren up" in result.stderr


def test_down_of_nothing_is_no_error(tmp_path: Path) -> None:
    result = runner.invoke(cli.app, ["down", "--data", str(tmp_path)])
    assert result.exit_code == 0
    assert "Nothing runs" in result.stdout


@pytest.mark.parametrize("how", [[], ["--detach"]])
def test_a_second_up_in_the_same_directory_is_refused(tmp_path: Path, how: list[str]) -> None:
    lock = Lock(tmp_path)
    result = runner.invoke(cli.app, ["up", "--data", str(tmp_path), *how])
    lock.release()
    assert result.exit_code == 1
    assert "already runs" in result.stderr


def test_doctor_says_what_is_there_for_machines_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr("warren.stack.broker.shutil.which", lambda *_, **__: None)
    result = runner.invoke(cli.app, ["doctor", "--json", "--data", str(tmp_path)])
    checks = {c["name"]: c for c in json.loads(result.stdout)}
    assert result.exit_code == 1
    assert not checks["RabbitMQ"]["ok"]
    assert "apt-get install" in checks["RabbitMQ"]["mend"]
    assert checks["data directory"]["ok"]


def test_a_broken_command_harms_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = EntryPoint("broken", "warren.no_such_module:app", cli.GROUP)
    monkeypatch.setattr(cli, "entry_points", lambda **_: [broken])
    listing = runner.invoke(cli.app, ["--help"])
    assert listing.exit_code == 0
    assert "status" in listing.stdout
    assert "Cannot be loaded" in listing.stdout
    called = runner.invoke(cli.app, ["broken"])
    assert called.exit_code == 2
    assert "no_such_module" in called.stderr


def test_addresses_are_shown_without_passwords() -> None:
    assert without_password("amqp://u:p@127.0.0.1:5672/") == "amqp://127.0.0.1:5672"
    assert without_password("mongodb://h:1/?directConnection=true") == "mongodb://h:1"
