"""Presence's model: signals in any order they may come in, and the diffs that clients apply."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from presence.changes import Changes
from presence.model import State
from presence.records import Stored, StoredSession, Write
from presence.tables import Table
from presence.term import Term
from tests.support.presence import START, beat, joined, left, member_ids, no_leases
from warren.contracts import User
from warren.contracts.signals import RoomJoined, RoomLeft, SessionClosed, SessionRow, SessionState, SessionStatus

ROOMS = ("general", "random", "a.b/$c")
SESSIONS = {"s1": ("g1", "ann"), "s2": ("g1", "bob"), "s3": ("g1", "ann"), "s4": ("g2", "ann"), "s5": ("g2", "cyd")}

Signal = RoomJoined | RoomLeft | SessionStatus | SessionClosed | Table


class World:
    """What is really so at the gateways; each action gives the signal that tells of it, each at its own time."""

    def __init__(self) -> None:
        self.rooms: dict[str, set[str]] = {s: set() for s in SESSIONS}
        self.who = dict(SESSIONS)
        self.statuses: dict[str, SessionState] = {}
        self.signals: list[Signal] = []

    @property
    def time(self) -> datetime:
        return START + timedelta(milliseconds=len(self.signals))

    def act(self, action: str, slot: str, room: str) -> None:
        """Join, leave, close (a new session takes the place) or send a table, where that is possible."""
        session = next(s for s in self.rooms if s.endswith(slot))
        gateway, user = self.who[session]
        fields: dict[str, Any] = {
            "gateway": gateway,
            "session": session,
            "user": User(id=user, name=user.title()),
            "time": self.time,
        }
        if action == "join" and room not in self.rooms[session]:
            self.rooms[session].add(room)
            self.signals.append(RoomJoined(room=room, status=self.status(session), **fields))
        elif action == "turn":
            self.statuses[session] = "online" if self.status(session) == "away" else "away"
            self.signals.append(SessionStatus(status=self.status(session), **fields))
        elif action == "leave" and room in self.rooms[session]:
            self.rooms[session].remove(room)
            self.signals.append(RoomLeft(room=room, **fields))
        elif action == "close":
            del self.rooms[session]
            self.rooms["x" + session] = set()
            self.who["x" + session] = (gateway, user)
            self.signals.append(SessionClosed(**fields))
        elif action == "table":
            self.signals.append(self.table(gateway))

    def status(self, session: str) -> SessionState:
        """Return whether someone is at a session."""
        return self.statuses.get(session, "online")

    def table(self, gateway: str) -> Table:
        """Return a gateway's whole table of now."""
        mine = {s: r for s, r in self.rooms.items() if self.who[s][0] == gateway}
        rows = [
            SessionRow(
                session=s,
                user=User(id=self.who[s][1], name=self.who[s][1].title()),
                rooms=tuple(sorted(r)),
                status=self.status(s),
            )
            for s, r in mine.items()
        ]
        return Table(gateway, self.time, tuple(rows))

    def members(self) -> dict[str, dict[str, str]]:
        """Return who is in each room, and how: sessions outside of rooms concern nobody."""
        here = {self.who[s][1] for s, rooms in self.rooms.items() if rooms and self.status(s) == "online"}
        return {
            r: {
                (user := self.who[s][1]): "online" if user in here else "away"
                for s, rooms in self.rooms.items()
                if r in rooms
            }
            for r in ROOMS
        }


