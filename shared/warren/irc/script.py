"""Turns a log into a script: which user enters, says, leaves, quits, is renamed, line by line. Pure.

Who is who: a nick that appears for the first time is a new user; one that left or quit and comes back is the
same. After a rename the user goes by the new nick, and the old one is free: whoever appears under it is someone
new. Logs have holes, so:
- someone who acts without having joined enters first;
- someone who joins while here has been away unnoticed: leaves, then enters;
- someone who takes the nick of another who is here shows that the other has gone: that one quits.

An action is the message `* nick does something`, as the log writes it: readable in every client.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from warren.irc.parse import Kind, Line

BODY_LIMIT = 16_384
"""Bytes of a body."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


class Do(StrEnum):
    """What a step does."""

    ENTER = "enter"
    SAY = "say"
    LEAVE = "leave"
    QUIT = "quit"
    RENAME = "rename"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of `user` (a number from 0), who is called `name` at that moment, or from then on after a rename."""

    line: int
    minute: int
    do: Do
    user: int
    name: str
    body: str = ""


@dataclass(slots=True)
class Script:
    """The steps in order, and the lines that are left out: (number, why)."""

    steps: list[Step] = field(default_factory=list)
    users: int = 0
    skipped: list[tuple[int, str]] = field(default_factory=list)
    evicted: int = 0
    """How often somebody quiet was taken out because too many were in."""

    @property
    def says(self) -> list[Step]:
        """The messages, in order."""
        return [step for step in self.steps if step.do is Do.SAY]


def write_script(lines: Iterable[Line], most: int = 800) -> Script:
    """Write the script of a log; at most `most` users are in at once, the longest quiet one quits for the next."""
    return _Writer(most).write(lines)


def body_of(line: Line) -> str:
    """Return what a message or an action says as the body of a message."""
    return line.text if line.kind is Kind.MESSAGE else f"* {line.nick} {line.text}"


def why_not(line: Line) -> str | None:
    """Say why a line can't be played, or return None."""
    if line.kind is Kind.NOTE:
        return "no user's doing"
    names = (line.nick, line.text) if line.kind is Kind.RENAME else (line.nick,)
    if any(not 1 <= len(name) <= 64 or _CONTROL.search(name) or name != name.strip() for name in names):
        return "not a possible name"
    if line.kind in {Kind.MESSAGE, Kind.ACTION}:
        if not line.text.strip():
            return "nothing said"
        if len(body_of(line).encode()) > BODY_LIMIT:
            return "longer than a message may be"
    return None


class _Writer:
    def __init__(self, most: int) -> None:
        self._most = most
        self._script = Script()
        self._known: dict[str, int] = {}
        """Who goes by a nick, here or not."""
        self._here: OrderedDict[int, str] = OrderedDict()
        """Who is in, under which name; the longest quiet first."""
        self._play: dict[Kind, Callable[[Line], None]] = {
            Kind.MESSAGE: self._say,
            Kind.ACTION: self._say,
            Kind.JOIN: self._join,
            Kind.LEAVE: self._leave,
            Kind.QUIT: self._quit,
            Kind.RENAME: self._rename,
        }

    def write(self, lines: Iterable[Line]) -> Script:
        for line in lines:
            why = why_not(line)
            if why is not None:
                self._script.skipped.append((line.number, why))
                continue
            self._play[line.kind](line)
        return self._script

    def _say(self, line: Line) -> None:
        self._step(line, Do.SAY, self._enter(line), body_of(line))

    def _join(self, line: Line) -> None:
        user = self._known.get(line.nick)
        if user is not None and user in self._here:
            self._gone(line, Do.LEAVE, user)
        self._enter(line)

    def _leave(self, line: Line) -> None:
        self._gone(line, Do.LEAVE, self._enter(line))

    def _quit(self, line: Line) -> None:
        self._gone(line, Do.QUIT, self._enter(line))

    def _rename(self, line: Line) -> None:
        user, name = self._enter(line), line.text
        if name == line.nick:
            return
        other = self._known.get(name)
        if other is not None and other in self._here:
            self._gone(line, Do.QUIT, other)
        del self._known[line.nick]
        self._known[name] = user
        self._here[user] = name
        self._step(line, Do.RENAME, user)

    def _enter(self, line: Line) -> int:
        """Return the user of the line's nick, who is in afterwards and the latest to have done something."""
        user = self._known.get(line.nick)
        if user is None:
            user = self._known[line.nick] = self._script.users
            self._script.users += 1
        if user not in self._here:
            if len(self._here) >= self._most:
                self._gone(line, Do.QUIT, next(iter(self._here)))
                self._script.evicted += 1
            self._here[user] = line.nick
            self._step(line, Do.ENTER, user)
        self._here.move_to_end(user)
        return user

    def _gone(self, line: Line, do: Do, user: int) -> None:
        self._step(line, do, user)
        del self._here[user]

    def _step(self, line: Line, do: Do, user: int, body: str = "") -> None:
        self._script.steps.append(Step(line.number, line.minute, do, user, self._here[user], body))
