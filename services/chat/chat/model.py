"""The log of rooms: which entry a command becomes, or why it is refused. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from warren.contracts import User
from warren.contracts.commands import DeleteMessage, EditMessage, PostMessage
from warren.contracts.events import MessageDeleted, MessageEdited, MessagePosted
from warren.contracts.refusing import BAD_TARGET, NOT_YOURS, Refusal
from warren.errors import WarrenError


class KnownError(WarrenError):
    """A message that was to be stored as new is there already: it was delivered or sent again."""


Key = tuple[str, str, str]
"""What makes a message one: room, user id, the client's message id. Posts, edits and deletions share one space."""

Place = tuple[str, int]
"""Where an entry is: room, `seq`."""

Kind = Literal["message", "edited", "deleted"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a room's log, as it is stored; `traceparent` is that of the command that made it.

    `target` is the `seq` of the message that it edits or deletes. `gone`: the message was deleted, its body is blank.
    """

    room: str
    seq: int
    id: str
    user: User
    body: str
    time: datetime
    traceparent: str = ""
    kind: Kind = "message"
    target: int = 0
    gone: bool = False

    @property
    def key(self) -> Key:
        """The identity of the message."""
        return (self.room, self.user.id, self.id)

    @property
    def place(self) -> Place:
        """Where it is."""
        return (self.room, self.seq)

    def fact(self) -> MessagePosted | MessageEdited | MessageDeleted:
        """Return the fact that tells of this entry: the same however often it is told."""
        about = {"room": self.room, "seq": self.seq, "id": self.id, "user": self.user, "time": self.time}
        match self.kind:
            case "message":
                return MessagePosted(**about, body=self.body)
            case "edited":
                return MessageEdited(**about, target=self.target, body=self.body)
            case "deleted":
                return MessageDeleted(**about, target=self.target)


@dataclass(frozen=True, slots=True)
class Command:
    """A command with its trace."""

    data: PostMessage | EditMessage | DeleteMessage
    traceparent: str = ""

    @property
    def key(self) -> Key:
        """The identity of the message."""
        return (self.data.room, self.data.user.id, self.data.id)

    @property
    def target(self) -> Place | None:
        """The place of the message that it changes; None for a post."""
        return None if isinstance(self.data, PostMessage) else (self.data.room, self.data.target)

    def entry(self, seq: int) -> Entry:
        """Return the entry it becomes at `seq`."""
        data, kind, body = self.data, _KINDS[type(self.data)], getattr(self.data, "body", "")
        target = 0 if isinstance(data, PostMessage) else data.target
        return Entry(data.room, seq, data.id, data.user, body, data.time, self.traceparent, kind, target)


_KINDS: dict[type, Kind] = {PostMessage: "message", EditMessage: "edited", DeleteMessage: "deleted"}


@dataclass(frozen=True, slots=True)
class Refused:
    """A command that becomes no entry, and why."""

    command: Command
    why: Refusal


@dataclass(frozen=True, slots=True)
class Plan:
    """What a batch of commands comes to: `new` to be stored in this order, `told` facts by command, `refused` ones."""

    new: tuple[Entry, ...]
    told: tuple[tuple[Command, Entry], ...]
    refused: tuple[Refused, ...] = ()


def plan(
    commands: Sequence[Command],
    known: Mapping[Key, Entry],
    heads: Mapping[str, int],
    targets: Mapping[Place, Entry] | None = None,
) -> Plan:
    """Give each new command the next `seq` of its room; one that is known keeps its entry.

    `heads` holds the highest `seq` of every room in `commands`, `targets` the entries that they change, as far as they
    exist. The first content of an id wins; its fact is told again for a command that came again later, once for several
    in one batch.
    """
    placed = dict(known)
    next_seq = dict(heads)
    present = dict(targets or {})
    new: list[Entry] = []
    told: dict[Key, tuple[Command, Entry]] = {}
    refused: dict[Key, Refused] = {}
    for command in commands:
        entry = placed.get(command.key)
        if entry is None:
            if refusal := _refused(command, present):
                refused.setdefault(command.key, refusal)
                continue
            room = command.data.room
            next_seq[room] = seq = next_seq[room] + 1
            entry = command.entry(seq)
            placed[command.key] = entry
            present[entry.place] = entry
            new.append(entry)
        if entry.kind == "deleted" and entry.target:
            present.pop((entry.room, entry.target), None)
        told.setdefault(command.key, (command, entry))
    return Plan(tuple(new), tuple(told.values()), tuple(refused.values()))


def _refused(command: Command, present: Mapping[Place, Entry]) -> Refused | None:
    """Say why a change is refused: by the message as it is just before it."""
    data = command.data
    if isinstance(data, PostMessage):
        return None
    target = present.get((data.room, data.target))
    if target is None or target.gone or target.kind != "message":
        return Refused(command, BAD_TARGET)
    if target.user.id != data.user.id and not data.moderator:
        return Refused(command, NOT_YOURS)
    return None


def rooms_of(commands: Iterable[Command]) -> tuple[str, ...]:
    """Rooms in order of appearance."""
    return tuple(dict.fromkeys(c.data.room for c in commands))