class Rig:
    """Applies signals as the service does; holds what was stored, and clients that apply the facts."""

    def __init__(self) -> None:
        self.stored: dict[str, StoredSession] = {}
        self.revs: dict[str, int] = dict.fromkeys(ROOMS, 0)
        self.dead: set[str] = set()
        self.clients: dict[str, dict[str, tuple[str, str]]] = {r: {} for r in ROOMS}
        self.term = self.take_over()

    def take_over(self) -> Term:
        """Load what is stored, as after a restart."""
        self.term = Term(Stored(0, list(self.stored.values()), list(self.dead)), no_leases(), 0)
        self.term.learn_revs(self.revs)
        return self.term

    def batch(self, signals: Sequence[Signal]) -> None:
        """Apply a batch, store its write, let the clients apply its diffs, and compare them with the snapshot."""
        with self.term.changing() as changes:
            before = {r: self.term.state.members(r) for r in ROOMS}
            for signal in signals:
                self.apply(signal, changes)
            assert {r: {m.id for m in self.term.members(r, 99)[0] or ()} for r in ROOMS} == {
                r: {m.id for m in found} for r, found in before.items()
            }
            self.finish(changes)

    def finish(self, changes: Changes) -> None:
        diffs = self.term.state.diffs(changes)
        write = self.term.write(diffs, changes)
        if write:
            self.store(write)
            self.term.committed(write)
        for diff in diffs:
            client = self.clients[diff.room]
            for member in diff.left:
                del client[member.id]
            for member in diff.joined:
                assert member.id not in client
                client[member.id] = (member.name, member.status)
            for member in diff.changed:
                client[member.id] = (member.name, member.status)
            assert diff.count == len(client)
        self.compare()

    def compare(self) -> None:
        for room, client in self.clients.items():
            members, count = self.term.members(room, 99)
            assert members is not None
            assert {m.id: (m.name, m.status) for m in members} == client
            assert all((m.seen is None) == (m.status == "online") for m in members)
            assert count == len(client)

    def apply(self, signal: Signal, changes: Changes) -> None:
        state = self.term.state
        match signal:
            case RoomJoined():
                state.joined(signal, changes)
            case RoomLeft():
                state.left(signal, changes)
            case SessionStatus():
                state.status(signal, changes)
            case SessionClosed():
                state.closed(signal, changes)
            case Table():
                state.table(signal, changes)

    def store(self, write: Write) -> None:
        """Store as the store does: no insert of what is there, no change of what is not."""
        self.stored = {i: s for i, s in self.stored.items() if s.gateway not in write.died}
        for session in write.new:
            assert session.id not in self.stored
            self.stored[session.id] = session
        for session in write.changed:
            assert session.id in self.stored
            self.stored[session.id] = session
        for gone in write.removed:
            del self.stored[gone]
        for room, rev in write.revs.items():
            assert rev == self.revs[room] + 1
            self.revs[room] = rev
        self.dead |= set(write.died)
        self.dead -= set(write.revived)

    def members(self) -> dict[str, dict[str, str]]:
        return {r: {m.id: m.status for m in self.term.state.members(r)} for r in ROOMS}


actions = st.lists(
    st.tuples(
        st.sampled_from(["join", "join", "join", "leave", "leave", "turn", "turn", "close", "table"]),
        st.sampled_from(sorted(SESSIONS)),
        st.sampled_from(ROOMS),
    ),
    max_size=40,
)


def history(steps: Sequence[tuple[str, str, str]]) -> World:
    world = World()
    for step in steps:
        world.act(*step)
    return world


def lane(signal: Signal) -> object:
    """What keeps its order: the signals of one session in one room, of one session's end, the tables of a gateway."""
    match signal:
        case RoomJoined() | RoomLeft():
            return (signal.session, signal.room)
        case SessionClosed() | SessionStatus():
            return (signal.session, type(signal))
        case Table():
            return signal.gateway


def deliver(data: st.DataObject, signals: Sequence[Signal]) -> list[Signal]:
    """Interleave the lanes anew, and deliver some signals again, later."""
    lanes: dict[object, list[Signal]] = {}
    for signal in signals:
        lanes.setdefault(lane(signal), []).append(signal)
    order = data.draw(st.permutations([key for key, waiting in lanes.items() for _ in waiting]))
    delivered = [lanes[key].pop(0) for key in order]
    for at, again in data.draw(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99)), max_size=10)):
        if delivered:
            first = again % len(delivered)
            delivered.insert(first + 1 + at % (len(delivered) - first), delivered[first])
    return delivered


def in_batches(data: st.DataObject, signals: Sequence[Signal]) -> list[Sequence[Signal]]:
    cuts = sorted({*data.draw(st.lists(st.integers(0, len(signals)), max_size=6)), 0, len(signals)})
    return [signals[a:b] for a, b in pairwise(cuts)]


@given(actions, st.data())
@settings(max_examples=150, deadline=None)
def test_any_order_and_repetition_ends_in_what_is_really_so(
    steps: list[tuple[str, str, str]], data: st.DataObject
) -> None:
    world, rig = history(steps), Rig()
    for batch in in_batches(data, deliver(data, world.signals)):
        rig.batch(batch)
    assert rig.members() == world.members()


