from __future__ import annotations

import base64
import hashlib
import re

import pytest

from warren.stack.definitions import DEFAULT_EXCHANGE, Permissions, definitions, password_hash, permissions
from warren.topology import (
    COMMANDS,
    DEAD,
    EPHEMERAL,
    EVENTS,
    PUBLIC_EXCHANGES,
    Binding,
    Queue,
    Topology,
    dead_queue,
    delay_queues,
    retry_exchange,
)

TOPOLOGY = Topology(3)
SERVICES = ("gateway", "chat", "presence", "audit", "dlq-monitor")


def may(expression: str, name: str) -> bool:
    """Match as the broker does: anywhere in the name, unless the expression says otherwise."""
    return re.search(expression, name) is not None


def own_names(service: str) -> list[str]:
    delays = [d.name for d in delay_queues(TOPOLOGY.of(service))]
    return [*(q.name for q in TOPOLOGY.of(service)), *delays, dead_queue(service), retry_exchange(service)]


@pytest.mark.parametrize("service", TOPOLOGY.services())
def test_a_worker_may_declare_bind_consume_retry_and_bury_its_own(service: str) -> None:
    p = permissions(TOPOLOGY, service)
    for name in own_names(service):
        assert may(p.configure, name), name
        assert may(p.write, name), name
        assert may(p.read, name), name
    for queue in TOPOLOGY.of(service):
        for binding in queue.bindings:
            assert may(p.read, binding.exchange)
    assert may(p.read, DEAD)
    assert may(p.write, DEAD)
    assert may(p.write, EVENTS)


@pytest.mark.parametrize("service", SERVICES)
def test_everyone_may_declare_the_public_exchanges_and_ask_whether_the_broker_confirms(service: str) -> None:
    for exchange in PUBLIC_EXCHANGES:
        assert may(permissions(TOPOLOGY, service).configure, exchange.name)
    assert may(permissions(TOPOLOGY, service).write, EPHEMERAL)


@pytest.mark.parametrize("service", TOPOLOGY.services())
def test_a_worker_may_not_touch_what_belongs_to_others(service: str) -> None:
    p = permissions(TOPOLOGY, service)
    foreign = [n for other in TOPOLOGY.services() if other != service for n in own_names(other)]
    for name in [*foreign, "gateway.1", f"x{service}.dead", f"{service}", DEFAULT_EXCHANGE]:
        assert not may(p.configure, name), name
        assert not may(p.write, name), name
        assert not may(p.read, name), name
    assert not may(p.write, COMMANDS)


def test_only_chat_and_audit_read_commands_and_only_gateways_give_them() -> None:
    readers = [s for s in SERVICES if may(permissions(TOPOLOGY, s).read, COMMANDS)]
    writers = [s for s in SERVICES if may(permissions(TOPOLOGY, s).write, COMMANDS)]
    assert (readers, writers) == (["chat", "audit"], ["gateway"])


def test_a_gateway_has_its_own_queues_and_nobody_elses() -> None:
    p = permissions(TOPOLOGY, "gateway")
    for expression in (p.configure, p.write, p.read):
        assert may(expression, "gateway.gateway-1-0192")
        assert not any(may(expression, q.name) for q in TOPOLOGY.queues)
    assert all(may(p.write, e) for e in (COMMANDS, EVENTS, EPHEMERAL))
    assert not may(p.write, DEFAULT_EXCHANGE)
    assert not may(p.read, DEAD)


def test_the_dlq_monitor_reaches_every_dead_queue_and_every_way_back() -> None:
    p = permissions(TOPOLOGY, "dlq-monitor")
    for service in TOPOLOGY.services():
        assert may(p.configure, dead_queue(service))
        assert may(p.read, dead_queue(service))
        assert may(p.write, retry_exchange(service))
        assert not may(p.read, TOPOLOGY.of(service)[0].name)
    assert may(p.write, DEFAULT_EXCHANGE)
    assert may(p.write, EVENTS)


def test_a_service_that_is_added_to_the_topology_gets_its_rights_from_there() -> None:
    topology = Topology(1)
    queue = Queue("stats.events", "stats", (Binding(EVENTS, "room.#"),))
    object.__setattr__(topology, "queues", (*topology.queues, queue))
    p = permissions(topology, "stats")
    assert may(p.read, EVENTS)
    assert not may(p.read, COMMANDS)
    assert may(p.configure, "stats.dead")
    assert may(permissions(topology, "dlq-monitor").read, "stats.dead")


def test_definitions_have_hashed_passwords_one_administrator_and_no_guest() -> None:
    passwords = {"admin": "top", "chat": "rabbit", "dlq-monitor": "x"}
    document = definitions(TOPOLOGY, passwords)
    users = {u["name"]: u for u in document["users"]}
    assert list(users) == list(passwords)
    assert {n: u["tags"] for n, u in users.items()} == {
        "admin": ["administrator"],
        "chat": [],
        "dlq-monitor": ["monitoring"],
    }
    assert not any(p in str(document["users"]) for p in ("'top'", "rabbit'", "'x'"))
    grants = {p["user"]: Permissions(p["configure"], p["write"], p["read"]) for p in document["permissions"]}
    assert grants["admin"] == Permissions(".*", ".*", ".*")
    assert grants["chat"] == permissions(TOPOLOGY, "chat")


def test_a_password_hash_is_salt_and_digest() -> None:
    raw = base64.b64decode(password_hash("test12", bytes.fromhex("908dc60a")))
    assert raw[:4].hex() == "908dc60a"
    assert raw[4:] == hashlib.sha256(bytes.fromhex("908dc60a") + b"test12").digest()
