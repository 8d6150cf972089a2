"""The log of rooms: which entry a command becomes. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from warren.contracts import User
from warren.contracts.commands import PostMessage
from warren.contracts.events import MessagePosted
from warren.errors import WarrenError


class KnownError(WarrenError):
    """A message that was to be stored as new is there already: it was delivered or sent again."""


Key = tuple[str, str, str]
"""What makes a message one: room, user id, the client's message id."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a room's log, as it is stored; `traceparent` is that of the command that made it."""

    room: str
    seq: int
    id: str
    user: User
    body: str
    time: datetime
    traceparent: str = ""

    @property
    def key(self) -> Key:
        """The identity of the message."""
        return (self.room, self.user.id, self.id)

    def fact(self) -> MessagePosted:
        """Return the fact that tells of this entry: the same however often it is told."""
        return MessagePosted(room=self.room, seq=self.seq, id=self.id, user=self.user, time=self.time, body=self.body)


@dataclass(frozen=True, slots=True)
class Command:
    """A post with its trace."""

    post: PostMessage
    traceparent: str = ""

    @property
    def key(self) -> Key:
        """The identity of the message."""
        return (self.post.room, self.post.user.id, self.post.id)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a batch of commands comes to: `new` to be stored in this order, `told` facts by command."""

    new: tuple[Entry, ...]
    told: tuple[tuple[Command, Entry], ...]


def plan(commands: Sequence[Command], known: Mapping[Key, Entry], heads: Mapping[str, int]) -> Plan:
    """Give each new command the next `seq` of its room; one that is known keeps its entry.

    `heads` holds the highest `seq` of every room in `commands`. The first content of an id wins; its fact is told
    again for a command that came again later, once for several in one batch.
    """
    placed = dict(known)
    next_seq = dict(heads)
    new: list[Entry] = []
    told: dict[Key, tuple[Command, Entry]] = {}
    for command in commands:
        entry = placed.get(command.key)
        if entry is None:
            post = command.post
            next_seq[post.room] = seq = next_seq[post.room] + 1
            entry = Entry(post.room, seq, post.id, post.user, post.body, post.time, command.traceparent)
            placed[command.key] = entry
            new.append(entry)
        told.setdefault(command.key, (command, entry))
    return Plan(tuple(new), tuple(told.values()))


def rooms_of(commands: Iterable[Command]) -> tuple[str, ...]:
    """Rooms in order of appearance."""
    return tuple(dict.fromkeys(c.post.room for c in commands))
