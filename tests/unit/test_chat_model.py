"""Which entry a command becomes: dense, once, the first content wins."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from chat.model import Command, Entry, Key, plan
from warren.contracts import User, now
from warren.contracts.commands import PostMessage

TIME = now()


def post(room: str, user: str, message: str, body: str = "x") -> Command:
    return Command(PostMessage(room=room, id=message, user=User(id=user, name=user), time=TIME, body=body))


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
        first_asked = list(dict.fromkeys(c.key for c in wanted if c.post.room == room))
        assert [e.key for e in log] == first_asked
