"""From a dead message to a letter and back to the event it was."""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlq_monitor.autopsy import letters
from dlq_monitor.handlers import Parking
from dlq_monitor.model import Letter
from dlq_monitor.resending import resent
from dlq_monitor.tagging import MAX_DEPTH, tagged, untagged
from warren.envelope import Event
from warren.errors import DependencyDownError
from warren.messaging import codec, failures
from warren.topology import Topology

TOPOLOGY = Topology(4)
LIMIT = 1000
ONE = Event("a.v1", b"{}", "chat.3", "warren.commands", id="m-1", headers={"mine": 1}, extra={"reply_to": "me"})
DEATH = {
    "queue": "chat.commands.3-of-4",
    "reason": "delivery_limit",
    "exchange": "warren.commands",
    "routing-keys": ["chat.3"],
    "count": 1,
    "time": datetime(2026, 1, 1, tzinfo=UTC),
}

_names = st.text(string.ascii_letters + "$.\0", max_size=8)
_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=8)
    | st.binary(max_size=8).map(bytearray)
    | st.datetimes(timezones=st.just(UTC))
    | st.decimals(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_names, inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(_names, _values, max_size=4))
def test_values_of_any_type_survive_the_way_through_json(headers: dict[str, Any]) -> None:
    assert untagged(orjson.loads(orjson.dumps(tagged(headers)))) == headers


@pytest.mark.parametrize("value", [object(), {1}, Decimal("nan"), float("inf")])
def test_tagging_never_fails(value: object) -> None:
    deep: list[Any] = []
    for _ in range(MAX_DEPTH * 10):
        deep = [deep]
    orjson.dumps(tagged({"odd": value, "deep": deep}))


def _letter(event: Event, dead_queue: str = "chat.dead") -> Letter:
    (found,) = letters(event, dead_queue, TOPOLOGY, LIMIT)
    return found


def _arrived(copy: Event) -> Event:
    """Return a copy as it comes out of the dead queue."""
    return replace(copy, exchange="warren.dead", routing_key="chat.dead")


def test_an_event_that_we_killed_comes_back_as_it_was() -> None:
    copy = failures.dead_copy(ONE, "chat", "chat@1", "chat.commands.3-of-4", ValueError("no"))
    letter = _letter(_arrived(copy))
    again = resent(letter, TOPOLOGY)
    assert isinstance(again, Event)
    headers = {"mine": 1, "x-warren-replays": 1, "x-warren-letter": letter.id}
    assert again == replace(ONE, exchange="chat.again", headers=headers, alone=True, time=again.time)


def test_a_forged_cause_does_not_hide_the_brokers_verdict() -> None:
    forged = {"x-warren-death": "0" * 32, "x-warren-queue": "audit.events", "x-warren-cause": "Nothing"}
    letter = _letter(replace(ONE, headers={**forged, "x-death": [DEATH]}))
    assert letter.id != "0" * 32
    assert (letter.queue, letter.cause.type, letter.routing_key) == (DEATH["queue"], "delivery_limit", "chat.3")
    assert letter.died_at == DEATH["time"]


def test_a_forged_broker_verdict_is_a_note_once_we_have_judged() -> None:
    forged = replace(ONE, headers={"x-death": [{**DEATH, "queue": "elsewhere"}]})
    copy = failures.dead_copy(forged, "chat", "chat@1", "chat.commands.3-of-4", ValueError("no"))
    assert _letter(_arrived(copy)).queue == "chat.commands.3-of-4"


@pytest.mark.parametrize("death", ["x", [], [5], {}, [{"queue": 5, "reason": b"x", "routing-keys": "k", "time": "?"}]])
def test_a_death_that_makes_no_sense_is_parked_all_the_same(death: Any) -> None:
    letter = _letter(replace(ONE, headers={"x-death": death}))
    assert letter.queue == "chat.dead"
    assert resent(letter, TOPOLOGY) == "it is not known which queue it died in"


def test_the_letters_of_a_bundle_have_names_of_their_own_each_time_the_same() -> None:
    bundle = codec.to_content([replace(ONE, id=f"m-{n}") for n in range(3)], "x")
    dead = Event("", bundle.body, "chat.dead", content_type=codec.BUNDLE, id="b", headers={"x-death": [DEATH]})
    first, second = (letters(dead, "chat.dead", TOPOLOGY, LIMIT) for _ in range(2))
    assert [x.message_id for x in first] == ["m-0", "m-1", "m-2"]
    assert len({x.id for x in first}) == 3
    assert [x.id for x in first] == [x.id for x in second]


class _Shelf:
    """Fails on letters with headers, or on all."""

    def __init__(self, *, broken: bool = False) -> None:
        self.parked: list[Letter] = []
        self._broken = broken

    async def park(self, found: Sequence[Letter]) -> None:
        if self._broken or any("bad" in x.headers for x in found):
            raise ValueError("a bug")
        self.parked.extend(found)


class _Facts:
    async def publish_all(self, events: Sequence[Event]) -> None:
        pass


def _parking(shelf: _Shelf) -> Parking:
    async def died_again(_: Sequence[Letter]) -> None:
        pass

    return Parking(
        "chat.dead", shelf, _Facts(), died_again=died_again, topology=TOPOLOGY, body_limit=LIMIT, actor="dlq-monitor"
    )


async def test_a_letter_that_cannot_be_parked_as_it_is_is_parked_with_its_body_alone() -> None:
    shelf = _Shelf()
    await _parking(shelf).handle([replace(ONE, id="1"), replace(ONE, id="2", headers={"bad": 1}), replace(ONE, id="3")])
    assert [(x.message_id, x.cause.type) for x in shelf.parked] == [("1", "unknown"), ("2", "unread"), ("3", "unknown")]
    assert shelf.parked[1].body.data == ONE.body


async def test_what_cannot_be_parked_at_all_pauses_its_queue() -> None:
    with pytest.raises(DependencyDownError, match="a bug"):
        await _parking(_Shelf(broken=True)).handle([ONE])
