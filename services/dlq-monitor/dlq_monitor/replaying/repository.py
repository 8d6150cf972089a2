"""Replays in the store (database `warren_dlq`).

Collection `replays`: one document a replay, small, as it is written again and again. Collection `replay_plans`: the
numbers of its letters, 8 bytes each, written once.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from dlq_monitor.replaying.model import Replay, Wish
from dlq_monitor.resending import Target
from warren.storage import Database, Document, store_errors


class Replays:
    """Stores replays."""

    def __init__(self, database: Database) -> None:
        self._replays = database["replays"]
        self._plans = database["replay_plans"]

    async def add(self, replay: Replay) -> None:
        """Store a new replay; its plan first, so that there is none without."""
        with store_errors():
            await self._plans.insert_one({"_id": replay.id, "numbers": replay.plan.tobytes()})
        await self.save(replay)

    async def save(self, replay: Replay) -> None:
        """Store how far it is."""
        with store_errors():
            await self._replays.replace_one({"_id": replay.id}, _document(replay), upsert=True)

    async def all(self) -> list[Replay]:
        """Return all replays, the newest first."""
        with store_errors():
            found = await self._replays.find({}).to_list(None)
            plans = {d["_id"]: d["numbers"] for d in await self._plans.find({}).to_list(None)}
        return sorted((_replay(d, plans[d["_id"]]) for d in found), key=lambda r: r.id, reverse=True)

    async def remove(self, ids: Sequence[str]) -> None:
        """Delete replays; those letters' records stay."""
        with store_errors():
            await self._replays.delete_many({"_id": {"$in": list(ids)}})
            await self._plans.delete_many({"_id": {"$in": list(ids)}})


def _document(replay: Replay) -> Document:
    wish = replay.wish
    return {
        "_id": replay.id,
        "actor": wish.actor,
        "reason": wish.reason,
        "choice": dict(wish.choice),
        "to": [wish.to.exchange, wish.to.key] if wish.to else None,
        "rate": wish.rate,
        "canary": wish.canary,
        "max_failures": wish.max_failures,
        "made": replay.made,
        "state": replay.state,
        "why": replay.why,
        "sent": replay.sent,
        "marked": replay.marked,
        "refused": list(replay.refused),
        "proven": replay.proven,
        "forgiven": replay.forgiven,
        "ended": replay.ended,
        "counts": dict(replay.counts),
    }


def _replay(document: Document, numbers: bytes) -> Replay:
    plan = array("q")
    plan.frombytes(bytes(numbers))
    to = Target(*document["to"]) if document["to"] else None
    asked = {k: document[k] for k in ("actor", "reason", "choice", "rate", "canary", "max_failures")}
    rest = {
        k: document[k]
        for k in ("made", "state", "why", "sent", "marked", "refused", "proven", "forgiven", "ended", "counts")
    }
    return Replay(id=document["_id"], wish=Wish(**asked, to=to), plan=plan, **rest)
