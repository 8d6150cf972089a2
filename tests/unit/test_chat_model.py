"""Which entry a command becomes: dense, once, the first content wins."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from chat.model import Command, Entry, Key, plan
from warren.contracts import User, now
from warren.contracts.commands import DeleteMessage, EditMessage, PostMessage

TIME = now()


def post(room: str, user: str, message: str, body: str = "x") -> Command:
    return Command(PostMessage(room=room, id=message, user=User(id=user, name=user), time=TIME, body=body))


def edit(user: str, message: str, target: int, *, moderator: bool = False) -> Command:
    who = User(id=user, name=user)
    data = EditMessage(room="a", id=message, user=who, time=TIME, target=target, body="new", moderator=moderator)
    return Command(data)


def delete(user: str, message: str, target: int) -> Command:
    return Command(DeleteMessage(room="a", id=message, user=User(id=user, name=user), time=TIME, target=target))


OWN = Entry("a", 1, "1", User(id="u", name="U"), "as it was", TIME)
PRESENT = {OWN.place: OWN}


def test_a_change_of_ones_own_message_is_an_entry_of_its_own() -> None:
    planned = plan([edit("u", "2", 1), delete("u", "3", 1)], {}, {"a": 1}, PRESENT)
    assert [(e.seq, e.kind, e.target, e.body) for e in planned.new] == [(2, "edited", 1, "new"), (3, "deleted", 1, "")]
    assert planned.refused == ()


def test_who_may_not_change_a_message_is_told_why_and_takes_no_place() -> None:
    cases = [
        (edit("v", "2", 1), PRESENT, "not_yours"),
        (edit("u", "2", 7), PRESENT, "bad_target"),
        (edit("u", "2", 1), {OWN.place: replace(OWN, gone=True)}, "bad_target"),
        (edit("u", "2", 1), {OWN.place: replace(OWN, kind="edited", target=9)}, "bad_target"),
    ]
    for command, present, code in cases:
        planned = plan([command], {}, {"a": 1}, present)
        assert [r.why.code for r in planned.refused] == [code]
        assert (planned.new, planned.told) == ((), ())
    assert plan([edit("v", "2", 1, moderator=True)], {}, {"a": 1}, PRESENT).refused == ()


def test_a_message_that_a_batch_deletes_cannot_be_edited_later_in_it() -> None:
    planned = plan([delete("u", "2", 1), edit("u", "3", 1)], {}, {"a": 1}, PRESENT)
    assert ([e.kind for e in planned.new], [r.why.code for r in planned.refused]) == (["deleted"], ["bad_target"])


def test_a_change_that_is_known_is_not_judged_again() -> None:
    """Its message may have been deleted since: it was accepted, and is told again."""
    known = replace(OWN, seq=2, id="2", kind="edited", target=1)
    planned = plan([edit("u", "2", 1)], {known.key: known}, {"a": 3}, {OWN.place: replace(OWN, gone=True)})
    assert ([e.seq for _, e in planned.told], planned.refused) == ([2], ())


def test_new_messages_get_the_next_places_of_their_rooms() -> None:
    planned = plan([post("a", "u", "1"), post("b", "u", "1"), post("a", "u", "2")], {}, {"a": 7, "b": 0})
    assert [(e.room, e.seq, e.id) for e in planned.new] == [("a", 8, "1"), ("b", 1, "1"), ("a", 9, "2")]


def test_the_first_content_of_an_id_wins() -> None:
    planned = plan([post("a", "u", "1", "first"), post("a", "u", "1", "second")], {}, {"a": 0})
    assert [e.body for e in planned.new] == ["first"]
    assert [e.body for _, e in planned.told] == ["first"]


def test_what_is_known_is_told_again_and_takes_no_place() -> None:
    known = Entry("a", 3, "1", User(id="u", name="U"), "as it was", TIME)
    planned = plan([post("a", "u", "1", "changed"), post("a", "u", "2")], {known.key: known}, {"a": 5})
    assert [(e.seq, e.body) for _, e in planned.told] == [(3, "as it was"), (6, "x")]
    assert [e.seq for e in planned.new] == [6]


def test_ids_are_a_users_own_in_a_room() -> None:
    planned = plan([post("a", "u", "1"), post("a", "v", "1"), post("b", "u", "1")], {}, {"a": 0, "b": 0})
    assert len(planned.new) == 3


commands = st.lists(
    st.builds(post, st.sampled_from("ab"), st.sampled_from("uv"), st.sampled_from("123456")), min_size=1, max_size=60
)


@given(commands, st.lists(st.integers(1, 10), max_size=10), st.integers(0, 3))
def test_however_commands_are_batched_and_delivered_again_the_log_is_the_same(
    wanted: list[Command], sizes: list[int], again: int
) -> None:
    """A batch whose ack was lost comes again: the log must be what one pass would have made."""
    known: dict[Key, Entry] = {}
    heads = {"a": 0, "b": 0}
    rest = list(wanted)
    for size in [*sizes, len(wanted)]:
        batch, rest = rest[:size], rest[size:]
        for _ in range(again + 1):
            if batch:
                planned = plan(batch, {k: e for k, e in known.items() if k in {c.key for c in batch}}, heads)
                known |= {e.key: e for e in planned.new}
                heads |= {e.room: e.seq for e in planned.new}
                assert {c.key for c in batch} == {c.key for c, _ in planned.told}
    for room in "ab":
        log = sorted((e for e in known.values() if e.room == room), key=lambda e: e.seq)
        assert [e.seq for e in log] == list(range(1, len(log) + 1))
        first_asked = list(dict.fromkeys(c.key for c in wanted if c.data.room == room))
        assert [e.key for e in log] == first_asked
