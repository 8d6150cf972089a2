"""HAProxy itself judges the configuration that compose and `warren up --balancer` share."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.unit.test_stack_plan import PACKAGES
from warren.stack import balancer
from warren.stack.balancer import CONFIGURATION, SOURCE, Balancer, BalancerMissingError, find_balancer
from warren.stack.stack import Stack


def judged(*files: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    arguments = [part for file in files for part in ("-f", str(file))]
    return subprocess.run(
        [find_balancer(), "-c", *arguments], env=environment, capture_output=True, text=True, check=False
    )


def test_composes_files_are_valid() -> None:
    servers = CONFIGURATION.with_name("gateways.cfg")
    checked = judged(CONFIGURATION, servers, PUBLIC_ADDRESS=":8080", STATUS_ADDRESS=":8404")
    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::"])  # noqa: S104 - nothing is started
def test_the_stacks_own_are_valid_without_a_warning(tmp_path: Path, host: str) -> None:
    stack = Stack(tmp_path, inherited={}, packages=PACKAGES, counts={"gateway": 3}, host=host, balancer=True)
    assert isinstance(stack.balancer, Balancer)
    stack.balancer.prepare()
    command = stack.balancer.command()
    checked = subprocess.run(
        [*command.argv, "-c"], env=dict(command.environment), capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr
    assert "WARNING" not in checked.stderr
    assert stack.balancer.url in {"http://127.0.0.1:8080", "http://[::1]:8080"}


def test_gateways_behind_it_listen_for_it_only_and_believe_it_only(tmp_path: Path) -> None:
    stack = Stack(tmp_path, inherited={}, packages=PACKAGES, host="0.0.0.0", balancer=True)  # noqa: S104
    for gateway in stack.gateways:
        made = gateway.command().environment
        assert (made["WARREN_HOST"], made["WARREN_TRUSTED_PROXIES"]) == ("127.0.0.1", SOURCE)
        assert float(made["WARREN_DRAIN_NOTICE"]) > 0
    assert [[p.name for p in group] for group in stack.stop_order()][:2] == [
        ["gateway-1", "gateway-2"],
        ["audit", "chat", "dlq-monitor", "presence", "balancer"],
    ]


def test_it_learns_where_a_gateway_has_gone(tmp_path: Path) -> None:
    stack = Stack(tmp_path, inherited={}, packages=PACKAGES, balancer=True)
    assert stack.balancer is not None
    before = stack.balancer.command()
    stack.gateways[0].ports["http"].number += 1
    assert stack.balancer.command() != before


def test_without_haproxy_one_sentence_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(balancer.shutil, "which", lambda *_, **__: None)
    with pytest.raises(BalancerMissingError, match="apt-get install haproxy"):
        find_balancer()
    monkeypatch.undo()
    monkeypatch.setattr(balancer, "CONFIGURATION", Path(os.devnull) / "none")
    with pytest.raises(BalancerMissingError, match="checkout"):
        find_balancer()
