"""HAProxy before the gateways, with the same configuration as in compose.yaml (`deploy/haproxy/haproxy.cfg`)."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from warren.errors import WarrenError
from warren.stack.files import write_private
from warren.stack.handshake import http_answers
from warren.stack.ports import Port
from warren.stack.process import LOOPBACK, Command, Process
from warren.stack.service import Service, reachable

CONFIGURATION = Path(__file__).parents[3] / "deploy" / "haproxy" / "haproxy.cfg"

SOURCE = "127.0.0.2"
"""Whence the balancer speaks to the gateways: what anyone else on this machine says of a client is not believed."""

DRAIN_NOTICE = 1.5
"""Seconds a gateway that goes away leaves the balancer to see it: twice what its checks need."""


class BalancerMissingError(WarrenError):
    """HAProxy, or its configuration, is not there."""


def find_balancer() -> Path:
    """Return the installed HAProxy, or raise `BalancerMissingError`."""
    found = shutil.which("haproxy", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin")
    if not found:
        raise BalancerMissingError("HAProxy is not installed; on Debian: sudo apt-get install haproxy")
    if not CONFIGURATION.exists():
        raise BalancerMissingError(f"--balancer needs a checkout of Warren: there is no {CONFIGURATION}")
    return Path(found)


def backend(names: Sequence[str]) -> str:
    """Return the backend of these gateways; their addresses are in the environment."""
    servers = [f'    server {name} "${{{_variable(name)}}}"' for name in names]
    return "\n".join(
        ["# Written by `warren up` at each start.", "backend gateways", f"    source {SOURCE}", *servers, ""]
    )


def _variable(name: str) -> str:
    return name.upper().replace("-", "_") + "_ADDRESS"


class Balancer(Process):
    """One HAProxy, on `host`; the gateways behind it listen on the loopback."""

    def __init__(
        self,
        data: Path,
        gateways: Sequence[Service],
        *,
        host: str = LOOPBACK,
        port: int = 8080,
        status_port: int = 8404,
    ) -> None:
        super().__init__("balancer", data, {"public": Port(host, port), "status": Port(LOOPBACK, status_port)})
        self._gateways = gateways
        self._servers = self.data / "run" / "gateways.cfg"

    @property
    def url(self) -> str:
        """Where people connect, seen from this machine."""
        return f"http://{_address(reachable(self.ports['public'].host), self.ports['public'].number)}"

    def prepare(self) -> None:
        """Write the list of gateways."""
        write_private(self._servers, backend([g.name for g in self._gateways]))

    def command(self) -> Command:
        """Start it in the foreground."""
        addresses: Mapping[str, str] = {
            _variable(g.name): _address(g.address, g.ports["http"].number) for g in self._gateways
        }
        return Command(
            (str(find_balancer()), "-db", "-f", str(CONFIGURATION), "-f", str(self._servers)),
            {
                "PATH": os.environ.get("PATH", os.defpath),
                "PUBLIC_ADDRESS": _address(self.ports["public"].host, self.ports["public"].number),
                "STATUS_ADDRESS": _address(LOOPBACK, self.ports["status"].number),
                **addresses,
            },
        )

    async def answers(self) -> bool:
        """Ask for the web client: whoever gets it got through to a gateway."""
        public = self.ports["public"]
        return await http_answers(reachable(public.host), public.number, "/")


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
