"""One process of one of our services."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from warren.stack.handshake import http_answers
from warren.stack.plan import Instance
from warren.stack.ports import Port
from warren.stack.process import LOOPBACK, Command, Process

ANY_ADDRESS = {"0.0.0.0": LOOPBACK, "::": "::1"}  # noqa: S104 - a table, nothing listens here
"""Addresses that mean all interfaces, and where we ourselves reach what listens there."""


def reachable(host: str) -> str:
    """Return the address at which we ourselves reach what listens on `host`."""
    return ANY_ADDRESS.get(host, host)


class Service(Process):
    """`python -m <package>` with an environment that follows the ports of the others."""

    def __init__(
        self,
        instance: Instance,
        data: Path,
        host: str,
        environment: Callable[[Service], Mapping[str, str]],
    ) -> None:
        super().__init__(instance.name, data, {"http": Port(host, instance.port)})
        self.instance = instance
        self.host = host
        self._environment = environment

    @property
    def address(self) -> str:
        """The address at which we reach it ourselves."""
        return reachable(self.host)

    @property
    def url(self) -> str:
        """Where it answers, seen from this machine."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"http://{host}:{self.ports['http'].number}"

    def command(self) -> Command:
        """Run its package; `-P` keeps the working directory out of the import path."""
        return Command((sys.executable, "-P", "-m", self.instance.package), self._environment(self))

    async def answers(self) -> bool:
        """Ask for its own opinion: `/readyz`."""
        return await http_answers(self.address, self.ports["http"].number, "/readyz")
