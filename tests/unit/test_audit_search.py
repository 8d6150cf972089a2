"""Slices of time cover a span exactly once; the trail of a message is in order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import orjson
import pytest

from audit.search import Query, slices
from audit.trail import in_order, of_line, of_record
from warren.contracts import rfc3339
from warren.ids import uuid7

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.mark.parametrize("newest_first", [True, False])
@pytest.mark.parametrize("span", [timedelta(0), timedelta(seconds=3), timedelta(seconds=10), timedelta(days=400)])
def test_slices_cover_the_span_without_overlap(span: timedelta, newest_first: bool) -> None:
    parts = list(slices(NOON, NOON + span, newest_first=newest_first))

    in_time = parts[::-1] if newest_first else parts
    assert [p[0] for p in in_time[1:]] == [p[1] for p in in_time[:-1]]
    if span:
        assert (in_time[0][0], in_time[-1][1]) == (NOON, NOON + span)
    else:
        assert parts == []
    assert len(parts) < 20


def test_all_that_is_asked_for_must_hold() -> None:
    entry = {"room": "red", "user": "ada", "id": "m-1", "message_id": "a-1", "type": "t", "trace": TRACE}

    assert Query(room="red", user="ada", message="m-1").matches(entry)
    assert Query(message="a-1", trace=TRACE).matches(entry)
    assert not Query(room="red", user="bob").matches(entry)
    assert not Query(message="m-2").matches(entry)
    assert not Query(user="None").matches({})
    assert Query(room="red", user="ada", type="t").key == "user:ada"


def test_a_record_is_two_steps_with_the_milliseconds_of_its_id() -> None:
    made = datetime.now(UTC)
    record = {
        "message_id": uuid7(),
        "type": "message.posted.v1",
        "app": "chat",
        "time": rfc3339(made.replace(microsecond=0)),  # AMQP's timestamp has seconds
        "received": rfc3339(made + timedelta(milliseconds=40)),
        "room": "general",
        "body": '{"seq":7}',
        "n": 3,
        "chain": "c",
    }

    published, recorded = in_order(reversed(list(of_record(record))))

    assert (published.who, published.what, published.ref) == ("chat", "published message.posted.v1", "#7")
    assert abs(published.time - made) < timedelta(milliseconds=50)
    assert recorded.plain(published.time)["after_ms"] >= 0
    assert "document 3 of c" in recorded.detail


def test_log_lines_are_told_by_their_trace() -> None:
    line = {
        "time": rfc3339(NOON),
        "service": "chat",
        "instance": "chat@x",
        "message": "entries stored",
        "level": "info",
    }

    one = of_line(orjson.dumps({**line, "trace": TRACE, "reason": "because", "room": "general", "seq": 4}), TRACE)
    several = of_line(orjson.dumps({**line, "traces": ["0" * 32, TRACE]}), TRACE)

    assert one is not None
    assert (one.who, one.what, one.room, one.ref, one.detail) == (
        "chat@x",
        "entries stored",
        "general",
        "4",
        "reason because",
    )
    assert several is not None
    assert of_line(orjson.dumps({**line, "message": f"about {TRACE}"}), TRACE) is None
    for garbage in (b"", b"[]", b"not json", b'{"trace":"' + TRACE.encode() + b'"}', b'{"traces":7}'):
        assert of_line(garbage, TRACE) is None
