from __future__ import annotations

from pathlib import Path

import pytest

from warren.stack.plan import Instance, environment, instances, url_variable
from warren.stack.services import service_packages
from warren.stack.stack import Stack

PACKAGES = {
    "gateway": "gateway",
    "audit": "audit",
    "chat": "chat",
    "dlq-monitor": "dlq_monitor",
    "presence": "presence",
}


def test_the_services_are_those_of_this_installation() -> None:
    assert service_packages() == PACKAGES


def test_names_and_wished_ports() -> None:
    planned = {i.name: i.port for i in instances(PACKAGES, {"gateway": 3, "chat": 3, "audit": 2})}
    assert planned == {
        "gateway-1": 8080,
        "gateway-2": 8090,
        "gateway-3": 8091,
        "audit": 8083,
        "audit-2": 8180,
        "chat": 8081,
        "chat-2": 8160,
        "chat-3": 8161,
        "dlq-monitor": 8084,
        "presence": 8082,
    }


def test_a_further_service_needs_no_change_here() -> None:
    planned = list(instances({**PACKAGES, "stats": "stats", "zoo": "zoo"}, {}))
    assert planned[-2:] == [Instance("stats", "stats", "stats", 8085), Instance("zoo", "zoo", "zoo", 8086)]


def test_secrets_of_one_service_stay_with_it() -> None:
    offered = {"WARREN_JWT_SECRET": "jwt", "WARREN_GUESTS": "true"}
    required = {"WARREN_MANAGEMENT_URL": "http://dlq-monitor:pw@127.0.0.1:15672"}
    inherited = {"WARREN_JWT_SECRET": "of the user"}
    made = {i.service: environment(i, inherited, offered, required, {}) for i in instances(PACKAGES, {})}
    assert [s for s, e in made.items() if "WARREN_JWT_SECRET" in e] == ["gateway"]
    assert [s for s, e in made.items() if "WARREN_MANAGEMENT_URL" in e] == ["dlq-monitor"]
    assert made["gateway"]["WARREN_JWT_SECRET"] == "of the user"


def test_the_users_settings_pass_through_but_not_over_what_the_stack_decides() -> None:
    chat = Instance("chat", "chat", "chat", 8081)
    inherited = {"WARREN_BATCH_SIZE": "7", "WARREN_PORT": "1", "WARREN_INSTANCE": "x", "PATH": "/bin"}
    made = environment(
        chat, inherited, {}, {"WARREN_PORT": "8081"}, {"chat": ["http://c"], "dlq-monitor": ["http://d"]}
    )
    assert made["WARREN_BATCH_SIZE"] == "7"
    assert made["WARREN_PORT"] == "8081"
    assert made["WARREN_INSTANCE"] == "chat"
    assert made["PATH"] == "/bin"
    assert made["WARREN_DLQ_MONITOR_URL"] == "http://d"
    assert "WARREN_CHAT_URL" not in made
    assert url_variable("dlq-monitor") == "WARREN_DLQ_MONITOR_URL"


def test_the_stack_gives_each_service_its_own_user_and_everyones_address(tmp_path: Path) -> None:
    stack = Stack(tmp_path, inherited={}, packages=PACKAGES)
    made = {s.name: dict(s.command().environment) for s in stack.services}
    assert list(made) == ["gateway-1", "gateway-2", "audit", "chat", "dlq-monitor", "presence"]
    users = {name: e["WARREN_AMQP_URL"].split("//")[1].split(":")[0] for name, e in made.items()}
    assert users == {**{n: n for n in made}, "gateway-1": "gateway", "gateway-2": "gateway"}
    assert made["gateway-1"]["WARREN_CHAT_URL"] == "http://127.0.0.1:8081"
    assert made["gateway-1"]["WARREN_GUESTS"] == "true"
    assert made["chat"]["WARREN_ALIVE_FILE"] == str(tmp_path / "run" / "chat.alive")
    assert "//dlq-monitor:" in made["dlq-monitor"]["WARREN_MANAGEMENT_URL"]


def test_gateways_learn_the_addresses_of_all_chat_processes(tmp_path: Path) -> None:
    stack = Stack(tmp_path, inherited={}, packages=PACKAGES, counts={"gateway": 1, "chat": 2})
    made = {s.name: dict(s.command().environment) for s in stack.services}
    assert made["gateway-1"]["WARREN_CHAT_URL"] == "http://127.0.0.1:8081,http://127.0.0.1:8160"
    assert made["chat-2"]["WARREN_INSTANCE"] == "chat-2"
    assert made["chat-2"]["WARREN_AMQP_URL"] == made["chat"]["WARREN_AMQP_URL"], "one broker user per service"


def test_nothing_secret_is_in_any_command_line(tmp_path: Path) -> None:
    stack = Stack(tmp_path, inherited={}, packages=PACKAGES)
    secrets = [stack.secrets.jwt_secret, stack.secrets.service_token, *stack.secrets.passwords.values()]
    for service in stack.services:
        line = " ".join(service.command().argv)
        assert not any(s in line for s in secrets)
        assert "WARREN" not in repr(service.command())


def test_processes_are_stopped_from_the_edge_inwards(tmp_path: Path) -> None:
    stack = Stack(tmp_path, inherited={}, packages=PACKAGES)
    assert [[p.name for p in group] for group in stack.stop_order()] == [
        ["gateway-1", "gateway-2"],
        ["audit", "chat", "dlq-monitor", "presence"],
        ["store", "broker"],
    ]


def test_what_already_runs_is_used(tmp_path: Path) -> None:
    running = {"WARREN_AMQP_URL": "amqp://u:p@there:5672/", "WARREN_MONGO_URL": "mongodb://there/"}
    stack = Stack(tmp_path, inherited=running, packages=PACKAGES)
    assert stack.broker is None
    assert stack.store is None
    assert stack.management_url is None
    for service in stack.services:
        made = service.command().environment
        assert {k: made[k] for k in running} == running


def test_secrets_are_kept_and_readable_by_their_owner_only(tmp_path: Path) -> None:
    first = Stack(tmp_path, inherited={}, packages=PACKAGES).secrets
    again = Stack(tmp_path, inherited={}, packages={**PACKAGES, "stats": "stats"}).secrets
    assert (tmp_path / "secrets.json").stat().st_mode & 0o777 == 0o600
    assert again.jwt_secret == first.jwt_secret
    assert again.passwords.items() >= first.passwords.items()
    assert again.passwords["stats"]


@pytest.mark.parametrize("host", ["0.0.0.0", "127.0.0.1"])  # noqa: S104 - nothing is started
def test_only_gateways_listen_where_the_user_says(tmp_path: Path, host: str) -> None:
    stack = Stack(tmp_path, inherited={}, packages=PACKAGES, host=host)
    hosts = {s.name: s.command().environment["WARREN_HOST"] for s in stack.services}
    assert {h for n, h in hosts.items() if n.startswith("gateway")} == {host}
    assert {h for n, h in hosts.items() if not n.startswith("gateway")} == {"127.0.0.1"}
    assert stack.gateways[0].url == "http://127.0.0.1:8080"
