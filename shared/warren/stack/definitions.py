"""The broker's users and what each may do, derived from the topology (pure: nothing connects here).

RabbitMQ asks for three permissions, each a regular expression over names of exchanges and queues:
`configure` (declare, delete), `write` (publish, be bound) and `read` (consume, be bound from). A queue that
dead-letters needs `read` on itself and `write` on the exchange it dead-letters to. All may write to
`warren.ephemeral`: there they probe whether the broker confirms.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from warren.stack.secrets import ADMIN
from warren.topology import (
    COMMANDS,
    DEAD,
    EPHEMERAL,
    EVENTS,
    PUBLIC_EXCHANGES,
    Topology,
    retry_exchange,
)

VHOST = "/"
DEFAULT_EXCHANGE = "amq.default"
"""The name under which permissions know the exchange without a name."""


@dataclass(frozen=True, slots=True)
class Permissions:
    """Three regular expressions; each matches whole names."""

    configure: str
    write: str
    read: str


def _any(names: Iterable[str], *patterns: str) -> str:
    """Return the expression that matches exactly these names and patterns."""
    return f"^({'|'.join([*(re.escape(n) for n in dict.fromkeys(names)), *patterns])})$"


def _own(service: str) -> str:
    return re.escape(service) + r"\..+"


_PUBLIC = tuple(e.name for e in PUBLIC_EXCHANGES)


def _worker(topology: Topology, service: str) -> Permissions:
    """Grant what a service needs that consumes its own work queues and publishes facts.

    Everyone may write to the ephemeral exchange: that is how a publisher asks whether the broker confirms.
    """
    sources = [b.exchange for q in topology.of(service) for b in q.bindings]
    return Permissions(
        configure=_any(_PUBLIC, _own(service)),
        write=_any([EVENTS, EPHEMERAL, DEAD], _own(service)),
        read=_any([*sources, DEAD], _own(service)),
    )


def _gateway(_: Topology, service: str) -> Permissions:
    """Grant commands, signals and typing out, and facts and typing into queues of its own."""
    return Permissions(
        configure=_any(_PUBLIC, _own(service)),
        write=_any([COMMANDS, EVENTS, EPHEMERAL], _own(service)),
        read=_any([EVENTS, EPHEMERAL], _own(service)),
    )


def _dlq_monitor(topology: Topology, service: str) -> Permissions:
    """Grant all dead queues, and every way back into the service an event died in."""
    dead = topology.dead_queues()
    again = [retry_exchange(s) for s in topology.services()]
    return Permissions(
        configure=_any([*_PUBLIC, *dead], _own(service)),
        write=_any([EVENTS, EPHEMERAL, *dead, *again, DEFAULT_EXCHANGE], _own(service)),
        read=_any([EVENTS, DEAD, *dead], _own(service)),
    )


_ROLES: dict[str, Callable[[Topology, str], Permissions]] = {
    "gateway": _gateway,
    "dlq-monitor": _dlq_monitor,
}
_TAGS = {ADMIN: ["administrator"], "dlq-monitor": ["monitoring"]}
"""dlq-monitor reads queue depths and alarms over the management API."""


def permissions(topology: Topology, service: str) -> Permissions:
    """Return what `service` may do on the broker: its work and not more."""
    return _ROLES.get(service, _worker)(topology, service)


def password_hash(password: str, salt: bytes) -> str:
    """Hash as RabbitMQ's `rabbit_password_hashing_sha256` does; `salt` is four bytes."""
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


def definitions(topology: Topology, passwords: Mapping[str, str]) -> dict[str, Any]:
    """Return the definitions document for `load_definitions`: one user per entry of `passwords`."""
    everything = Permissions(".*", ".*", ".*")
    grants = {u: everything if u == ADMIN else permissions(topology, u) for u in passwords}
    return {
        "vhosts": [{"name": VHOST}],
        "users": [
            {
                "name": user,
                "password_hash": password_hash(password, os.urandom(4)),
                "hashing_algorithm": "rabbit_password_hashing_sha256",
                "tags": _TAGS.get(user, []),
            }
            for user, password in passwords.items()
        ],
        "permissions": [
            {"user": u, "vhost": VHOST, "configure": p.configure, "write": p.write, "read": p.read}
            for u, p in grants.items()
        ],
    }
