"""Reads back what was played: the room's history over REST, as soon as it holds all of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Container

from warren.client import Frame, Rest, UnreachableError
from warren.client.backoff import Backoff

SETTLE = 30.0
"""Seconds without a new entry after which what is missing counts as missing."""


async def read_back(rest: Rest, token: str, room: str, after: int, ours: Container[str], count: int) -> list[Frame]:
    """Return the entries after `after`, once `count` of them are by users in `ours`, or no more come.

    An acknowledged message is on its way to the store, not yet there: chat may be some way behind.
    """
    entries: list[Frame] = []
    found, latest, backoff = 0, time.monotonic(), Backoff(base=0.05, cap=1.0)
    while True:
        try:
            page = await rest.entries(room, token, after=entries[-1]["seq"] if entries else after)
        except UnreachableError as e:
            if time.monotonic() - latest > SETTLE:
                raise
            await asyncio.sleep(backoff.delay(e.retry_after))
            continue
        if page["entries"]:
            entries += page["entries"]
            found += sum(entry["user"]["id"] in ours for entry in page["entries"])
            latest = time.monotonic()
            backoff.reset()
        elif found >= count or time.monotonic() - latest > SETTLE:
            return entries
        else:
            await asyncio.sleep(backoff.delay())
