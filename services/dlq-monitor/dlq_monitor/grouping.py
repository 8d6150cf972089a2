"""All groups of letters: what their letters died of in memory, what people said of them in the store, too."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace

from dlq_monitor.fingerprint import Kind, kind_of, overflow
from dlq_monitor.groups import Choice, Group, Said, Verdict
from dlq_monitor.model import Letter, Step
from dlq_monitor.repository import Sayings
from dlq_monitor.rules import Severity
from warren.contracts import now

log = logging.getLogger(__name__)

MAX_GROUPS = 5000
"""Above that, what would be a new group goes to one that takes the rest of its dead queue: memory stays bounded."""


class Groups:
    """Groups that have letters; `actor` is the name that stands in their histories."""

    def __init__(self, sayings: Sayings, actor: str) -> None:
        self._sayings = sayings
        self._actor = actor
        self._groups: dict[str, Group] = {}
        self._said: dict[str, Said] = {}
        self.severities: dict[str, Severity] = {}
        """How loud it is to be said that letters of a group wait for people; of those of which a rule wants it."""

    async def prepare(self) -> None:
        """Read what people said; letters are counted anew."""
        self._groups, self.severities = {}, {}
        self._said = await self._sayings.all()

    def __iter__(self) -> Iterator[Group]:
        return iter(list(self._groups.values()))

    def __len__(self) -> int:
        return len(self._groups)

    def __contains__(self, id: str) -> bool:  # noqa: A002 - the group's
        return id in self._groups

    def __getitem__(self, id: str) -> Group:  # noqa: A002 - the group's
        return self._groups[id]

    def id_for(self, letter: Letter) -> str:
        """Return the group that a new letter belongs to."""
        kind = kind_of(letter)
        full = kind.id not in self._groups and len(self._groups) >= MAX_GROUPS
        return (overflow(letter.dead_queue) if full else kind).id

    def count(self, letter: Letter) -> None:
        """Count a letter in its group."""
        group = self._groups.get(letter.group)
        if group is None:
            said = self._said.get(letter.group, Said())
            group = self._groups[letter.group] = Group(_kind(letter), letter.first, letter.first, said=said)
        group.count(letter.first)

    def remove(self, id: str) -> None:  # noqa: A002 - the group's
        """Forget a group that has no letters left; what people said of it stays."""
        self._groups.pop(id, None)
        self.severities.pop(id, None)

    def is_held(self, id: str) -> bool:  # noqa: A002 - the group's
        """Whether people hold it."""
        return self._said.get(id, Said()).verdict == "held"

    def chosen(self, choice: Choice) -> list[str]:
        """Return the groups whose letters may be of a choice."""
        return [g.id for g in self._groups.values() if choice.takes(g)]

    async def reopen(self, group: Group, *, done: bool = False) -> None:
        """Open a group again that came back after it was closed, or after all its letters were dealt with (`done`)."""
        if group.reopened(group.last, self._actor, done=done):
            kind = group.kind
            fields = {"group": group.id, "queue": kind.queue, "cause": kind.cause, "type": kind.type[:100]}
            log.warning("a group of dead letters came back", extra={"fields": fields})
            self._said[group.id] = group.said
            await self._sayings.keep(group.id, group.said)

    async def say(
        self,
        group: Group,
        step: Step,
        *,
        note: str | None = None,
        owner: str | None = None,
        verdict: Verdict | None = None,
        clear: bool = False,
    ) -> None:
        """Keep what a person says of a group; `clear` takes a verdict back, None leaves things as they are."""
        said = group.said
        if clear or verdict:
            said = replace(said, verdict=verdict, since=now() if verdict else None)
        said = replace(
            said, note=said.note if note is None else note, owner=said.owner if owner is None else owner
        ).with_step(step)
        await self._sayings.keep(group.id, said)
        group.said = self._said[group.id] = said


def _kind(letter: Letter) -> Kind:
    own, rest = kind_of(letter), overflow(letter.dead_queue)
    return rest if letter.group == rest.id else own
