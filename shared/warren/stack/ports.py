"""Free ports on this machine.

Between looking for a free port and listening on it pass seconds, for a broker, in which another stack may
look too. So each stack holds its ports by name until it ends: an abstract Unix socket, which the kernel
takes back with the process, however that ends. Strangers do not know it; a process that finds its port
taken nevertheless exits and is given another one.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterable
from contextlib import suppress

import psutil

from warren.errors import WarrenError

CEILING = 32_768
"""Ports from here on are handed out to outgoing connections, so nothing may count on them."""


class NoFreePortError(WarrenError):
    """No port is free between the wished one and `CEILING`."""


def is_free(host: str, port: int) -> bool:
    """Say whether a server could listen on `host:port` now."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        # Servers set it too: what lingers of closed connections does not hold a port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def listens(pid: int, ports: Iterable[int]) -> bool:
    """Say whether process `pid` itself, and not a stranger, listens on all of `ports`."""
    try:
        sockets = psutil.Process(pid).net_connections(kind="tcp")
    except psutil.Error:
        return False
    return set(ports) <= {s.laddr.port for s in sockets if s.status == psutil.CONN_LISTEN}


class Port:
    """A port on `host`, from `wished` upwards; `number` stays the same as long as it can be had."""

    def __init__(self, host: str, wished: int) -> None:
        self.host = host
        self.number = wished
        self._held: socket.socket | None = None

    def claim(self) -> None:
        """Take the port or, if it is taken, the next free one; raise `NoFreePortError` if there is none."""
        if self._held and is_free(self.host, self.number):
            return
        self.release()
        for number in range(self.number, CEILING):
            if is_free(self.host, number) and self._hold(number):
                self.number = number
                return
        raise NoFreePortError(f"no free port on {self.host} between {self.number} and {CEILING}")

    def release(self) -> None:
        """Let others have the port."""
        if self._held:
            self._held.close()
        self._held = None

    def _hold(self, number: int) -> bool:
        name = socket.socket(socket.AF_UNIX)
        if sys.platform == "linux":  # elsewhere there are no abstract names, and the look has to do
            try:
                name.bind(f"\0warren/port/{number}")
            except OSError:
                name.close()
                return False
        self._held = name
        return True

    def __del__(self) -> None:
        with suppress(AttributeError):  # __init__ itself may have failed
            self.release()
