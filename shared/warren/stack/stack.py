"""All processes of one local stack and what they have to know of each other."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from warren.stack.balancer import DRAIN_NOTICE, SOURCE, Balancer
from warren.stack.broker import Broker
from warren.stack.plan import DEFAULT_COUNTS, GATEWAY, environment, instances
from warren.stack.process import LOOPBACK, Process
from warren.stack.secrets import Secrets, tokens_file
from warren.stack.service import Service
from warren.stack.services import service_packages
from warren.stack.store import Store


class Stack:
    """Broker and store (unless the environment names running ones) and all services, in `data`.

    `host` is where people connect: to the gateways, or to a `balancer` before them.
    """

    def __init__(
        self,
        data: Path,
        *,
        counts: Mapping[str, int] = DEFAULT_COUNTS,
        host: str = LOOPBACK,
        balancer: bool = False,
        inherited: Mapping[str, str] | None = None,
        packages: Mapping[str, str] | None = None,
    ) -> None:
        packages = service_packages() if packages is None else packages
        self.data = data.resolve()
        self.inherited = dict(os.environ if inherited is None else inherited)
        self.secrets = Secrets.open(self.data, packages)
        tokens_file(self.data).touch(mode=0o600)
        self.broker: Broker | None = None
        if not self.inherited.get("WARREN_AMQP_URL"):
            self.broker = Broker(self.data, secrets=self.secrets, users=packages)
        self.store = None if self.inherited.get("WARREN_MONGO_URL") else Store(self.data)
        self.services = [
            # The door is for people, on any address they like; the rest is for ourselves.
            Service(i, self.data, host if i.service == GATEWAY and not balancer else LOOPBACK, self._environment)
            for i in instances(packages, counts)
        ]
        self.balancer = Balancer(self.data, self.gateways, host=host) if balancer else None

    @property
    def gateways(self) -> list[Service]:
        """The processes people connect to."""
        return [s for s in self.services if s.instance.service == GATEWAY]

    @property
    def others(self) -> list[Service]:
        """The services behind the gateways."""
        return [s for s in self.services if s.instance.service != GATEWAY]

    def stop_order(self) -> Iterator[list[Process]]:
        """Yield groups of processes: each is stopped only when the one before it has ended."""
        yield list(self.gateways)
        yield [*self.others, *([self.balancer] if self.balancer else [])]
        yield [p for p in (self.store, self.broker) if p]

    def processes(self) -> list[Process]:
        """Return all processes, those first that the others need."""
        return [p for group in reversed(list(self.stop_order())) for p in group]

    @property
    def urls(self) -> dict[str, list[str]]:
        """Addresses of the services behind the gateways, of each all processes."""
        found: dict[str, list[str]] = {}
        for service in self.others:
            found.setdefault(service.instance.service, []).append(service.url)
        return found

    @property
    def amqp_url(self) -> str:
        """The broker, for its administrator."""
        return self.broker.url if self.broker else self.inherited["WARREN_AMQP_URL"]

    @property
    def mongo_url(self) -> str:
        """The store."""
        return self.store.url if self.store else self.inherited["WARREN_MONGO_URL"]

    @property
    def management_url(self) -> str | None:
        """The management API for its administrator; of an external broker only if the environment names it."""
        return self.broker.management_url if self.broker else self.inherited.get("WARREN_MANAGEMENT_URL")

    def alive_file(self, service: Service) -> Path:
        """Return the IsAlive file of a service: without it, load balancers are told to go elsewhere."""
        return self.data / "run" / f"{service.name}.alive"

    def _environment(self, service: Service) -> dict[str, str]:
        required = {
            "WARREN_HOST": service.host,
            "WARREN_PORT": str(service.ports["http"].number),
            "WARREN_ALIVE_FILE": str(self.alive_file(service)),
            "WARREN_SERVICE_TOKEN": self.secrets.service_token,
            "WARREN_MONGO_URL": self.mongo_url,
            "WARREN_AMQP_URL": self.amqp_url,
        }
        if self.broker:
            user = service.instance.service
            required["WARREN_AMQP_URL"] = self.broker.url_for(user)
            required["WARREN_MANAGEMENT_URL"] = self.broker.management_url_for(user)
        offered = {
            "WARREN_JWT_SECRET": self.secrets.jwt_secret,
            "WARREN_GUESTS": "true",
            "WARREN_DLQ_TOKENS": str(tokens_file(self.data)),
        }
        if self.balancer:
            required["WARREN_TRUSTED_PROXIES"] = SOURCE
            offered["WARREN_DRAIN_NOTICE"] = f"{DRAIN_NOTICE:g}"
        return environment(service.instance, self.inherited, offered, required, self.urls)
