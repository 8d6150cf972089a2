"""A client that is cut off again and again, in every way there is, while others talk, edit and delete."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any

from tests.support.proxy import Proxy
from tests.support.stack import Stack
from tests.support.talk import Talk, plain
from tests.support.waiting import eventually
from warren.client import Client
from warren.client.state import ENTRY_TYPES

GIVEN_UP_SECONDS = 40
"""A client gives a link up that is frozen for good after two unanswered pings, each in 10 s."""


class Victim:
    """A client in the first room of `talk`, at each gateway through a proxy that can cut it off."""

    def __init__(self, stack: Stack, talk: Talk, rng: random.Random) -> None:
        self._stack, self._talk, self._rng = stack, talk, rng
        self._seen: list[dict[str, Any]] = []
        self._holes: list[dict[str, Any]] = []
        self.suffered: Counter[str] = Counter()

    async def suffer(self, cuts: int, kinds: Mapping[str, int]) -> None:
        """Be cut `cuts` times, by `kinds` with these weights, and end with exactly the room's entries, in order."""
        async with AsyncExitStack() as exits:
            gateways = self._stack.gateways
            self._proxies = [await exits.enter_async_context(Proxy(url).running()) for url in gateways]
            urls = [p.url for p in self._proxies]
            client = Client(urls, name="victim", history=1_000_000, on_event=self._hear)
            await exits.enter_async_context(client)
            room = self._talk.room(0)
            self._seen[:0] = (await client.join(room, since=0)).entries
            for _ in range(cuts):
                await self._cut(client, self._rng.choices([*kinds], [*kinds.values()])[0])
            await self._talk.all_are_back(60)
            await self._talk.finish(120)
            await self._talk.reckon(120)
            history = self._talk.received[0]
            await eventually(lambda: len(self._seen) >= len(history), 60, what="the victim has all entries")
            assert not self._holes
            assert [e["seq"] for e in self._seen] == list(range(1, len(history) + 1))
            assert plain(self._seen) == plain(history)

    def _hear(self, event: dict[str, Any]) -> None:
        if event["type"] in ENTRY_TYPES:
            self._seen.append(event)
        elif event["type"] == "truncated":
            self._holes.append(event)

    async def _cut(self, client: Client, kind: str) -> None:
        """Cut once, at a random moment of a connection: of the handshake, the join, the page or of steady talk."""
        await eventually(lambda: any(p.carries for p in self._proxies), 60, what="the victim connects")
        # Half of the connections live long enough to start the client's back-off anew.
        await asyncio.sleep(self._rng.uniform(0, 0.4) if self._rng.random() < 0.5 else self._rng.uniform(2, 2.5))
        self.suffered[kind] += 1
        if kind == "closed":
            self._each(Proxy.cut)
        elif kind == "frozen":
            self._each(Proxy.stall)
            await asyncio.sleep(self._rng.uniform(0.1, 1.5))
            self._each(Proxy.flow)
        elif kind == "frozen, then closed":
            self._each(Proxy.stall)
            await asyncio.sleep(self._rng.uniform(0.1, 1.5))
            self._each(Proxy.cut)
            self._each(Proxy.flow)
        elif kind == "frozen for good":
            self._each(Proxy.stall)
            await eventually(lambda: not client.online, GIVEN_UP_SECONDS, what="the victim gives the link up")
            self._each(Proxy.cut)
            self._each(Proxy.flow)
        else:
            await self._kill(client, kind)

    async def _kill(self, client: Client, kind: str) -> None:
        number = next((n for n, p in enumerate(self._proxies, 1) if p.url == client.url), 1)
        name = f"gateway-{number}" if kind == "gateway killed" else "broker"
        await eventually(lambda: self._stack.runs(name), 30, what=f"{name} runs", interval=0.2)
        self._stack.kill(name)
        await self._talk.said(50)

    def _each(self, do: Any) -> None:
        for proxy in self._proxies:
            do(proxy)
