"""Reads IRC logs as text clients write them. Pure: bytes in, lines out; no line is left out silently.

    [09:56] <nick> text                          a message
    [09:56]  * nick waves        === nick waves  an action
    === nick [user@host]  has joined #channel    also: has left, has quit, was kicked
    === nick is now known as other
    === netjoined: …   === mode/#channel …       notes of the logger: nothing that a user did

Text is UTF-8, or Latin-1 where it is not valid UTF-8, line by line as on IRC. `===` lines have no time and
happen at that of the line before. Clocks run over midnight, and over noon where they show twelve hours only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a line is."""

    MESSAGE = "message"
    ACTION = "action"
    JOIN = "join"
    LEAVE = "leave"
    QUIT = "quit"
    RENAME = "rename"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Line:
    """One line; `number` counts from 1, `minute` from the log's first time.

    `text` is what a message or an action says, the new nick of a rename, the reason of a leave or quit, and a
    whole note. `nick` is empty in a note.
    """

    number: int
    minute: int
    kind: Kind
    nick: str
    text: str


_TIMED = re.compile(r"\[(\d\d):(\d\d)(?::\d\d)?\] (.*)", re.DOTALL)
_MESSAGE = re.compile(r"<(.+?)> ?(.*)", re.DOTALL)
_HOST = r"(?P<nick>.+?) +\[[^\[\]\s]*@[^\]\s]*\] +"
_CAME = re.compile(_HOST + r"has joined \S+$")
_LEFT = re.compile(_HOST + r"has left \S+ *(?P<text>.*)", re.DOTALL)
_QUIT = re.compile(_HOST + r"has quit(?: IRC)? *(?P<text>.*)", re.DOTALL)
_KICKED = re.compile(r"(?P<nick>\S+) was kicked (?P<text>(?:off|from) .*)", re.DOTALL)
_RENAMED = re.compile(r"(?P<nick>.+?) is now known as (?P<text>.+)", re.DOTALL)
_NOTE = re.compile(
    r"(?:netsplit|netjoined):|(?:server)?mode/#|topic (?:\(#|for #)|\S+ changed the topic of #|#\S+ ",
    re.IGNORECASE,
)
_SYSTEM = (
    (_CAME, Kind.JOIN),
    (_LEFT, Kind.LEAVE),
    (_QUIT, Kind.QUIT),
    (_RENAMED, Kind.RENAME),
    (_KICKED, Kind.LEAVE),
)


def parse(data: bytes) -> list[Line]:
    """Read a whole log; empty lines are the only ones without a `Line`."""
    texts = [_decode(raw.removesuffix(b"\r")) for raw in data.split(b"\n")]
    nicks = _spaced_nicks(texts)
    times = [(int(t[1]), int(t[2])) for text in texts if (t := _TIMED.match(text))]
    clock = _Clock(times)
    lines = []
    for number, text in enumerate(texts, start=1):
        if not text.strip():
            continue
        timed = _TIMED.match(text)
        if timed:
            clock.show(int(timed[1]), int(timed[2]))
        kind, nick, said = _read(timed[3] if timed else text, nicks, timed=bool(timed))
        lines.append(Line(number, clock.minute, kind, nick, said))
    return lines


def _decode(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _spaced_nicks(texts: Iterable[str]) -> list[str]:
    """Return the nicks that the logger wrote with a space inside (`bur[n] er`), the longest first.

    Only what stands between brackets or before a host shows where such a nick ends.
    """
    found = set()
    for text in texts:
        if (timed := _TIMED.match(text)) and (message := _MESSAGE.match(timed[3])):
            found.add(message[1].strip())
        elif text.startswith("=== ") and (came := _CAME.match(text[4:])):
            found.add(came["nick"].strip())
    return sorted((nick for nick in found if " " in nick), key=len, reverse=True)


def _read(text: str, nicks: list[str], *, timed: bool) -> tuple[Kind, str, str]:
    if timed and (message := _MESSAGE.match(text)):
        return Kind.MESSAGE, message[1].strip(), message[2]
    if timed and text.lstrip().startswith("* "):
        return _action(text.lstrip()[2:], nicks) or (Kind.NOTE, "", text)
    if not text.startswith("=== "):
        return Kind.NOTE, "", text
    said = text[4:]
    if _NOTE.match(said):
        return Kind.NOTE, "", said
    for pattern, kind in _SYSTEM:
        if match := pattern.match(said):
            found = match.groupdict()
            return kind, found["nick"].strip(), found.get("text", "").strip()
    return _action(said, nicks) or (Kind.NOTE, "", said)


def _action(said: str, nicks: list[str]) -> tuple[Kind, str, str] | None:
    nick = next((nick for nick in nicks if said.startswith(nick + " ")), None) or said.partition(" ")[0]
    text = said[len(nick) :].removeprefix(" ")
    return (Kind.ACTION, nick, text) if nick and text.strip() else None


class _Clock:
    """Minutes since the first time of a log, from hours and minutes alone."""

    def __init__(self, times: list[tuple[int, int]]) -> None:
        halves = all(1 <= hour <= 12 for hour, _ in times)
        self._day = 12 * 60 if halves else 24 * 60
        self._last = self._of(*times[0]) if times else 0
        self.minute = 0

    def show(self, hour: int, minute: int) -> None:
        """Take the next time; a small step back is a clock set right, a large one a new day (or half day)."""
        now = self._of(hour, minute)
        step = (now - self._last) % self._day
        if step <= self._day - 60:
            self.minute += step
            self._last = now

    def _of(self, hour: int, minute: int) -> int:
        return (hour * 60 + minute) % self._day