@given(actions, st.data())
@settings(max_examples=75, deadline=None)
def test_a_last_table_mends_whatever_was_lost(steps: list[tuple[str, str, str]], data: st.DataObject) -> None:
    world, rig = history(steps), Rig()
    kept = [s for s in world.signals if data.draw(st.booleans())]
    world.signals.append(SessionClosed(gateway="g", session="s", user=User(id="u", name="u"), time=world.time))
    for batch in in_batches(data, deliver(data, kept)):
        rig.batch(batch)
    rig.batch([world.table("g1")])
    rig.batch([world.table("g2")])
    assert rig.members() == world.members()


@given(actions, st.data())
@settings(max_examples=75, deadline=None)
def test_a_restart_anywhere_changes_nothing(steps: list[tuple[str, str, str]], data: st.DataObject) -> None:
    world, rig = history(steps), Rig()
    for batch in in_batches(data, world.signals):
        rig.batch(batch)
        rig.take_over()
        rig.compare()
        if data.draw(st.booleans()):
            rig.batch(batch)  # it was stored, but not acked
    assert rig.members() == world.members()


@given(actions, st.data())
@settings(max_examples=75, deadline=None)
def test_the_dead_are_silent_until_their_whole_table(steps: list[tuple[str, str, str]], data: st.DataObject) -> None:
    world, rig = history(steps), Rig()
    delivered = [s for s in world.signals if not isinstance(s, Table)]
    moment = data.draw(st.integers(0, len(delivered)))
    rig.batch(delivered[:moment])
    with rig.term.changing() as changes:
        rig.term.state.expire("g1", START, changes)
        rig.finish(changes)
    rig.take_over()
    rig.batch(delivered[moment:])
    assert not [s for s in rig.term.state.sessions.values() if s.gateway == "g1"]
    world.signals.append(world.table("g1"))
    rig.batch([world.table("g1")])
    assert rig.members() == world.members()
    assert rig.dead == set()


def test_a_user_with_two_devices_leaves_with_the_last() -> None:
    rig = Rig()
    rig.batch([joined("s1", "ann", "general", 1), joined("s2", "ann", "general", 2, gateway="g2")])
    assert rig.revs["general"] == 1
    rig.batch([left("s1", "ann", "general", 3)])
    assert rig.revs["general"] == 1
    rig.batch([SessionClosed.model_validate(left("s2", "ann", "general", 4).model_dump())])
    assert rig.revs["general"] == 2
    assert rig.clients["general"] == {}
    assert rig.stored == {}


def test_what_comes_and_goes_in_one_batch_is_no_change() -> None:
    rig = Rig()
    rig.batch([joined("s1", "ann", "general", 1), left("s1", "ann", "general", 2)])
    assert rig.revs["general"] == 0


def test_a_newer_session_with_another_name_changes_the_member() -> None:
    rig = Rig()
    rig.batch([joined("s1", "ann", "general", 1, name="Ann")])
    rig.batch([joined("s2", "ann", "random", 2, name="Annabel")])
    assert rig.clients["general"] == {"ann": ("Annabel", "online")}
    assert rig.revs == {**dict.fromkeys(ROOMS, 0), "general": 2, "random": 1}
    rig.take_over()
    rig.compare()


def test_a_rename_reaches_all_rooms_once_and_outlives_sessions() -> None:
    rig = Rig()
    rig.batch([joined("s1", "ann", "general", 1), joined("s1", "ann", "random", 2)])
    rig.term.state.names["ann"] = None
    ann = User(id="ann", name="ann")
    with rig.term.changing() as changes:
        fact = rig.term.state.rename(ann, "Queen", "id1", changes)
        rig.finish(changes)
    assert fact is not None
    assert (fact.user.name, fact.was, set(fact.rooms)) == ("Queen", "ann", {"general", "random"})
    assert rig.clients["general"] == rig.clients["random"] == {"ann": ("Queen", "online")}
    assert rig.revs["general"] == 2
    with rig.term.changing() as changes:
        assert rig.term.state.rename(ann, "Queen", "id2", changes) is None
        assert rig.term.state.rename(ann, "Queen", "id1", changes) == fact, "it may not have been told the first time"
        rig.finish(changes)
    assert rig.revs["general"] == 2
    rig.batch([left("s1", "ann", "general", 3), left("s1", "ann", "random", 4)])
    rig.batch([joined("s9", "ann", "general", 5, name="ann")])
    assert rig.clients["general"] == {"ann": ("Queen", "online")}


