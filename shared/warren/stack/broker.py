"""An own RabbitMQ node: own data, cookie, name and ports, loopback only; any other broker is left alone."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

from warren.errors import WarrenError
from warren.stack.definitions import definitions
from warren.stack.files import write_private
from warren.stack.handshake import broker_answers
from warren.stack.ports import Port
from warren.stack.process import LOOPBACK, Command, Process
from warren.stack.secrets import ADMIN, Secrets
from warren.stack.services import service_packages
from warren.topology import Topology

PLUGINS = ("rabbitmq_management", "rabbitmq_prometheus")

_CONFIGURATION = """\
# Written by `warren up` at each start.
listeners.tcp.default = {host}:{amqp}
management.tcp.ip = {host}
management.tcp.port = {management}
prometheus.tcp.ip = {host}
prometheus.tcp.port = {metrics}
load_definitions = {definitions}
log.file = false
log.console = true
log.console.use_colors = off
# Offered to clients; ours ask for less.
heartbeat = 10
max_message_size = 16777216
disk_free_limit.absolute = 50MB
# The write-ahead log is kept in memory too: 512 MB, the default, is too much beside five services.
raft.wal_max_size_bytes = 67108864
"""


class BrokerMissingError(WarrenError):
    """RabbitMQ is not installed."""


def find_server() -> Path:
    """Return the start script of the installed RabbitMQ, or raise `BrokerMissingError`."""
    found = shutil.which("rabbitmq-server", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin")
    if not found:
        raise BrokerMissingError("RabbitMQ is not installed; on Debian: sudo apt-get install rabbitmq-server")
    # Debian's command changes the user first; the script it then calls is the one beside it.
    return Path(found).resolve().with_name("rabbitmq-server")


class Broker(Process):
    """One node. `data` is the stack's data directory; the node lives in `data/broker`.

    Usable by itself: `await start()`, `await ready()`, `kill()`, `await start()` again, `await stop()`.
    A restarted node has the same name, data and ports.
    """

    grace = 30

    def __init__(
        self,
        data: Path,
        *,
        secrets: Secrets | None = None,
        users: Iterable[str] | None = None,
        topology: Topology | None = None,
        port: int = 5672,
        management_port: int = 15672,
        distribution_port: int = 25672,
        metrics_port: int = 15692,
    ) -> None:
        ports = {
            "amqp": Port(LOOPBACK, port),
            "management": Port(LOOPBACK, management_port),
            "distribution": Port(LOOPBACK, distribution_port),
            "metrics": Port(LOOPBACK, metrics_port),
        }
        super().__init__("broker", data, ports)
        self.home = self.directory = self.data / "broker"
        self.users = tuple(service_packages() if users is None else users)
        self.secrets = secrets or Secrets.open(self.data, self.users)
        self.topology = topology or Topology()

    def url_for(self, user: str) -> str:
        """AMQP URL for one of the node's users, password included."""
        return f"amqp://{self._credentials(user)}@{LOOPBACK}:{self.ports['amqp'].number}/"

    @property
    def url(self) -> str:
        """AMQP URL for the administrator."""
        return self.url_for(ADMIN)

    def management_url_for(self, user: str) -> str:
        """URL of the management API for a user, password included."""
        return f"http://{self._credentials(user)}@{LOOPBACK}:{self.ports['management'].number}"

    @property
    def management_url(self) -> str:
        """URL of the management API for the administrator."""
        return self.management_url_for(ADMIN)

    def _credentials(self, user: str) -> str:
        return f"{quote(user, safe='')}:{quote(self.secrets.passwords[user], safe='')}"

    @property
    def node(self) -> str:
        """Name of the node. Its data is bound to it, so it is kept even if the directory moves."""
        path = self.home / "node"
        if not path.exists():
            write_private(path, f"warren-{hashlib.sha256(str(self.data).encode()).hexdigest()[:8]}@localhost")
        return path.read_text()

    def prepare(self) -> None:
        """Write cookie, plugins, configuration and definitions."""
        cookie = self.home / "home" / ".erlang.cookie"
        write_private(cookie, self.secrets.erlang_cookie)
        cookie.chmod(0o400)  # Erlang refuses one that others may read
        write_private(self.home / "enabled_plugins", f"[{','.join(PLUGINS)}].\n")
        passwords = {u: self.secrets.passwords[u] for u in (ADMIN, *self.users)}
        write_private(self.home / "definitions.json", json.dumps(definitions(self.topology, passwords), indent=2))
        numbers = {name: port.number for name, port in self.ports.items()}
        write_private(
            self.home / "rabbitmq.conf",
            _CONFIGURATION.format(host=LOOPBACK, definitions=self.home / "definitions.json", **numbers),
        )

    def command(self) -> Command:
        """Start the node in the foreground of its own script."""
        home = self.home
        return Command(
            (str(find_server()),),
            {
                # Nothing of RABBITMQ_* or ERL_* that the user may have set for another broker.
                "PATH": os.environ.get("PATH", os.defpath),
                "LANG": "C.UTF-8",
                "HOME": str(home / "home"),
                "RABBITMQ_NODENAME": self.node,
                "RABBITMQ_DIST_PORT": str(self.ports["distribution"].number),
                "RABBITMQ_MNESIA_BASE": str(home / "data"),
                "RABBITMQ_LOG_BASE": str(home / "log"),
                "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "enabled_plugins"),
                "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq.conf"),
                "RABBITMQ_CONF_ENV_FILE": os.devnull,
                "RABBITMQ_GENERATED_CONFIG_DIR": str(home / "config"),
                "RABBITMQ_PID_FILE": str(home / "pid"),
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
                "ERL_EPMD_ADDRESS": LOOPBACK,
                "ERL_CRASH_DUMP": str(home / "erl_crash.dump"),
                # The script then becomes the Erlang machine instead of waiting for it: one process to
                # watch and to kill, and no shell that outlives or hides it.
                "detached": "1",
            },
        )

    async def answers(self) -> bool:
        """Let the administrator in: only our own node knows the password."""
        return await broker_answers(LOOPBACK, self.ports["amqp"].number, ADMIN, self.secrets.passwords[ADMIN])
