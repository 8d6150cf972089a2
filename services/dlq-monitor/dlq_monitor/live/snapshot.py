"""What goes on at one moment, and what changed since another. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Row = Mapping[str, Any]

_TOLD = {
    "queue": ("depth", "unacked", "consumers"),
    "group": ("status", "count", "open", "owner", "note"),
    "alert": ("state", "silence"),
}
"""What makes a change worth telling: rates and times are never twice the same."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Rows of the HTTP API: queues by name, groups with open letters and alerts that fire by id."""

    queue: Mapping[str, Row] = field(default_factory=dict)
    group: Mapping[str, Row] = field(default_factory=dict)
    alert: Mapping[str, Row] = field(default_factory=dict)
    away: str = ""
    """Why the service cannot be asked; empty if it can."""

    @classmethod
    def of(cls, queues: Row, groups: Row, alerts: Row) -> Snapshot:
        """Take the answers of `/queues`, `/groups` and `/alerts`."""
        return cls(
            {q["name"]: q for q in queues["items"]},
            {g["id"]: g for g in groups["items"]},
            {a["id"]: a for a in alerts["items"]},
        )

    def new(self, since: Snapshot) -> dict[str, int]:
        """Return how many letters came to each group since another moment."""
        found = {id_: g["count"] - since.group.get(id_, {}).get("count", 0) for id_, g in self.group.items()}
        return {id_: n for id_, n in found.items() if n > 0}


def changes(before: Snapshot, after: Snapshot) -> Iterator[dict[str, Any]]:
    """Yield what changed: `kind` is service, queue, group or alert; `gone` says that there is no such row any more."""
    if before.away != after.away:
        yield {"kind": "service", "up": not after.away, "reason": after.away or None}
    if after.away:
        return
    for kind, told in _TOLD.items():
        was: Mapping[str, Row] = getattr(before, kind)
        now: Mapping[str, Row] = getattr(after, kind)
        for name, row in now.items():
            old = was.get(name)
            if old is None or any(old[k] != row[k] for k in told):
                yield {"kind": kind, "gone": False, **row}
        for name, row in was.items():
            if name not in now:
                yield {"kind": kind, "gone": True, **row}
