"""What a member of a room gets first: entries, who is there, and how far the user has read, each from its owner."""

from __future__ import annotations

import asyncio

from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from gateway.catching_up import Page
from gateway.neighbours import Chat, Members, Presence
from gateway.reading import Reading
from gateway.settings import GatewaySettings
from warren.contracts import frames
from warren.contracts.events import Member
from warren.errors import DependencyDownError


class Snapshots:
    """Asks chat and presence, again while they are away, for as long as a join may take."""

    def __init__(self, settings: GatewaySettings, chat: Chat, presence: Presence, reading: Reading) -> None:
        self._settings = settings
        self._chat = chat
        self._presence = presence
        self._reading = reading

    async def of(self, frame: frames.Join, user: str) -> frames.Joined:
        """Return the answer to a join; raises `DependencyDownError`."""
        page, members, read = await asyncio.gather(
            self._history(frame), self._members(frame.room), self._read_by(user, frame.room)
        )
        return frames.Joined(
            ref=frame.ref,
            room=frame.room,
            seq=page.seq,
            rev=members.rev,
            members=None if members.members is None else tuple(Member(**m) for m in members.members),
            count=members.count,
            entries=page.entries,
            truncated=page.truncated,
            read=read,
        )

    async def _history(self, frame: frames.Join) -> Page:
        """Entries after `since`, or the newest page where there are too many, saying so."""
        size = self._settings.page
        async for attempt in _while_away(self._settings.join_seconds):
            with attempt:
                if frame.since is None:
                    newest = await self._chat.page(frame.room, limit=self._settings.first_page)
                    return Page(newest.entries, newest.seq, truncated=False)
                missed = await self._chat.page(frame.room, after=frame.since, limit=size)
                if not missed.truncated:
                    return missed
                newest = await self._chat.page(frame.room, limit=size)
                return Page(newest.entries, newest.seq, truncated=True)
        raise DependencyDownError("chat", "no answer")

    async def _members(self, room: str) -> Members:
        async for attempt in _while_away(self._settings.join_seconds):
            with attempt:
                return await self._presence.members(room)
        raise DependencyDownError("presence", "no answer")

    async def _read_by(self, user: str, room: str) -> int:
        """Return how far a user has read a room: as it is stored, or as this gateway has heard since."""
        async for attempt in _while_away(self._settings.join_seconds):
            with attempt:
                self._reading.learn(user, room, await self._chat.read((user, room)))
                return self._reading.known(user, room)
        raise DependencyDownError("chat", "no answer")


def _while_away(seconds: float) -> AsyncRetrying:
    return AsyncRetrying(
        wait=wait_random_exponential(multiplier=0.05, max=1),
        stop=stop_after_delay(seconds),
        retry=retry_if_exception_type(DependencyDownError),
        reraise=True,
    )
