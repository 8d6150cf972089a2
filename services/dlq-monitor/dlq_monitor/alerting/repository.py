"""Alerts and silences in the store (database `warren_dlq`, collections `alerts` and `silences`)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from pymongo import DESCENDING, IndexModel, ReplaceOne

from dlq_monitor.alerting.model import Alert, Condition, Silence
from warren.storage import Database, Document, store_errors

KEPT_SECONDS = 30 * 24 * 3600
"""How long an alert is on record after it was cleared, and a silence after its end."""


class AlertStore:
    """Stores alerts from the moment they are raised, and silences."""

    def __init__(self, database: Database) -> None:
        self._alerts = database["alerts"]
        self._silences = database["silences"]

    async def prepare(self) -> None:
        """Create the indexes; what is long over is removed by the store itself."""
        newest = IndexModel([("raised", DESCENDING)])
        with store_errors():
            await self._alerts.create_indexes([newest, IndexModel("cleared", expireAfterSeconds=KEPT_SECONDS)])
            await self._silences.create_indexes([IndexModel("until", expireAfterSeconds=KEPT_SECONDS)])

    async def save(self, alerts: Sequence[Alert]) -> None:
        """Store alerts as they are now."""
        if alerts:
            with store_errors():
                await self._alerts.bulk_write([ReplaceOne({"_id": a.id}, _document(a), upsert=True) for a in alerts])

    async def delivered(self, ids: Sequence[str], state: str, channel: str) -> None:
        """Note that a channel was told of that state of these alerts."""
        wanted = {"_id": {"$in": list(ids)}, "state": state}
        with store_errors():
            await self._alerts.update_many(wanted, {"$pull": {"owed": channel}})

    async def load(self) -> list[Alert]:
        """Return what fires, and what is over but was not told to all channels."""
        with store_errors():
            found = await self._alerts.find({"$or": [{"state": "firing"}, {"owed.0": {"$exists": True}}]}).to_list(None)
        return [_alert(d) for d in found]

    async def past(self, limit: int) -> list[Alert]:
        """Return cleared alerts, the newest first."""
        with store_errors():
            cursor = self._alerts.find({"state": "cleared"}).sort([("raised", DESCENDING)]).limit(limit)
            return [_alert(d) for d in await cursor.to_list(None)]

    async def silences(self, now: datetime, days: float = 7) -> list[Silence]:
        """Return silences that hold or ended within `days`."""
        with store_errors():
            found = await self._silences.find({"until": {"$gt": now - timedelta(days=days)}}).to_list(None)
        return [_silence(d) for d in found]

    async def silence(self, silence: Silence) -> None:
        """Store a silence."""
        with store_errors():
            await self._silences.replace_one({"_id": silence.id}, _silence_document(silence), upsert=True)


def _document(alert: Alert) -> Document:
    c = alert.condition
    return {
        "_id": alert.id,
        "source": alert.source,
        "state": alert.state,
        "alert": c.alert,
        "severity": c.severity,
        "summary": c.summary,
        "labels": _pairs(c.labels),
        "hold": c.hold,
        "since": alert.since,
        "raised": alert.raised,
        "told": alert.told,
        "cleared": alert.cleared,
        "owed": sorted(alert.owed),
    }


def _alert(d: Document) -> Alert:
    return Alert(
        id=d["_id"],
        source=d["source"],
        condition=Condition(d["alert"], d["severity"], d["summary"], dict(d["labels"]), d["hold"]),
        since=d["since"],
        raised=d["raised"],
        told=d["told"],
        cleared=d["cleared"],
        owed=set(d["owed"]),
    )


def _silence_document(s: Silence) -> Document:
    return {
        "_id": s.id,
        "alert": s.alert,
        "labels": _pairs(s.labels),
        "who": s.who,
        "why": s.why,
        "since": s.since,
        "until": s.until,
        "ended_by": s.ended_by,
    }


def _silence(d: Document) -> Silence:
    return Silence(d["_id"], d["alert"], dict(d["labels"]), d["who"], d["why"], d["since"], d["until"], d["ended_by"])


def _pairs(labels: Any) -> list[list[str]]:
    """Store labels as pairs: their names may have dots and dollars in them."""
    return [[k, v] for k, v in labels.items()]
