"""How a chat looks on a terminal. Pure: frames in, lines of text out.

What people write is shown, never obeyed: control characters are replaced, so that no message can move the
cursor, change colours or talk to the terminal.
"""

from __future__ import annotations

import re
from datetime import datetime
from zlib import crc32

from warren.client import Frame, Room

_COLOURS = (31, 32, 33, 34, 35, 36, 91, 92, 93, 94, 95, 96)
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")

HELP = """\
/join ROOM     enter a room, or turn to one you are in
/leave [ROOM]  leave a room
/who           who is here
/name NAME     take another name
/me TEXT       say what you do
/edit TEXT     say your last message here otherwise
/delete        take your last message here back
/rooms         the rooms there are
/help          this
/quit          end (also Ctrl-C or Ctrl-D)"""


def safe(text: str) -> str:
    """Replace what a terminal would obey; a tab becomes a space, newlines stay."""
    return _CONTROL.sub(lambda match: " " if match[0] == "\t" else "\ufffd", text)


class View:
    """Writes frames as lines, with colours or without."""

    def __init__(self, *, colour: bool) -> None:
        self._colour = colour

    def entry(self, frame: Frame, *, room: str) -> str:
        """Write an entry of a log; its room is named if it is not `room`."""
        where = "" if frame["room"] == room else self.dim(f"#{safe(frame['room'])} ")
        body = safe(frame.get("body") or "").replace("\n", "\n         ")
        if frame["type"] != "message":
            body = self.dim(f"({frame['type']} {frame['target']}) ") + body
        return f"{self.dim(_clock(frame['time']))} {where}{self.user(frame['user'])}: {body}"

    def notice(self, text: str) -> str:
        """Write something the program says."""
        return self.dim(f"-- {text}")

    def problem(self, text: str) -> str:
        """Write something that went wrong."""
        return self._paint("31", f"!! {text}")

    def members(self, room: Room) -> str:
        """Write who is in a room."""
        if room.members is None:
            return self.notice(f"{room.count} people in {safe(room.name)}, too many to list")
        people = sorted(room.members.values(), key=lambda member: str(member["name"]).lower())
        names = ", ".join(self.user(member) for member in people)
        return f"{self.dim(f'-- {room.count} in {safe(room.name)}:')} {names}"

    def presence(self, frame: Frame, own: str) -> list[str]:
        """Write who came and went, leaving out oneself."""
        said = []
        for key, verb in (("joined", "came"), ("left", "left")):
            names = [safe(member["name"]) for member in frame.get(key, ()) if member["id"] != own]
            if names:
                said.append(self.notice(f"{', '.join(names)} {verb} ({safe(frame['room'])})"))
        return said

    def renamed(self, frame: Frame) -> str:
        """Write who has another name, or, where another user bears it, why not."""
        was, name = safe(frame["was"]), safe(frame["user"]["name"])
        taken = f"{safe(frame['asked'])} is taken: " if "asked" in frame else ""
        return self.notice(f"{taken}{was} is {'still' if was == name else 'now'} {name}")

    def prompt(self, room: str, name: str, *, online: bool) -> str:
        """Write what stands before the input: a mark for the connection, the room, one's name."""
        mark = self._paint("32", "●") if online else self._paint("33", "○")
        where = f" {safe(room)}" if room else ""
        return f"{mark}{where} {self.dim(safe(name) + '>')} "

    def user(self, user: Frame) -> str:
        """Write a name in its user's colour."""
        return self._paint(f"{_COLOURS[crc32(user['id'].encode()) % len(_COLOURS)]}", safe(user["name"]))

    def dim(self, text: str) -> str:
        """Write something of less weight."""
        return self._paint("2", text)

    def _paint(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colour else text


def _clock(time: str) -> str:
    """Return an RFC 3339 time as local `hh:mm:ss`."""
    return datetime.fromisoformat(time).astimezone().strftime("%H:%M:%S")
