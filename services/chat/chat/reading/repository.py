"""How far users have read, in the store (database `warren_chat`).

Collection `reads`: one document per user and room in which the user has read something; its `_id` is both, so every
question is one by `_id`. It is forgotten a year after it last moved.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pymongo import ASCENDING, IndexModel, UpdateOne

from chat.repository import MAX_IN
from warren.contracts import now
from warren.storage import Database, store_errors

FORGOTTEN_SECONDS = 365 * 86_400

Reader = tuple[str, str]
"""User id, room."""


class Positions:
    """Reads and advances positions; every write is durable when it returns."""

    def __init__(self, database: Database) -> None:
        self._reads = database["reads"]

    async def prepare(self) -> None:
        """Create the index by which old positions are forgotten."""
        with store_errors():
            await self._reads.create_indexes(
                [IndexModel([("time", ASCENDING)], name="forgotten", expireAfterSeconds=FORGOTTEN_SECONDS)]
            )

    async def advance(self, positions: Mapping[Reader, int]) -> None:
        """Move positions forward, never back; done twice, or in another order, it is the same."""
        moment = now()
        writes = [
            UpdateOne({"_id": _id(reader)}, {"$max": {"seq": seq}, "$set": {"time": moment}}, upsert=True)
            for reader, seq in positions.items()
        ]
        if writes:
            with store_errors():
                await self._reads.bulk_write(writes, ordered=False)

    async def of(self, readers: Iterable[Reader]) -> dict[Reader, int]:
        """Return the last `seq` that each has read, 0 for none."""
        wanted = {_id(reader): reader for reader in readers}
        found = dict.fromkeys(wanted.values(), 0)
        ids = list(wanted)
        with store_errors():
            for start in range(0, len(ids), MAX_IN):
                known = self._reads.find({"_id": {"$in": ids[start : start + MAX_IN]}})
                found.update({wanted[d["_id"]]: int(d["seq"]) for d in await known.to_list(None)})
        return found


def _id(reader: Reader) -> str:
    return "\n".join(reader)  # neither can contain a line break
