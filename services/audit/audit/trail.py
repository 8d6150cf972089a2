"""A message's way, put together from its audit records and the log lines of all services. Pure, but for the files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from audit.model import made_at
from warren.contracts import rfc3339

CLOCKS = timedelta(seconds=5)
"""How far a message's id and its timestamp may be apart; then the id, which has milliseconds, is believed."""

_PUBLISHED, _LOGGED, _RECORDED = range(3)
_DETAILS = ("reason", "cause", "attempt", "delay", "queue", "count", "n", "error")


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened to a message. `source` is audit or log; `who` a service or one instance of it."""

    time: datetime
    who: str
    what: str
    room: str = ""
    ref: str = ""
    level: str = "info"
    detail: str = ""
    source: str = "audit"
    rank: int = _LOGGED

    def plain(self, first: datetime) -> dict[str, Any]:
        """Return it for JSON; `after_ms` counts from the first step."""
        shown = {k: v for k, v in asdict(self).items() if k != "rank"}
        return {**shown, "time": rfc3339(self.time), "after_ms": round((self.time - first) / timedelta(milliseconds=1))}


def in_order(steps: Iterable[Step]) -> list[Step]:
    """Sort steps; at the same millisecond what was published comes before what was made of it."""
    return sorted(steps, key=lambda s: (s.time, s.rank))


def of_record(record: Mapping[str, Any]) -> Iterator[Step]:
    """Tell a record as two steps: it was published, it was recorded."""
    room, ref = str(record.get("room", "")), _ref(record)
    kind = record.get("type") or "message without a type"
    where = f"{record.get('exchange')} / {record.get('routing_key')}"
    received = datetime.fromisoformat(record["received"])
    sent = _sent(record)
    if sent is not None:
        # Clocks of two machines may differ: nothing is recorded before it was sent.
        yield Step(min(sent, received), record.get("app") or "?", f"published {kind}", room, ref, "info", where, rank=0)
    place = f"document {record.get('n')} of {record.get('chain')}"
    yield Step(received, "audit", f"recorded {kind}", room, ref, "info", place, rank=_RECORDED)


def of_logs(directory: Path, trace: str) -> Iterator[Step]:
    """Find the log lines about a trace, in the pieces that are kept of each service's log."""
    wanted = trace.encode()
    for path in sorted([*directory.glob("*.log.1"), *directory.glob("*.log")]):
        with path.open("rb") as lines:
            for line in lines:
                if wanted in line and (step := of_line(line, trace)):
                    yield step


def of_line(line: bytes, trace: str) -> Step | None:
    """Read a log line, or nothing if it is not about this trace."""
    try:
        fields = orjson.loads(line)
        about = fields.get("trace") == trace or trace in (fields.get("traces") or ())
        time = datetime.fromisoformat(fields["time"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    if not about:
        return None
    detail = ", ".join(f"{k} {fields[k]}" for k in _DETAILS if fields.get(k) not in (None, ""))
    return Step(
        time=time if time.tzinfo else time.replace(tzinfo=UTC),
        who=str(fields.get("instance") or fields.get("service") or "?"),
        what=str(fields.get("message", "")),
        room=str(fields.get("room", "")),
        ref=str(fields.get("seq") or fields.get("id") or ""),
        level=str(fields.get("level", "info")),
        detail=detail[:300],
        source="log",
    )


def _sent(record: Mapping[str, Any]) -> datetime | None:
    """Return when a record's message was made."""
    stamp = record.get("time")
    if not stamp:
        return None
    sent = datetime.fromisoformat(stamp)
    made = made_at(str(record.get("message_id")))
    return made if made is not None and abs(made - sent) <= CLOCKS else sent


def _ref(record: Mapping[str, Any]) -> str:
    """Return the place in the room if the message has one, else the client's id of it."""
    try:
        body = orjson.loads(record["body"])
        seq = body.get("seq")
    except (ValueError, KeyError, AttributeError, TypeError):
        seq = None
    return f"#{seq}" if isinstance(seq, int) else str(record.get("id", ""))
