"""Copies of failed events: what they keep, what they may not do to the broker, and how deaths are told apart."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warren.envelope import Event
from warren.errors import PermanentError
from warren.messaging import codec, failures
from warren.messaging.fields import write_table

TRACE = f"00-{'a' * 32}-{'b' * 16}-01"
ONE = Event(
    "message.post.v1",
    b'{"a":1}',
    "chat.3",
    "warren.commands",
    id="m-1",
    time=datetime(2026, 1, 1, tzinfo=UTC),
    headers={"traceparent": TRACE, "mine": 5},
    content_type="application/json",
)


def _dead(one: Event, error: BaseException | None = None) -> Event:
    return failures.dead_copy(one, "chat", "chat@1", "chat.commands.3-of-16", error or PermanentError("no"))


def test_a_retry_keeps_everything_and_counts() -> None:
    copy = failures.retry_copy(ONE, "chat", 5)
    assert (copy.exchange, copy.routing_key) == ("chat.retry.5s", "chat.3")
    assert copy.headers == {**ONE.headers, "x-warren-attempt": 2}
    assert (copy.id, copy.type, copy.body, copy.time, copy.content_type) == (
        ONE.id,
        ONE.type,
        ONE.body,
        ONE.time,
        ONE.content_type,
    )
    assert failures.retry_copy(copy, "chat", 30).headers["x-warren-attempt"] == 3


@pytest.mark.parametrize("claimed", ["7", None, -3, 2**63 - 1])
def test_an_attempt_that_a_stranger_claims_does_no_harm(claimed: Any) -> None:
    copy = failures.retry_copy(replace(ONE, headers={"x-warren-attempt": claimed}), "chat", 5)
    assert 2 <= copy.headers["x-warren-attempt"] <= 1001


def test_a_dead_copy_says_why_and_where() -> None:
    def bad() -> None:
        raise PermanentError("x" * 1000)

    with pytest.raises(PermanentError) as raised:
        bad()
    copy = _dead(ONE, raised.value)
    assert (copy.exchange, copy.routing_key) == ("warren.dead", "chat.dead")
    headers = copy.headers
    assert (headers["x-warren-cause"], headers["x-warren-where"]) == ("PermanentError", "test_failures.py:bad")
    assert len(headers["x-warren-error"]) == 500
    assert (headers["x-warren-exchange"], headers["x-warren-routing-key"]) == ("warren.commands", "chat.3")
    assert (headers["x-warren-queue"], headers["mine"]) == ("chat.commands.3-of-16", 5)


def test_what_acts_on_the_broker_becomes_a_note() -> None:
    headers = {
        "CC": ["a"],
        "BCC": ["b"],
        "x-death": [{"queue": "q"}],
        "x-delivery-count": 3,
        "x-first-death-queue": "q",
    }
    copy = _dead(replace(ONE, headers=headers, extra={"expiration": 5, "user_id": "u", "reply_to": "me"}))
    strangers = {k: v for k, v in copy.headers.items() if "was" in k or k in headers}
    assert strangers == {
        "x-warren-was-cc": "['a']",
        "x-warren-was-bcc": "['b']",
        "x-warren-was-x-death": "[{'queue': 'q'}]",
        "x-warren-was-expiration": "5",
        "x-warren-was-user_id": "u",
    }
    message = codec.to_content([copy], "chat").properties
    assert (message.expiration, message.user_id, message.reply_to) == (None, None, "me")


def test_headers_that_cannot_be_written_are_counted_and_left_out() -> None:
    odd = {"huge": 2**70, "nan": Decimal("nan"), "object": object(), "bytes": b"x", "double": 1e300, "good": 1}
    copy = _dead(replace(ONE, headers={"traceparent": TRACE, **odd}))
    assert copy.headers["x-warren-headers-dropped"] == 3
    assert copy.headers["double"] == 1e300
    assert (copy.headers["good"], copy.headers["traceparent"]) == (1, TRACE)
    write_table(copy.headers)


def test_headers_that_are_too_many_are_cut_but_never_the_trace() -> None:
    many = {f"h{n}": "x" * 100 for n in range(2000)}
    copy = _dead(replace(ONE, headers={**many, "traceparent": TRACE}))
    assert len(write_table(copy.headers)) < 60_000
    assert copy.headers["traceparent"] == TRACE
    kept = sum(k in many for k in copy.headers)
    assert copy.headers["x-warren-headers-dropped"] == 2000 - kept > 0


@given(
    st.dictionaries(
        st.text(max_size=300),
        st.none() | st.integers() | st.floats() | st.text() | st.binary() | st.decimals() | st.datetimes(),
        max_size=8,
    )
)
def test_any_copy_can_be_written(headers: dict[str, Any]) -> None:
    one = replace(ONE, headers=headers)
    for copy in (_dead(one), failures.retry_copy(one, "chat", 1), failures.again_copy(one, "chat.again")):
        write_table(copy.headers)


def test_copies_travel_alone() -> None:
    """The body of a failed event may be no JSON: in a bundle it would spoil the others."""
    assert _dead(ONE).alone
    assert failures.retry_copy(ONE, "chat", 1).alone
    assert failures.again_copy(ONE, "chat.again").alone


class TestDeaths:
    """The name of a death: the same for the same delivery, another for any other."""

    def test_a_redelivery_is_the_same_death(self) -> None:
        assert _name(ONE) == _name(replace(ONE, headers={"x-warren-attempt": 4}))

    @pytest.mark.parametrize(
        "other",
        [
            replace(ONE, id="m-2"),
            replace(ONE, body=b"{}"),
            replace(ONE, headers={"x-warren-replays": 1}),
            replace(ONE, id="", time=datetime(2026, 1, 2, tzinfo=UTC)),
        ],
    )
    def test_another_message_is_another_death(self, other: Event) -> None:
        assert _name(ONE) != _name(other)

    def test_another_queue_is_another_death(self) -> None:
        other = failures.dead_copy(ONE, "audit", "audit@1", "audit.events", PermanentError("no"))
        assert other.headers["x-warren-death"] != _name(ONE)


def _name(one: Event) -> str:
    return str(_dead(one).headers["x-warren-death"])
