"""The images' files agree with the code. That a running suite is well is another matter: see docs/containers.md."""

from __future__ import annotations

import copy
import json
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.support.deployment import Deployment
from warren.stack.services import service_packages

ROOT = Path(__file__).parents[2]
COMPOSE = Path(sys.executable).with_name("docker-compose")


def make_env(root: Path, *services: str) -> Path:
    """Run make-env.sh in a tree that has these services; returns its .env."""
    (root / "deploy").mkdir(exist_ok=True)
    shutil.copy(ROOT / "deploy/make-env.sh", root / "deploy")
    for service in services:
        (root / "services" / service).mkdir(parents=True, exist_ok=True)
    done = subprocess.run(["sh", root / "deploy/make-env.sh"], capture_output=True, text=True, check=True)  # noqa: S607
    env = root / ".env"
    assert not [v for v in variables(env).values() if v in done.stdout + done.stderr]
    return env


def variables(env: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in env.read_text().splitlines())


def compose_config(env: Path) -> subprocess.CompletedProcess[str]:
    command: list[str | Path] = [COMPOSE, "-f", ROOT / "compose.yaml", "--env-file", env, "config", "--format", "json"]
    # This packaging of compose exits with 0 whatever happens: no output is the failure.
    # An empty environment: the variables of whoever runs the tests would win over the file.
    return subprocess.run(command, capture_output=True, text=True, check=False, env={"HOME": "/nonexistent"})


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_env(tmp_path_factory.mktemp("env"), *service_packages())


@pytest.fixture(scope="module")
def shipped(env: Path) -> Deployment:
    found = compose_config(env)
    assert found.stdout, found.stderr
    return Deployment(
        config=json.loads(found.stdout),
        source=yaml.safe_load((ROOT / "compose.yaml").read_text()),
        haproxy=(ROOT / "deploy/haproxy/haproxy.cfg").read_text(),
        backend=(ROOT / "deploy/haproxy/gateways.cfg").read_text(),
        dockerfile=(ROOT / "Dockerfile").read_text(),
    )


def test_all_names_ports_and_variables_agree(shipped: Deployment) -> None:
    assert shipped.problems() == []


def test_every_service_folder_is_an_entry_point() -> None:
    folders = {p.name for p in (ROOT / "services").iterdir() if p.is_dir()}
    assert folders == set(service_packages())


def _env(d: Deployment, name: str) -> dict[str, str]:
    found: dict[str, str] = d.services[name]["environment"]
    return found


