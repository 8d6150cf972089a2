"""Who is where: sessions, users and rooms, and what a signal changes in them. Pure.

Signals of one session travel on several routing keys, tables beside them, and any may come twice or late. So each
is judged by its time, taken from its gateway's clock at the change it tells of: what is older than what is known of
this session in this room has no effect. A closed session stays closed.

A session counts from its first room to its last; what it does outside of rooms concerns nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from presence.changes import Changes, Diff, diff
from presence.naming import Names
from presence.records import Rename, Seen, StoredSession
from presence.tables import Table
from warren.contracts import User
from warren.contracts.events import Member, Status, UserRenamed
from warren.contracts.signals import RoomJoined, RoomLeft, SessionClosed, SessionRow, SessionState, SessionStatus

MAX_MARKS = 100_000
"""How many ended sessions and stays are remembered, against late signals of theirs."""

MAX_EARLY = 10_000
"""How many statuses of sessions in no room are remembered."""

MAX_NAMES = 100_000
"""How many users' renames are kept in memory, present users not counted."""

KEPT_RENAMES = 8
"""How many renames of a user are remembered by their ids, so that one that comes again has no effect."""

_WHOLE_SESSION = ""
"""Stands for the room in the mark of a closed session; no room has this name."""


@dataclass(slots=True)
class Person:
    """A user who is in some room: `rooms` counts the sessions (devices) there.

    Online if any session is; else away, and `seen` says when it was otherwise.
    """

    id: str
    name: str
    status: Status = "online"
    seen: datetime | None = None
    rooms: dict[str, int] = field(default_factory=dict)
    sessions: dict[str, Session] = field(default_factory=dict)

    def member(self) -> Member:
        """Return the user as rooms see it."""
        return Member.model_construct(id=self.id, name=self.name, status=self.status, seen=self.seen)


@dataclass(slots=True)
class Session:
    """One socket that is in some room; `rooms` says since when, `since` of when its status is."""

    id: str
    gateway: str
    person: Person
    status: SessionState
    since: datetime
    rooms: dict[str, datetime] = field(default_factory=dict)


