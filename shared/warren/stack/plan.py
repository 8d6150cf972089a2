"""Which services the stack runs, on which ports, with which environment (pure: nothing starts here)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

GATEWAY = "gateway"
WISHED_PORTS = {GATEWAY: 8080, "chat": 8081, "presence": 8082, "audit": 8083, "dlq-monitor": 8084}
FURTHER_PORTS = 8085
"""From here on services that are not in the table above."""
FURTHER_GATEWAYS = 8090

ONLY_FOR = {
    "WARREN_JWT_SECRET": GATEWAY,
    "WARREN_GUESTS": GATEWAY,
    "WARREN_MANAGEMENT_URL": "dlq-monitor",
}
"""What one service needs and the others must not see."""


@dataclass(frozen=True, slots=True)
class Instance:
    """One process of a service: `python -m package`, wishing to listen on `port`."""

    name: str
    service: str
    package: str
    port: int


def instances(packages: Mapping[str, str], gateways: int) -> Iterator[Instance]:
    """Yield what is to run: `gateways` gateways and one process of each other service."""
    further = FURTHER_PORTS
    for service, package in packages.items():
        if service == GATEWAY:
            for n in range(1, gateways + 1):
                port = WISHED_PORTS[GATEWAY] if n == 1 else FURTHER_GATEWAYS + n - 2
                yield Instance(f"{GATEWAY}-{n}", service, package, port)
            continue
        port = WISHED_PORTS.get(service, 0)
        if not port:
            port, further = further, further + 1
        yield Instance(service, service, package, port)


def url_variable(service: str) -> str:
    """Name of the variable that tells the others a service's address."""
    return f"WARREN_{service.upper().replace('-', '_')}_URL"


def environment(
    instance: Instance,
    inherited: Mapping[str, str],
    offered: Mapping[str, str],
    required: Mapping[str, str],
    neighbours: Mapping[str, str],
) -> dict[str, str]:
    """Return the environment of one process.

    `offered` are defaults that the user's own environment (`inherited`) may overrule, `required` are not;
    `neighbours` are the addresses of the services by name.
    """
    urls = {url_variable(s): url for s, url in neighbours.items() if s != instance.service}
    merged = {**offered, **inherited, **urls, **required, "PYTHONUNBUFFERED": "1"}
    merged["WARREN_INSTANCE"] = instance.name
    return {k: v for k, v in merged.items() if ONLY_FOR.get(k, instance.service) == instance.service}