MISTAKES: dict[str, tuple[Callable[[Deployment], object], str]] = {
    "a service forgotten": (lambda d: d.services.pop("presence"), "too few entries run presence"),
    "one gateway only": (lambda d: d.services.pop("gateway-2"), "too few entries run gateway"),
    "a package misspelled": (
        lambda d: d.services["audit"].update(command=["python", "-m", "audits"]),
        "audit runs what is not there",
    ),
    "a variable misspelled": (
        lambda d: _env(d, "gateway-1").update(WARREN_CHATT_URL=_env(d, "gateway-1").pop("WARREN_CHAT_URL")),
        "gateway-1: no setting is called WARREN_CHATT_URL",
    ),
    "a variable forgotten": (lambda d: _env(d, "chat").pop("WARREN_MONGO_URL"), "chat: WARREN_MONGO_URL is missing"),
    "a secret forgotten": (
        lambda d: _env(d, "gateway-2").pop("WARREN_JWT_SECRET"),
        "gateway-2: WARREN_JWT_SECRET is missing",
    ),
    "another port": (lambda d: _env(d, "chat").update(WARREN_PORT="9000"), "chat: WARREN_PORT is not"),
    "a wrong host": (
        lambda d: _env(d, "gateway-1").update(WARREN_CHAT_URL="http://chatter:8081"),
        "gateway-1: WARREN_CHAT_URL leads nowhere",
    ),
    "a wrong port": (
        lambda d: _env(d, "gateway-1").update(WARREN_CHAT_URL="http://chat:8082"),
        "gateway-1: WARREN_CHAT_URL has port 8082",
    ),
    "a network that does not reach": (
        lambda d: d.services["chat"].update(networks={"bus": None}),
        "chat: WARREN_MONGO_URL leads nowhere",
    ),
    "another's broker user": (
        lambda d: _env(d, "chat").update(WARREN_AMQP_URL=_env(d, "audit")["WARREN_AMQP_URL"]),
        "chat: WARREN_AMQP_URL uses the broker's user audit",
    ),
    "a wrong broker password": (
        lambda d: _env(d, "definitions").update(BROKER_PASSWORD_CHAT="x"),
        "chat: WARREN_AMQP_URL has not the password",
    ),
    "a broker user forgotten": (
        lambda d: _env(d, "definitions").pop("BROKER_PASSWORD_AUDIT"),
        "definitions: BROKER_PASSWORD_AUDIT is missing",
    ),
    "a port open to the world": (
        lambda d: d.services["rabbitmq"]["ports"][0].update(host_ip="0.0.0.0"),  # noqa: S104
        "rabbitmq: port 15672 is open to the world",
    ),
    "a port without an address": (
        lambda d: d.services["jaeger"]["ports"][0].pop("host_ip"),
        "jaeger: port 16686 is open to the world",
    ),
    "no health gate": (
        lambda d: d.services["chat"]["depends_on"]["mongo"].update(condition="service_started"),
        "chat does not wait until mongo is healthy",
    ),
    "no restart": (lambda d: d.services["mongo"].pop("restart"), "mongo is not restarted"),
    "a third gateway that haproxy does not know": (
        lambda d: d.services.update({"gateway-3": d.services["gateway-2"]}),
        "gateways.cfg: servers are",
    ),
    "a port that haproxy does not listen on": (
        lambda d: _env(d, "haproxy").update(PUBLIC_ADDRESS=":8000"),
        "haproxy: listens on",
    ),
    "strangers among the trusted": (
        lambda d: d.services["jaeger"]["networks"].update(edge=None),
        "jaeger is in a network that gateways trust",
    ),
    "trust in everyone": (
        lambda d: _env(d, "gateway-1").update(WARREN_TRUSTED_PROXIES="*"),
        "gateway-1: trusts other addresses",
    ),
    "another IsAlive file": (
        lambda d: _env(d, "gateway-1").update(WARREN_ALIVE_FILE="/run/alive"),
        "gateway-1: no IsAlive file /run/alive",
    ),
    "a secret with a default": (
        lambda d: d.source["services"]["chat"]["environment"].update(WARREN_SERVICE_TOKEN="${WARREN_SERVICE_TOKEN:-x}"),
        "chat: WARREN_SERVICE_TOKEN has a secret",
    ),
    "a password in a URL": (
        lambda d: d.source["services"]["chat"]["environment"].update(WARREN_AMQP_URL="amqp://chat:chat@rabbitmq:5672/"),
        "chat: WARREN_AMQP_URL has a secret",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_compose_is_found(shipped: Deployment, mistake: str) -> None:
    make, found = MISTAKES[mistake]
    broken = copy.deepcopy(shipped)
    make(broken)
    assert any(found in p for p in broken.problems()), broken.problems()


@pytest.mark.parametrize(
    ("file", "right", "wrong"),
    [
        ("backend", "server gateway-2 gateway-2:8080", ""),
        ("backend", "gateway-1:8080", "gateway-1:8081"),
        ("haproxy", "uri /lb", "uri /livez"),
        ("haproxy", 'bind "${PUBLIC_ADDRESS}"', "bind :8000"),
        ("haproxy", "option forwardfor", ""),
    ],
)
def test_a_mistake_in_haproxys_configuration_is_found(shipped: Deployment, file: str, right: str, wrong: str) -> None:
    text = getattr(shipped, file)
    assert right in text
    broken = copy.deepcopy(shipped)
    setattr(broken, file, text.replace(right, wrong))
    assert any("haproxy" in p or "gateways.cfg" in p for p in broken.problems())


def test_compose_refuses_to_go_without_any_of_the_secrets(env: Path, tmp_path: Path) -> None:
    for missing in variables(env):
        partial = tmp_path / "env"
        partial.write_text("".join(f"{k}={v}\n" for k, v in variables(env).items() if k != missing))
        refused = compose_config(partial)
        assert not refused.stdout, missing
        assert missing in refused.stderr
        assert "run deploy/make-env.sh" in refused.stderr


@pytest.mark.parametrize("given", ["/etc/warren/dlq-tokens", None])
def test_dlq_monitor_gets_the_file_of_peoples_tokens(env: Path, tmp_path: Path, given: str | None) -> None:
    more = tmp_path / "env"
    more.write_text(env.read_text() + (f"WARREN_DLQ_TOKENS={given}\n" if given else ""))
    service = json.loads(compose_config(more).stdout)["services"]["dlq-monitor"]
    [mounted] = [v for v in service["volumes"] if v["target"] == service["environment"]["WARREN_DLQ_TOKENS"]]
    assert mounted["source"] == (given or "/dev/null"), "without one there is nobody in it"
    assert (mounted["type"], mounted["read_only"]) == ("bind", True)
    assert not mounted["bind"].get("create_host_path"), "a file that is missing is no empty directory"


def test_secrets_are_private_random_and_kept(tmp_path: Path) -> None:
    env = make_env(tmp_path, "chat", "dlq-monitor")
    first = variables(env)
    assert stat.S_IMODE(env.stat().st_mode) == 0o600
    assert set(first) == {
        "WARREN_JWT_SECRET",
        "WARREN_SERVICE_TOKEN",
        "BROKER_PASSWORD_ADMIN",
        "BROKER_PASSWORD_CHAT",
        "BROKER_PASSWORD_DLQ_MONITOR",
    }
    assert len(set(first.values())) == len(first)
    assert min(map(len, first.values())) >= 32

    env.chmod(0o644)
    env.write_text(env.read_text() + "WARREN_HTTP_PORT=8000")  # by hand, without an end of line
    again = variables(make_env(tmp_path, "search"))
    assert {k: again[k] for k in first} == first
    assert again["WARREN_HTTP_PORT"] == "8000"
    assert len(again["BROKER_PASSWORD_SEARCH"]) >= 32
    assert stat.S_IMODE(env.stat().st_mode) == 0o600
