"""What the feed has lost, fetched: entries from chat, members from presence.

A gap in a room's `seq` is filled from chat before anything beyond it is given out. Since a feed may lose facts without
a trace, the heads of all rooms are compared with chat's, and their revs with presence's, from time to time.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from gateway.background import Background
from gateway.catching_up import Page
from gateway.framing import framed, framed_json
from gateway.metrics import BACKFILLED
from gateway.neighbours import Chat, Presence
from gateway.room import Room
from warren.contracts.events import Member
from warren.errors import DependencyDownError

log = logging.getLogger(__name__)

COMPARED_AT_ONCE = 1000
"""Rooms in one question for heads."""

UNDER_WAY_SECONDS = 0.5
"""What was stored when heads were asked gets this long to arrive by itself: in a busy room some is always under way."""


class Mending:
    """Mends `rooms`, which are the hub's, by name."""

    def __init__(self, rooms: Mapping[str, Room], chat: Chat, presence: Presence, background: Background) -> None:
        self._rooms = rooms
        self._chat = chat
        self._presence = presence
        self._background = background

    def fill_if_needed(self, room: Room, head: int = 0) -> None:
        """Begin to fetch what a room misses, up to `head` at the least, if nobody does so yet."""
        behind = room.seq is not None and room.seq < head
        if (room.has_gap or behind) and not room.filling:
            room.filling = True
            self._background.spawn(self._fill(room, head))

    async def _fill(self, room: Room, head: int) -> None:
        """Fetch what is missing, page by page; what stays missing is found again by the next comparison."""
        try:
            while room.seq is not None and not room.empty and (room.has_gap or room.seq < head):
                page = await self._fetch(room)
                BACKFILLED.inc(len(page.entries))
                for frame in page.entries:
                    room.entry(frame["seq"], framed_json(frame))
                room.flush()
                if not page.entries:
                    break
        except DependencyDownError as e:
            log.warning("a gap stays for now", extra={"fields": {"room": room.name, "reason": str(e)}})
        finally:
            room.filling = False

    async def _fetch(self, room: Room) -> Page:
        async for attempt in AsyncRetrying(
            wait=wait_random_exponential(multiplier=0.05, max=2),
            stop=stop_after_delay(10),
            retry=retry_if_exception_type(DependencyDownError),
            reraise=True,
        ):
            with attempt:
                return await self._chat.page(room.name, after=room.seq, limit=200)
        raise DependencyDownError(self._chat.name, "no answer")

    def refresh_soon(self, room: Room) -> None:
        """Begin to fetch who is in a room, if nobody does so yet."""
        if not room.refreshing:
            room.refreshing = True
            self._background.spawn(self._refresh_members(room))

    async def _refresh_members(self, room: Room) -> None:
        """Tell members who is here, whatever they knew."""
        try:
            found = await self._presence.members(room.name)
        except DependencyDownError:
            return  # the next comparison tries again
        finally:
            room.refreshing = False
        if room.people.rev is None or found.rev >= room.people.rev:
            members = None if found.members is None else [Member(**m) for m in found.members]
            room.tell(framed(room.people.whole(room.name, members, found.count, found.rev)))
            room.flush()

    async def compare(self) -> None:
        """Ask where all rooms stand, and mend what is behind."""
        names = [n for n, r in self._rooms.items() if r.seq is not None]
        try:
            for start in range(0, len(names), COMPARED_AT_ONCE):
                part = names[start : start + COMPARED_AT_ONCE]
                heads, revs = await self._chat.heads(part), await self._presence.revs(part)
                await asyncio.sleep(UNDER_WAY_SECONDS)
                self._mend(heads, revs)
        except DependencyDownError as e:
            log.warning("heads cannot be compared", extra={"fields": {"reason": str(e)}})

    def _mend(self, heads: Mapping[str, int], revs: Mapping[str, int]) -> None:
        """Fetch what the feed has not brought though it had time to."""
        for name, head in heads.items():
            if room := self._rooms.get(name):
                self.fill_if_needed(room, head)
        for name, rev in revs.items():
            if (room := self._rooms.get(name)) and room.people.rev is not None and rev > room.people.rev:
                self.refresh_soon(room)
