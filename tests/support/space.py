"""One test's own part of the nodes: a virtual host of its own, and databases under a prefix of its own."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from tests.support.management import Management
from tests.support.nodes import Nodes
from warren.topology import Topology

PARTITIONS = 2
"""Enough for a test to see that there are several; 16 cost a second a test."""


@dataclass(frozen=True, slots=True)
class Space:
    """`settings` are keyword arguments for any service's settings class, `env` the same as variables."""

    vhost: str
    amqp_url: str
    management_url: str
    mongo_url: str
    database_prefix: str
    service_token: str
    management: Management

    @property
    def settings(self) -> dict[str, object]:
        """Return what every service needs to know; the port is the caller's choice."""
        return {
            "amqp_url": self.amqp_url,
            "mongo_url": self.mongo_url,
            "database_prefix": self.database_prefix,
            "partitions": PARTITIONS,
            "service_token": self.service_token,
            "drain_seconds": 5,
        }

    def env(self, **more: object) -> dict[str, str]:
        """Return the settings, and `more` of them, as environment variables."""
        return {f"WARREN_{k.upper()}": str(v) for k, v in {**self.settings, **more}.items()}

    @property
    def topology(self) -> Topology:
        """The topology that goes with the settings."""
        return Topology(PARTITIONS)

    @classmethod
    def of(cls, nodes: Nodes, management: Management, *, mongo_url: str | None = None) -> Space:
        """Name a new space on these nodes; its virtual host is not made yet."""
        name = f"test_{secrets.token_hex(4)}"
        return cls(
            vhost=name,
            amqp_url=urlunsplit(urlsplit(nodes.amqp_url)._replace(path=f"/{name}")),
            management_url=nodes.management_url,
            mongo_url=mongo_url or nodes.mongo_url,
            database_prefix=f"{name}_",
            service_token=secrets.token_urlsafe(16),
            management=management,
        )