def test_an_older_rename_that_comes_again_has_no_effect() -> None:
    state, ann, changes = State(), User(id="ann", name="ann"), Changes()
    state.names["ann"] = None
    assert state.rename(ann, "One", "id1", changes)
    assert state.rename(ann, "Two", "id2", changes)
    assert state.rename(ann, "One", "id1", changes) is None
    renamed = state.names["ann"]
    assert renamed is not None
    assert renamed.name == "Two"


def test_a_rename_that_a_crash_cut_short_reaches_every_session() -> None:
    rooms = {"general": START}
    half = [StoredSession("s1", "g1", User(id="ann", name="New"), rooms, "online", START)]
    half += [StoredSession("s2", "g2", User(id="ann", name="Old"), {"random": START}, "online", START)]
    state, changes = State(half), Changes()
    first = State()
    first.names["ann"] = None
    assert first.rename(User(id="ann", name="Old"), "New", "id1", Changes())
    state.names["ann"] = first.names["ann"]
    assert state.rename(User(id="ann", name="Old"), "New", "id1", changes)
    assert changes.sessions == {"s1": True, "s2": True}
    assert {stored.user.name for s in ("s1", "s2") if (stored := state.stored(s))} == {"New"}


def test_a_batch_costs_what_it_changes() -> None:
    """Thousands of sessions are one table; one more change touches one session and one room."""
    user_ids = [f"u{i}" for i in range(5000)]
    rows = [SessionRow(session=f"s{u}", user=User(id=u, name=u), rooms=("general", f"r{u[-2:]}")) for u in user_ids]
    state, changes = State(), Changes()
    state.table(Table("g1", START, tuple(rows)), changes)
    assert member_ids(state, "general") == set(user_ids)
    assert len(changes.sessions) == 5000
    again = Changes()
    state.table(Table("g1", START + timedelta(seconds=1), tuple(rows)), again)
    assert not again, "a table of what is known changes nothing"
    state.left(left("su1", "u1", "general", 9000), again)
    assert (list(again.sessions), list(again.rooms)) == (["su1"], ["general"])
    assert [d.left[0].id for d in state.diffs(again)] == ["u1"]


def test_a_table_may_list_what_a_later_signal_has_ended() -> None:
    rig = Rig()
    row = SessionRow(session="s1", user=User(id="ann", name="ann"), rooms=("general", "random"))
    rig.batch([joined("s1", "ann", "general", 1), joined("s1", "ann", "random", 2), left("s1", "ann", "general", 9)])
    rig.batch([Table("g1", beat("g1", 5).time, (row,))])
    assert rig.members()["general"] == {}
    assert rig.members()["random"] == {"ann": "online"}


def test_a_leave_that_comes_late_does_not_end_a_newer_stay() -> None:
    rig = Rig()
    rig.batch([joined("s1", "ann", "general", 1), left("s1", "ann", "general", 2), joined("s1", "ann", "general", 3)])
    rig.batch([left("s1", "ann", "general", 2)])
    assert rig.members()["general"] == {"ann": "online"}


def test_a_leave_that_comes_late_does_not_end_what_was_joined_again_meanwhile() -> None:
    rig = Rig()
    rig.batch([joined("s1", "ann", "general", 1), joined("s1", "ann", "general", 3), left("s1", "ann", "general", 2)])
    assert rig.members()["general"] == {"ann": "online"}


def test_the_store_deletes_sessions_of_the_dead_by_their_gateway() -> None:
    rig = Rig()
    rig.batch([joined("s1", "ann", "general", 1), joined("s2", "bob", "general", 2, gateway="g2")])
    with rig.term.changing() as changes:
        assert rig.term.state.expire("g1", START, changes) == 1
        rig.finish(changes)
    assert list(rig.stored) == ["s2"]
    assert rig.clients["general"] == {"bob": ("bob", "online")}
