"""What is done with lines that are entered and with events that arrive, whatever they come from and go to."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from warren.cli.chat_view import HELP, View, safe
from warren.client import Client, ClientError, Frame
from warren.client.state import ENTRY_TYPES
from warren.ids import uuid7

SHOWN = 20
"""Entries of history shown when a room is entered."""


class ChatSession:
    """One user in some rooms, of which one is `room`: where lines go. `show` prints a line."""

    def __init__(self, client: Client, view: View, show: Callable[[str], None]) -> None:
        self.client, self.view, self.show = client, view, show
        self.room = ""
        self.over = asyncio.Event()
        self.problems = 0
        self._lines: asyncio.Queue[str] = asyncio.Queue()
        self._unseen: set[str] = set()
        self._all_seen = asyncio.Event()
        self._all_seen.set()
        self._last: dict[str, int] = {}
        """One's last message in each room, unless it was deleted."""
        self._commands: dict[str, Callable[[str], Awaitable[None]]] = {
            "join": self.join,
            "leave": self.leave,
            "who": self._who,
            "name": self._name,
            "me": self._me,
            "edit": self._edit,
            "delete": self._delete,
            "rooms": self._rooms,
            "help": self._help,
            "quit": self._quit,
        }

    def complain(self, text: str) -> None:
        """Show a problem, and count it."""
        self.problems += 1
        self.show(self.view.problem(text))

    def enter(self, line: str) -> None:
        """Take a line or a command; they are worked off one by one."""
        self._lines.put_nowait(line)

    async def work(self) -> None:
        """Work off what is entered, until cancelled."""
        while True:
            line = await self._lines.get()
            try:
                await self._obey(line)
            except ClientError as e:
                self.complain(str(e))
            finally:
                self._lines.task_done()

    async def finish(self, patience: float = 5.0) -> None:
        """Return when all that was entered is accepted, and seen in the room or `patience` seconds have passed."""
        await self._lines.join()
        try:
            async with asyncio.timeout(patience):
                await self._all_seen.wait()
        except TimeoutError:
            self.complain("accepted, but not yet seen in the room")

    def hear(self, event: Frame) -> None:
        """Show an event."""
        kind, view = event["type"], self.view
        if kind in ENTRY_TYPES:
            self._seen(event["id"])
            self._remember(event)
            self.show(view.entry(event, room=self.room))
        elif kind == "presence":
            for line in view.presence(event, self.client.user["id"]):
                self.show(line)
        elif kind == "renamed":
            self.show(view.renamed(event))
        elif kind == "rejected":
            self._seen(event["id"])
            self.complain(f"rejected ({event['code']}): {event['message']}")
        elif kind == "truncated":
            missing = event["before"] - event["after"] - 1
            self.show(view.notice(f"{missing} messages were left out in {safe(event['room'])}"))
        elif kind == "offline":
            self.show(view.notice(f"offline: {event['reason']}; again in {event['retry_in']:.1f} s"))
        elif kind == "online":
            self.show(view.notice(f"online as {safe(event['user']['name'])} at {event['url']}"))
        elif kind == "ended":
            self.over.set()

    async def join(self, name: str) -> None:
        """Enter a room and turn to it."""
        if not name:
            self.complain("which room? /join ROOM")
            return
        known = name in self.client.rooms
        room = await self.client.join(name)
        self.room = name
        if known:
            self.show(self.view.notice(f"back in {safe(name)}"))
            return
        for entry in room.entries:
            self._remember(entry)
        for entry in list(room.entries)[-SHOWN:]:
            self.show(self.view.entry(entry, room=name))
        self.show(self.view.members(room))

    async def leave(self, name: str) -> None:
        """Leave a room, and turn to another one if there is one."""
        name = name or self.room
        await self.client.leave(name)
        if name == self.room:
            self.room = next(iter(self.client.rooms), "")
        self.show(self.view.notice(f"left {safe(name)}" + (f", now in {safe(self.room)}" if self.room else "")))

    async def say(self, body: str) -> None:
        """Say something in the present room."""
        if not self.room:
            self.complain("you are in no room: /join ROOM")
            return
        await self._send(self.client.send, self.room, body)

    async def _send(self, send: Callable[..., Awaitable[str]], *what: object) -> None:
        """Send something that comes back as an entry, or is rejected."""
        id = uuid7()  # noqa: A001 - the protocol's word
        self._unseen.add(id)
        self._all_seen.clear()
        try:
            await send(*what, id)
        except ClientError:
            self._seen(id)
            raise

    def _remember(self, entry: Frame) -> None:
        if entry["type"] == "message" and entry["user"]["id"] == self.client.user["id"]:
            self._last[entry["room"]] = entry["seq"]
        elif entry["type"] == "deleted" and self._last.get(entry["room"]) == entry["target"]:
            del self._last[entry["room"]]

    async def _obey(self, line: str) -> None:
        if not line.startswith("/") or line.startswith("//"):
            await self.say(line.removeprefix("/") if line.startswith("//") else line)
            return
        word, _, rest = line[1:].partition(" ")
        command = self._commands.get(word)
        if command is None:
            self.complain(f"no command /{safe(word)}; /help names them")
        else:
            await command(rest.strip())

    def _seen(self, id: str) -> None:  # noqa: A002 - the protocol's word
        self._unseen.discard(id)
        if not self._unseen:
            self._all_seen.set()

    async def _who(self, _: str) -> None:
        room = self.client.rooms.get(self.room)
        if room is None:
            self.complain("you are in no room: /join ROOM")
        else:
            self.show(self.view.members(room))

    async def _name(self, name: str) -> None:
        await self.client.rename(name)

    async def _me(self, text: str) -> None:
        await self.say(f"* {self.client.user['name']} {text}")

    async def _edit(self, body: str) -> None:
        if body and self.room in self._last:
            await self._send(self.client.edit, self.room, self._last[self.room], body)
        else:
            self.complain("no message of yours to change" if body else "to what? /edit TEXT")

    async def _delete(self, _: str) -> None:
        if self.room in self._last:
            await self._send(self.client.delete, self.room, self._last[self.room])
        else:
            self.complain("no message of yours to delete")

    async def _rooms(self, _: str) -> None:
        names = [safe(room["room"]) for room in await self.client.rest.rooms(self.client.token)]
        self.show(self.view.notice(", ".join(names) or "no rooms yet"))

    async def _help(self, _: str) -> None:
        self.show(HELP)

    async def _quit(self, _: str) -> None:
        self.over.set()
