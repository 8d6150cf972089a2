"""What runs in a data directory: written by the supervisor, read by `warren status` and other commands."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from warren.errors import WarrenError
from warren.stack.files import write_private
from warren.stack.lock import holder

STARTING, READY, WAITING, STOPPING, STOPPED = "starting", "ready", "waiting", "stopping", "stopped"


class NotRunningError(WarrenError):
    """No stack runs in this data directory."""


@dataclass(frozen=True, slots=True)
class ProcessState:
    """One process; `state` is starting, ready or waiting (for its next start).

    `since` is its last start, in Unix seconds.
    """

    name: str
    pid: int | None
    state: str
    since: float
    restarts: int
    url: str | None = None
    """Where it can be asked for its health; None for broker and store."""


@dataclass(frozen=True, slots=True)
class StackState:
    """A running stack. URLs of broker and store include their administrator's password."""

    supervisor: int
    ready: bool
    gateways: list[str]
    balancer: str | None
    """Where people connect if there is a balancer before the gateways."""
    services: dict[str, str]
    """Where each service behind the gateways answers, of several processes the first."""
    amqp: str
    mongo: str
    management: str | None
    service_token: str = field(repr=False)
    processes: list[ProcessState] = field(default_factory=list)

    def public(self) -> dict[str, Any]:
        """Return what `warren status --json` prints; processes that are down at the moment are left out."""
        return {
            "gateways": self.gateways,
            "balancer": self.balancer,
            "services": self.services,
            "amqp": self.amqp,
            "mongo": self.mongo,
            "management": self.management,
            "processes": [{"name": p.name, "pid": p.pid} for p in self.processes if p.pid],
        }

    @property
    def doors(self) -> list[str]:
        """Where people connect: the balancer, or each gateway."""
        return [self.balancer] if self.balancer else self.gateways

    def addresses(self, service: str) -> list[str]:
        """Return where the processes of a service behind the gateways answer."""
        first = self.services.get(service)
        further = [p.url for p in self.processes if p.url and p.name.startswith(f"{service}-") and p.pid]
        return [first, *further] if first else []


def _path(data: Path) -> Path:
    return data / "run" / "state.json"


def write_state(data: Path, state: StackState) -> None:
    """Save the state of the stack in `data`, for its owner's eyes only."""
    write_private(_path(data), json.dumps(asdict(state), indent=2))


def remove_state(data: Path) -> None:
    """Nothing runs in `data` any more."""
    _path(data).unlink(missing_ok=True)


def read_state(data: Path) -> StackState:
    """Return the state of the stack that runs in `data`, or raise `NotRunningError`."""
    if holder(data) is None:
        raise NotRunningError(f"nothing runs in {data}; start it with `warren up`")
    try:
        raw = json.loads(_path(data).read_text())
        processes = [ProcessState(**p) for p in raw.pop("processes")]
        return StackState(**raw, processes=processes)
    except (OSError, ValueError, KeyError, TypeError):
        raise NotRunningError(f"the stack in {data} is just starting or stopping; try again") from None