class State:
    """All sessions, users and rooms. Methods that change something note it in `changes`.

    `names` must know (None: never renamed) each user who comes with a new session or is renamed.
    """

    def __init__(
        self, sessions: Iterable[StoredSession] = (), dead: Iterable[str] = (), *, unique_names: bool = False
    ) -> None:
        self.sessions: dict[str, Session] = {}
        self.people: dict[str, Person] = {}
        self.names: dict[str, Rename | None] = {}
        self.dead: set[str] = set(dead)
        self._rooms: dict[str, dict[str, Person]] = {}
        self._gateways: dict[str, dict[str, Session]] = {}
        self._borne = Names() if unique_names else None
        self._early: dict[str, SessionStatus] = {}
        self._marks: dict[tuple[str, str], datetime] = {}
        nothing = Changes()
        for stored in sessions:
            person = self.people.setdefault(stored.user.id, Person(stored.user.id, stored.user.name))
            session = self._add(Session(stored.id, stored.gateway, person, stored.status, stored.since))
            self._settle(person, stored.seen or stored.since, nothing)
            for room, since in stored.rooms.items():
                self._enter(session, room, since, nothing)

    @property
    def gateways(self) -> Iterator[str]:
        """Incarnations that hold sessions."""
        return iter(self._gateways)

    @property
    def room_count(self) -> int:
        """How many rooms have members."""
        return len(self._rooms)

    def members(self, room: str) -> list[Member]:
        """Return who is in a room, in the order of their coming."""
        return [p.member() for p in self._rooms.get(room, {}).values()]

    def count(self, room: str) -> int:
        """Return how many users are in a room."""
        return len(self._rooms.get(room, ()))

    def stored(self, session: str) -> StoredSession | None:
        """Return a session as it is to be stored, None if it is gone."""
        found = self.sessions.get(session)
        if found is None:
            return None
        user = User.model_construct(id=found.person.id, name=found.person.name)
        person = found.person
        return StoredSession(found.id, found.gateway, user, dict(found.rooms), found.status, found.since, person.seen)

    def user(self, user: str) -> Member | None:
        """Return how a user is, None for one who is in no room."""
        person = self.people.get(user)
        return person.member() if person else None

    def joined(self, signal: RoomJoined, changes: Changes) -> None:
        """Apply `room.joined`."""
        if signal.gateway in self.dead:
            return
        gone = self._marks.get((signal.session, signal.room))
        if gone is None or gone <= signal.time:
            row = SessionRow.model_construct(session=signal.session, user=signal.user, status=signal.status)
            self._join(signal.gateway, row, signal.room, signal.time, changes)

    def status(self, signal: SessionStatus, changes: Changes) -> None:
        """Apply `session.status`; that of a session in no room waits, for a signal that enters one may come late."""
        if signal.gateway in self.dead:
            return
        if (session := self.sessions.get(signal.session)) is not None:
            self._turn(session, signal.status, signal.time, changes)
        elif (early := self._early.pop(signal.session, signal)).time > signal.time:
            self._early[signal.session] = early
        else:
            self._early[signal.session] = signal
            if len(self._early) > MAX_EARLY:
                del self._early[next(iter(self._early))]

    def left(self, signal: RoomLeft, changes: Changes) -> None:
        """Apply `room.left`."""
        if signal.gateway in self.dead:
            return
        session = self.sessions.get(signal.session)
        since = session.rooms.get(signal.room) if session else None
        if since is not None and since > signal.time:
            return
        self._mark(signal.session, signal.room, signal.time)
        if session is not None and since is not None:
            self._leave(session, signal.room, signal.time, changes)

    def closed(self, signal: SessionClosed, changes: Changes) -> None:
        """Apply `session.closed`."""
        if signal.gateway in self.dead:
            return
        self._mark(signal.session, _WHOLE_SESSION, signal.time)
        if (session := self.sessions.get(signal.session)) is not None:
            self._end(session, signal.time, changes)

    def table(self, table: Table, changes: Changes) -> None:
        """Apply a gateway's whole table: what it does not list is gone; a dead gateway lives again."""
        if table.gateway in self.dead:
            self.dead.discard(table.gateway)
            changes.gateways.add(table.gateway)
        listed = {row.session: frozenset(row.rooms) for row in table.rows}
        for session in list(self._gateways.get(table.gateway, {}).values()):
            rooms = listed.get(session.id, frozenset())
            for room in [r for r, since in session.rooms.items() if r not in rooms and since < table.time]:
                self._mark(session.id, room, table.time)
                self._leave(session, room, table.time, changes)
        for row in table.rows:
            for room in row.rooms:
                gone = self._marks.get((row.session, room))
                if gone is None or gone < table.time:
                    self._join(table.gateway, row, room, table.time, changes)

    def expire(self, gateway: str, heard: datetime, changes: Changes) -> int:
        """Declare a gateway dead: its sessions (returns how many) are gone, its later signals have no effect.

        `heard` is when it was last heard: till then its users were there.
        """
        self.dead.add(gateway)
        changes.gateways.add(gateway)
        sessions = list(self._gateways.get(gateway, {}).values())
        for session in sessions:
            self._end(session, heard, changes)
            changes.sessions.pop(session.id)  # the store deletes them all at once
        return len(sessions)

    def rename(self, who: User, name: str, cause: str, changes: Changes) -> UserRenamed | None:
        """Give a user another name; returns the fact, None if that changes nothing.

        `cause` is the event's id: the last rename, come again, is told again; an older one has no effect.
        """

        def asked(given: str) -> str | None:
            return None if given == wanted else wanted

        wanted, person, last = name, self.people.get(who.id), self.names.get(who.id)
        rooms = tuple(person.rooms) if person else ()
        ids = last.ids if last else ()
        if last and cause in ids:
            if person:  # a crash may have kept the name from some sessions
                self._call(person, last.name, changes)
            again = UserRenamed(user=User(id=who.id, name=last.name), was=last.was, asked=asked(last.name), rooms=rooms)
            return again if cause == ids[-1] else None
        was = last.name if last else person.name if person else who.name
        if self._borne is not None and person is not None:
            name = self._borne.free(name, was, rooms)
        if name == was:  # whoever asked for another shows it already
            return UserRenamed(user=User(id=who.id, name=was), was=was, asked=asked(was)) if asked(was) else None
        self.names[who.id] = Rename(name, was, (*ids, cause)[-KEPT_RENAMES:])
        changes.names.add(who.id)
        if person:
            self._call(person, name, changes)
        return UserRenamed(user=User(id=who.id, name=name), was=was, asked=asked(name), rooms=rooms)

    def distinguish(self, user: str, cause: str, changes: Changes) -> UserRenamed | None:
        """Rename a user who has come into a room where another shows the same name, if that is not to be."""
        person = self.people.get(user)
        if self._borne is None or person is None:
            return None
        last = self.names.get(user)
        told_before = last is not None and cause in last.ids
        if not told_before and self._borne.free(person.name, person.name, person.rooms) == person.name:
            return None
        fact = self.rename(User.model_construct(id=user, name=person.name), person.name, cause, changes)
        return fact.model_copy(update={"asked": None}) if fact else None  # nobody asked

    def diffs(self, changes: Changes) -> list[Diff]:
        """Return the difference of each room that `changes` has touched and that is not as before."""

        def elsewhere(was: Member) -> Member:
            gone = changes.gone.get(was.id)
            seen = gone.time if gone else None
            return self.user(was.id) or Member.model_construct(id=was.id, name=was.name, status="offline", seen=seen)

        found = []
        for room, before in changes.rooms.items():
            people = self._rooms.get(room, {})
            now = {user: people[user].member() for user in before if user in people}
            if (one := diff(room, before, now, len(people), elsewhere)) is not None:
                found.append(one)
        return found

    def before(self, room: str, changes: Changes) -> dict[str, Member]:
        """Return who was in a room before `changes`, by user id."""
        members = {m.id: m for m in self.members(room)}
        for user, member in changes.rooms.get(room, {}).items():
            if member is None:
                members.pop(user, None)
            else:
                members[user] = member
        return members

    def count_before(self, room: str, changes: Changes) -> int:
        """Return how many users were in a room before `changes`."""
        people, touched = self._rooms.get(room, {}), changes.rooms.get(room, {})
        return len(people) + sum((was is not None) - (user in people) for user, was in touched.items())

    def trim(self) -> None:
        """Drop what is remembered of absent users when it is too much."""
        if len(self.names) > len(self.people) + MAX_NAMES:
            self.names = {u: n for u, n in self.names.items() if u in self.people}

    def _join(self, gateway: str, row: SessionRow, room: str, time: datetime, changes: Changes) -> None:
        if (row.session, _WHOLE_SESSION) in self._marks:
            return
        user, session = row.user, self.sessions.get(row.session)
        if session is None:
            renamed = self.names.get(user.id)
            name = renamed.name if renamed else user.name
            person = self.people.setdefault(user.id, Person(user.id, name))
            if person.name != name:
                self._call(person, name, changes)
            changes.note(row.session, stored=False)
            session = self._add(Session(row.session, gateway, person, row.status, time))
            self._settle(person, time, changes)
            if (early := self._early.pop(row.session, None)) is not None:
                self._turn(session, early.status, early.time, changes)
        else:
            self._turn(session, row.status, time, changes)
        if room in session.rooms:
            session.rooms[room] = max(session.rooms[room], time)  # not worth a write
            return
        changes.note(row.session, stored=True)
        self._enter(session, room, time, changes)

    def _add(self, session: Session) -> Session:
        self.sessions[session.id] = session.person.sessions[session.id] = session
        self._gateways.setdefault(session.gateway, {})[session.id] = session
        return session

    def _turn(self, session: Session, status: SessionState, time: datetime, changes: Changes) -> None:
        """Give a session its status as of `time`, unless a later one is known."""
        if time < session.since:
            return
        session.since = time
        if status != session.status:
            session.status = status
            changes.note(session.id, stored=True)
            self._settle(session.person, time, changes)

    def _settle(self, person: Person, time: datetime, changes: Changes) -> None:
        """Make a user what the sessions say, as of `time`."""
        status: Status = "online" if any(s.status == "online" for s in person.sessions.values()) else "away"
        if status == person.status:
            return
        for room in person.rooms:
            changes.touch(room, person.id, person.member())
        for session in person.sessions:
            changes.note(session, stored=True)
        person.status, person.seen = status, None if status == "online" else time

    def _enter(self, session: Session, room: str, since: datetime, changes: Changes) -> None:
        person = session.person
        session.rooms[room] = since
        devices = person.rooms.get(room, 0)
        if not devices:
            changes.touch(room, person.id, None)
            self._rooms.setdefault(room, {})[person.id] = person
            if self._borne is not None:
                self._borne.add(room, person.name)
        person.rooms[room] = devices + 1

    def _end(self, session: Session, time: datetime, changes: Changes) -> None:
        for room in list(session.rooms):
            self._leave(session, room, time, changes)

    def _leave(self, session: Session, room: str, time: datetime, changes: Changes) -> None:
        person = session.person
        changes.note(session.id, stored=True)
        del session.rooms[room]
        if person.rooms[room] > 1:
            person.rooms[room] -= 1
        else:
            changes.touch(room, person.id, person.member())
            del person.rooms[room]
            _remove(self._rooms, room, person.id)
            if self._borne is not None:
                self._borne.remove(room, person.name)
        if not session.rooms:
            del self.sessions[session.id], person.sessions[session.id]
            _remove(self._gateways, session.gateway, session.id)
            if person.sessions:
                self._settle(person, time, changes)
            else:
                del self.people[person.id]
                changes.gone[person.id] = Seen(person.name, person.seen or time)

    def _call(self, person: Person, name: str, changes: Changes) -> None:
        for room in person.rooms:
            changes.touch(room, person.id, person.member())
            if self._borne is not None:
                self._borne.remove(room, person.name)
                self._borne.add(room, name)
        for session in person.sessions:
            changes.note(session, stored=True)
        person.name = name

    def _mark(self, session: str, room: str, time: datetime) -> None:
        key = (session, room)
        before = self._marks.pop(key, time)
        self._marks[key] = max(before, time)
        if len(self._marks) > MAX_MARKS:
            del self._marks[next(iter(self._marks))]


def _remove(index: dict[str, dict[str, Session]] | dict[str, dict[str, Person]], key: str, member: str) -> None:
    """Take `member` out of a two-level index, and the entry itself when nothing is left in it."""
    found = index[key]
    del found[member]
    if not found:
        del index[key]
