"""Health: neighbours are checked by a background task, never by a request.

An essential neighbour that fails is an error and makes the service unready; any other is a warning.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from warren.contracts.base import now, rfc3339
from warren.observability.metrics import NEIGHBOUR_UP

log = logging.getLogger(__name__)

INTERVAL = 2.0
TIMEOUT = 3.0

Probe = Callable[[], Awaitable[None]]
"""Returns when the neighbour is well, raises with the reason when it is not."""


@dataclass(slots=True)
class Check:
    """One neighbour (or part of this process) and what was last found."""

    name: str
    probe: Probe
    essential: bool = True
    ok: bool = False
    reason: str = "not checked yet"
    since: str = field(default_factory=lambda: rfc3339(now()))

    @property
    def status(self) -> Literal["ok", "warning", "error"]:
        """Say how bad it is."""
        return "ok" if self.ok else "error" if self.essential else "warning"


class Health:
    """All checks of one process; `ready` while every essential one is well and nothing drains."""

    def __init__(self, alive_file: str = "") -> None:
        self.checks: list[Check] = []
        self.draining = False
        self._alive_file = Path(alive_file) if alive_file else None

    def add(self, name: str, probe: Probe, *, essential: bool = True) -> None:
        """Watch a neighbour."""
        self.checks.append(Check(name, probe, essential))

    @property
    def ready(self) -> bool:
        """Whether this process can do its work and will go on to."""
        return self.well and not self.draining

    @property
    def well(self) -> bool:
        """Whether this process can do its work, though it may be about to go."""
        return all(c.ok for c in self.checks if c.essential)

    @property
    def leaving(self) -> bool:
        """Whether clients are to go elsewhere: this process drains, or its IsAlive file was taken away."""
        return self.draining or not (self._alive_file is None or self._alive_file.exists())

    @property
    def in_rotation(self) -> bool:
        """Whether a load balancer may send clients here."""
        return self.well and not self.leaving

    def report(self) -> dict[str, object]:
        """Describe all checks, worst status first in `status`."""
        found = {c.status for c in self.checks}
        status = "error" if "error" in found or self.draining else "warning" if "warning" in found else "ok"
        return {
            "status": status,
            "ready": self.ready,
            "draining": self.draining,
            "neighbours": {
                c.name: {"status": c.status, "essential": c.essential, "reason": c.reason, "since": c.since}
                for c in self.checks
            },
        }

    async def run(self) -> None:
        """Check all neighbours again and again until cancelled."""
        while True:
            await asyncio.gather(*[self._check(c) for c in self.checks])
            await asyncio.sleep(INTERVAL if self.ready else INTERVAL / 10)

    async def drain(self) -> None:
        """Say from now on that this process goes away."""
        self.draining = True

    async def _check(self, check: Check) -> None:
        try:
            async with asyncio.timeout(TIMEOUT):
                await check.probe()
        except TimeoutError:
            self._found(check, ok=False, reason=f"no answer within {TIMEOUT:g} s")
        except Exception as e:  # noqa: BLE001 - whatever a probe raises is the finding
            self._found(check, ok=False, reason=str(e) or type(e).__name__)
        else:
            self._found(check, ok=True, reason="")

    @staticmethod
    def _found(check: Check, *, ok: bool, reason: str) -> None:
        first = check.reason == "not checked yet"
        if ok != check.ok or first:
            check.since = rfc3339(now())
            level = logging.INFO if ok else logging.ERROR if check.essential else logging.WARNING
            words = "neighbour is well" if ok else "neighbour fails"
            log.log(level, words, extra={"fields": {"neighbour": check.name, "reason": reason}})
        check.ok, check.reason = ok, reason
        NEIGHBOUR_UP.labels(check.name, str(check.essential).lower()).set(ok)
