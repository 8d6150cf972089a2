"""Plays a script through the websocket protocol: each user is a client of its own.

Order. The room must end up with the messages exactly in the order of the script. An `ack` says that the broker holds
the message in the room's only queue, so a message is sent when the one before it is acknowledged: then its place
behind is certain, whatever gateways the two users are on, and whatever is sent again after a crash. Nothing weaker is:
frames of two sockets may overtake each other, and of two on one socket the first may be refused for a moment (rate,
broker away) while the second is not. What is no message runs ahead beside it, in the order of each user, so that
connecting costs no time; the speed is one message per round trip to the broker.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from warren.client import Client, RefusedError, Rest
from warren.client.errors import ClientError
from warren.irc.script import Do, Script, Step

AHEAD = 64
"""Steps by which joins, leaves and renames may run ahead of the messages, where no clock is kept."""

CONNECTING = 16
"""Users who enter at the same time, at the most."""

PATIENCE = 120.0
"""Seconds for one answer, reconnections included."""


@dataclass(slots=True)
class Played:
    """What came of it: user ids by number, seconds to each ack, and what the server refused: (line, why)."""

    users: dict[str, int] = field(default_factory=dict)
    acks: list[float] = field(default_factory=list)
    refused: list[tuple[int, str]] = field(default_factory=list)
    seconds: float = 0.0


class Player:
    """Plays a script into a room.

    User n starts at gateway n of `urls`, counted round. `tokens` holds the users' tokens by number: those that are
    there are used, new ones are added. `ids` gives a line's message id.
    """

    def __init__(
        self,
        script: Script,
        room: str,
        urls: Sequence[str],
        ids: dict[int, str],
        *,
        rest: Rest,
        tokens: dict[int, str],
        said: Callable[[], None],
    ) -> None:
        self.played = Played()
        self._script, self._room, self._urls, self._ids = script, room, list(urls), ids
        self._rest, self._tokens, self._said = rest, tokens, said
        self._clients: dict[int, Client] = {}
        self._latest: dict[int, asyncio.Future[None]] = {}
        self._turns: list[tuple[asyncio.Future[None] | None, asyncio.Future[None]]] = []
        self._connecting = asyncio.Semaphore(CONNECTING)
        self._head = 0

    async def play(self, times: Sequence[float] | None, *, ahead: int = AHEAD) -> Played:
        """Play; `times` says at which second each step is due, None at once. Raises `ClientError`."""
        begun = time.perf_counter()
        try:
            async with asyncio.TaskGroup() as group:
                for number, step in enumerate(self._script.steps):
                    if times is not None:
                        await asyncio.sleep(begun + times[number] - time.perf_counter())
                    for upcoming in self._script.steps[len(self._turns) : number + 1 + ahead]:
                        self._schedule(group, upcoming)
                    if step.do is Do.SAY:
                        await self._say(step, *self._turns[number])
                self.played.seconds = time.perf_counter() - begun
        except BaseExceptionGroup as errors:
            known = errors.subgroup(ClientError)
            if known is None:
                raise
            raise _first(known) from None
        finally:
            await asyncio.gather(*(client.close() for client in self._clients.values()))
        return self.played

    def _schedule(self, group: asyncio.TaskGroup, step: Step) -> None:
        """Give a step its turn after the step of the same user before it."""
        before = self._latest.get(step.user)
        turn: asyncio.Future[None]
        if step.do is Do.SAY:
            turn = asyncio.get_running_loop().create_future()
        else:
            turn = group.create_task(self._move(step, before, back=self._comes_back(step)))
        self._latest[step.user] = turn
        self._turns.append((before, turn))

    def _comes_back(self, step: Step) -> bool:
        following = self._script.steps[len(self._turns) + 1 : len(self._turns) + 2]
        return any(f.user == step.user and f.do is Do.ENTER for f in following)

    async def _say(self, step: Step, before: asyncio.Future[None] | None, turn: asyncio.Future[None]) -> None:
        if before is not None:
            await before
        sent = time.perf_counter()
        try:
            client = self._clients[step.user]
            await client.send(self._room, step.body, self._ids[step.line], deadline=PATIENCE)
            self.played.acks.append(time.perf_counter() - sent)
        except RefusedError as e:
            self.played.refused.append((step.line, str(e)))
        turn.set_result(None)
        self._said()

    async def _move(self, step: Step, before: asyncio.Future[None] | None, *, back: bool) -> None:
        if before is not None:
            await before
        if step.do is Do.ENTER:
            async with self._connecting:
                await self._enter(step)
            return
        client = self._clients[step.user]
        if step.do is Do.RENAME:
            await client.rename(step.name, deadline=PATIENCE)
        if step.do is Do.LEAVE:
            self._head = max(self._head, client.rooms[self._room].head)
            await client.leave(self._room, deadline=PATIENCE)
        if step.do is Do.QUIT or (step.do is Do.LEAVE and not back):
            del self._clients[step.user]
            await client.close()

    async def _enter(self, step: Step) -> None:
        client = self._clients.get(step.user) or await self._connect(step)
        if client.user["name"] != step.name:
            await client.rename(step.name, deadline=PATIENCE)
        self._head = max((self._head, *(c.rooms[self._room].head for c in self._clients.values() if c.rooms)))
        await client.join(self._room, since=self._head, deadline=PATIENCE)

    async def _connect(self, step: Step) -> Client:
        first = step.user % len(self._urls)
        client = Client(
            self._urls[first:] + self._urls[:first],
            name=step.name,
            token=self._tokens.get(step.user),
            rest=self._rest,
            history=0,
        )
        await client.start(PATIENCE)
        self._clients[step.user] = client
        self._tokens[step.user] = client.token or ""
        self.played.users[client.user["id"]] = step.user
        return client


def _first(errors: BaseExceptionGroup[ClientError]) -> ClientError:
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, ClientError)  # noqa: S101 - the subgroup has no others
    return error
