"""Which services the stack runs, on which ports, with which environment (pure: nothing starts here)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

GATEWAY = "gateway"
WISHED_PORTS = {GATEWAY: 8080, "chat": 8081, "presence": 8082, "audit": 8083, "dlq-monitor": 8084}
FURTHER_PORTS = 8085
"""From here on services that are not in the table above."""
FURTHER_PROCESSES = {GATEWAY: 8090, "chat": 8160, "audit": 8180}
"""Services that may run in several processes, and from where on the second and later ones listen."""

DEFAULT_COUNTS = {GATEWAY: 2}
"""Processes of a service, where there is not one."""

ONLY_FOR = {
    "WARREN_JWT_SECRET": GATEWAY,
    "WARREN_GUESTS": GATEWAY,
    "WARREN_TRUSTED_PROXIES": GATEWAY,
    "WARREN_DRAIN_NOTICE": GATEWAY,
    "WARREN_MANAGEMENT_URL": "dlq-monitor",
    "WARREN_DLQ_TOKENS": "dlq-monitor",
}
"""What one service needs and the others must not see."""


@dataclass(frozen=True, slots=True)
class Instance:
    """One process of a service: `python -m package`, wishing to listen on `port`."""

    name: str
    service: str
    package: str
    port: int


def instances(packages: Mapping[str, str], counts: Mapping[str, int]) -> Iterator[Instance]:
    """Yield what is to run: as many processes of a service as `counts` says, one where it says nothing."""
    further = FURTHER_PORTS
    for service, package in packages.items():
        port = WISHED_PORTS.get(service, 0)
        if not port:
            port, further = further, further + 1
        yield Instance(f"{GATEWAY}-1" if service == GATEWAY else service, service, package, port)
        for n in range(2, counts.get(service, 1) + 1):
            yield Instance(f"{service}-{n}", service, package, FURTHER_PROCESSES[service] + n - 2)


def url_variable(service: str) -> str:
    """Name of the variable that tells the others a service's addresses, separated by commas."""
    return f"WARREN_{service.upper().replace('-', '_')}_URL"


def environment(
    instance: Instance,
    inherited: Mapping[str, str],
    offered: Mapping[str, str],
    required: Mapping[str, str],
    neighbours: Mapping[str, Sequence[str]],
) -> dict[str, str]:
    """Return the environment of one process.

    `offered` are defaults that the user's own environment (`inherited`) may overrule, `required` are not;
    `neighbours` are the addresses of the services by name.
    """
    urls = {url_variable(s): ",".join(found) for s, found in neighbours.items() if s != instance.service}
    merged = {**offered, **inherited, **urls, **required, "PYTHONUNBUFFERED": "1"}
    merged["WARREN_INSTANCE"] = instance.name
    return {k: v for k, v in merged.items() if ONLY_FOR.get(k, instance.service) == instance.service}
