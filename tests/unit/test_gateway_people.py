"""Many changes of a room's members as one frame: right for whoever knows any rev from `since` on."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gateway.people import People
from warren.client.state import Room as ClientRoom
from warren.contracts.events import Member, PresenceChanged
from warren.contracts.frames import Presence

USERS = ("ann", "bob", "cyd")
STATES = (None, "online", "away")
Members = dict[str, str]


def member(user: str, status: str = "online") -> Member:
    return Member.model_validate({"id": user, "name": user, "status": status})


def fact(rev: int, before: Members, now: Members) -> PresenceChanged:
    return PresenceChanged(
        room="r",
        rev=rev,
        count=len(now),
        joined=tuple(member(u, s) for u, s in now.items() if u not in before),
        left=tuple(member(u, "offline") for u in before if u not in now),
        changed=tuple(member(u, s) for u, s in now.items() if before.get(u, s) != s),
    )


def history(steps: list[tuple[str, str | None]]) -> list[Members]:
    """Return the members at each rev."""
    states: list[Members] = [{}]
    for user, status in steps:
        now = {u: s for u, s in states[-1].items() if u != user} | ({} if status is None else {user: status})
        if now != states[-1]:
            states.append(now)
    return states


def client_at(rev: int, members: Members) -> ClientRoom:
    room = ClientRoom("r")
    room.replace_members([member(u, s).model_dump() for u, s in members.items()], len(members), rev)
    return room


def wire(frame: Presence) -> dict[str, Any]:
    return frame.model_dump(mode="json", exclude_none=True)


def shown(room: ClientRoom) -> Members:
    return {m["id"]: m["status"] for m in (room.members or {}).values()}


@given(st.lists(st.tuples(st.sampled_from(USERS), st.sampled_from(STATES)), max_size=30), st.data())
def test_a_frame_is_right_for_every_client_whatever_its_snapshot_had(
    steps: list[tuple[str, str | None]], data: st.DataObject
) -> None:
    states, people = history(steps), People()
    people.snapshot(0, listed=True)
    clients = [client_at(0, {})]
    for rev in range(1, len(states)):
        assert people.take(fact(rev, states[rev - 1], states[rev]))
        if data.draw(st.booleans()):
            clients.append(client_at(rev, states[rev]))  # a snapshot between two frames
        if data.draw(st.booleans()):
            frame = wire(people.frame("r", listed=True))
            for client in clients:
                client.presence(frame)
                assert (shown(client), client.rev, client.stale) == (states[rev], rev, False)


def test_what_is_told_twice_is_nothing_and_a_gap_is_seen() -> None:
    people = People()
    assert people.take(fact(5, {}, {"ann": "online"}))
    assert people.take(fact(5, {}, {"ann": "online"}))
    assert not people.take(fact(7, {}, {"bob": "online"}))
    frame = people.frame("r", listed=True)
    assert (frame.since, frame.rev, [m.id for m in frame.joined or ()]) == (4, 5, ["ann"])
    assert not people.changed


def test_a_newcomers_snapshot_does_not_hide_what_the_others_have_not_heard() -> None:
    people = People()
    people.snapshot(1, listed=True)
    people.snapshot(2, listed=True)
    assert people.rev == 1


def test_a_large_room_is_told_its_number_until_it_is_small_again() -> None:
    people = People()
    people.snapshot(0, listed=True)
    client = client_at(0, {})
    people.take(fact(1, {}, {"ann": "online"}))
    counted = wire(people.frame("r", listed=False))
    assert counted == {"type": "presence", "room": "r", "rev": 1, "count": 1}
    client.presence(counted)
    assert (client.members, client.count, people.listed) == (None, 1, False)
    client.presence(wire(people.whole("r", [member("ann")], 1, 1)))
    assert (shown(client), people.listed) == ({"ann": "online"}, True)
