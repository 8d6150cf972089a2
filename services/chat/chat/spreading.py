"""Keeps the partitions spread evenly over the chat processes that are there (see `chat.sharing`)."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from prometheus_client import Gauge

from chat.sharing import NOBODY, Line, Member, Roll, share_out
from warren.errors import DependencyDownError

log = logging.getLogger(__name__)

OWNED = Gauge("warren_chat_partitions_owned", "Partitions that are this process's share")


class Subscriber(Protocol):
    """The consumer of one partition (see `warren.messaging.Consumer`)."""

    @property
    def opened(self) -> int: ...
    @property
    def subscription(self) -> int: ...
    def give_way(self) -> None: ...


class Register(Protocol):
    """Where processes learn of each other (see `chat.repository.Members`)."""

    async def beat(self, member: Member) -> None: ...
    async def leave(self, incarnation: str) -> None: ...
    async def members(self) -> list[Member]: ...
    async def owners(self, partitions: int) -> tuple[int, tuple[str, ...]]: ...
    async def change(self, version: int, owners: Sequence[str]) -> bool: ...


class Spreading:
    """Beats, learns who else does, and gives way where another process is the owner.

    Whoever first sees that the shares are not even writes new ones, and all follow what is written: two views of
    who is there can't make two processes give way to each other for ever. `beat` is in seconds.
    """

    def __init__(
        self, incarnation: str, name: str, register: Register, subscribers: Sequence[Subscriber], *, beat: float
    ) -> None:
        self._me = incarnation
        self._name = name
        self._register = register
        self._subscribers = subscribers
        self._beat = beat
        self._beats = 0
        self._roll = Roll(beat)
        self._line = Line(len(subscribers))
        self._owners: tuple[str, ...] = ()
        self._turn = asyncio.Lock()
        self._leaving = False

    async def run(self) -> None:
        """Go on until cancelled; while the store is away everything stays as it is."""
        while True:
            try:
                async with self._turn:
                    await self._round()
            except DependencyDownError as e:
                log.debug("shares are not known", extra={"fields": {"reason": str(e)}})
            await asyncio.sleep(self._beat)

    async def drain(self) -> None:
        """Tell the others at once: they need not wait for the lease."""
        self._leaving = True
        try:
            async with self._turn:
                await self._register.leave(self._me)
        except DependencyDownError as e:
            log.info("left without a word", extra={"fields": {"reason": str(e)}})

    async def _round(self) -> None:
        subscriptions = tuple(s.subscription for s in self._subscribers)
        if self._leaving:
            return
        if any(subscriptions):  # who takes part in no line has no share
            self._beats += 1
            await self._register.beat(Member(self._me, self._name, self._beats, subscriptions))
        members = await self._register.members()
        now = time.monotonic()
        self._roll.call({m.incarnation: m.beat for m in members}, now)
        for incarnation in self._roll.gone(now):
            await self._register.leave(incarnation)
        self._follow(await self._shares(now), {m.incarnation: m.name for m in members})
        self._line.look([s.opened for s in self._subscribers], {m.incarnation: m.subscriptions for m in members})
        for number, owner in enumerate(self._owners):
            if owner != self._me and owner in self._roll.present and self._line.must_give_way(number, owner):
                self._subscribers[number].give_way()

    async def _shares(self, now: float) -> tuple[str, ...]:
        """Return the owners of all partitions; change them if they are not even and nobody is coming or going."""
        version, owners = await self._register.owners(len(self._subscribers))
        if self._me in self._roll.present and self._roll.settled(now):
            even = share_out(owners, self._roll.present)
            if even != owners and await self._register.change(version, even):
                return even
        return owners

    def _follow(self, owners: tuple[str, ...], names: dict[str, str]) -> None:
        if owners == self._owners:
            return
        self._owners = owners
        OWNED.set(owners.count(self._me))
        shares = Counter(names.get(o, o) for o in owners if o != NOBODY)
        mine = [number for number, owner in enumerate(owners) if owner == self._me]
        log.info("partitions are shared out", extra={"fields": {"shares": dict(shares), "mine": mine}})
