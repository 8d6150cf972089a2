"""What is recorded of an event: everything gets a record, whatever it holds, and a bounded one."""

from __future__ import annotations

import base64
import hashlib
import math
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from audit.model import identity_of, made_at, record, token
from warren.envelope import REPLAYS, Event
from warren.ids import uuid7

TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"

text = st.text(st.characters(), max_size=400)  # surrogates and control characters included
scalars = (
    st.none() | st.booleans() | st.integers() | st.floats() | text | st.binary(max_size=300) | st.decimals()
) | st.datetimes(timezones=st.just(UTC) | st.just(timezone(timedelta(hours=14))))
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(text, inner), max_leaves=30)


@st.composite
def events(draw: st.DrawFn) -> Event:
    return Event(
        type=draw(text),
        body=draw(
            st.binary(max_size=500) | text.map(lambda t: orjson.dumps({"room": t.encode("utf-8", "replace").decode()}))
        ),
        exchange=draw(text),
        routing_key=draw(text),
        id=draw(text),
        time=draw(st.datetimes() | st.datetimes(timezones=st.just(timezone(timedelta(hours=-14))))),
        app=draw(text),
        correlation_id=draw(st.none() | text),
        headers=draw(st.dictionaries(text, values, max_size=8)),
        content_type=draw(text),
        extra=draw(st.dictionaries(text, values, max_size=3)),
    )


@given(events(), st.integers(0, 600))
def test_every_event_has_a_record_that_reads_back(event: Event, limit: int) -> None:
    made = record(event, limit)

    entry = orjson.loads(made.text)

    assert entry["size"] == len(event.body)
    assert identity_of(entry) == made.identity
    assert len(made.text) < 100_000
    assert all(len(k) < 300 for k in made.keys)
    assert made.text == orjson.dumps(entry, option=orjson.OPT_SORT_KEYS).decode(), "canonical"


def fact(**changes: Any) -> Event:
    body = {"room": "general", "id": "m-1", "user": {"id": "ada", "name": "Ada"}, "body": "hello"}
    event = {
        "type": "message.posted.v1",
        "body": orjson.dumps(body),
        "routing_key": "room.3",
        "id": uuid7(),
        "headers": {"traceparent": TRACEPARENT},
    }
    return Event(**{**event, **changes})


def test_keys_say_what_an_event_is_about() -> None:
    assert record(fact(), 100).keys == (
        f"trace:{TRACEPARENT[3:35]}",
        "room:general",
        "user:ada",
        "message:m-1",
        "type:message.posted.v1",
    )


def test_an_event_without_a_trace_is_found_by_its_message_id() -> None:
    assert record(fact(headers={}, body=b"x", id="a-1"), 100).keys == ("message:a-1", "type:message.posted.v1")
    assert record(fact(headers={}, body=b"x", id="", type=""), 100).keys == ()


def test_a_redelivery_is_the_same_and_a_replay_is_not() -> None:
    event = fact(id="a-1")
    again = fact(id="a-1", exchange="audit.again", headers={"traceparent": TRACEPARENT, "x-delivery-count": 2})
    replay = fact(id="a-1", headers={REPLAYS: 1})

    assert record(event, 0).identity == record(again, 0).identity is not None
    assert record(replay, 0).identity != record(event, 0).identity
    assert record(fact(id=""), 0).identity is None
    assert record(fact(id="i" * 300), 0).identity is None, "too long for AMQP: not a message of ours"


def test_a_long_body_is_cut_between_characters_and_its_hash_kept() -> None:
    body = "aé".encode() * 10

    entry = orjson.loads(record(fact(body=body), 5).text)

    assert entry["body"] == "aéa"
    assert (entry["cut"], entry["size"]) == (True, 30)
    assert entry["sha256"] == hashlib.sha256(body).hexdigest()


def test_a_body_that_is_no_text_is_kept_as_base64() -> None:
    entry = orjson.loads(record(fact(body=b"\xff\x00\xfe"), 100).text)

    assert entry["encoding"] == "base64"
    assert base64.b64decode(entry["body"]) == b"\xff\x00\xfe"


def test_hostile_headers_become_plain_and_bounded_and_crowd_nothing_out() -> None:
    deep: Any = 1
    for _ in range(100):
        deep = [{"d": deep}]
    headers = {
        "a.b": 1,
        "$set": {"$inc": [True, None]},
        "deep": deep,
        "huge": "x" * 1_000_000,
        "many": {str(i): "y" * 50 for i in range(10_000)},
        "nan": math.nan,
        "big": 2**200,
        "decimal": Decimal("1.5"),
        "when": datetime(9999, 12, 31, 23, 59, tzinfo=timezone(timedelta(hours=-14))),
        "zz-last": "kept",
    }

    kept = orjson.loads(record(fact(headers=headers), 100).text)["headers"]

    assert kept["a.b"] == 1
    assert kept["$set"] == {"$inc": [True, None]}
    assert kept["zz-last"] == "kept"
    assert (kept["nan"], kept["decimal"], kept["when"]) == ("nan", "1.5", "")
    assert len(orjson.dumps(kept)) < 30_000


def test_tokens_of_long_values_are_cut_the_same_way_when_asked_for() -> None:
    room = "r" * 1000
    assert token("room", room) in record(fact(body=orjson.dumps({"room": room})), 5000).keys


def test_only_a_uuid7_tells_its_time() -> None:
    made = made_at(uuid7())
    assert made is not None
    assert abs((datetime.now(UTC) - made).total_seconds()) < 5
    assert made_at("ffffffff-ffff-7fff-bfff-ffffffffffff") is None
    assert made_at("6ba7b810-9dad-11d1-80b4-00c04fd430c8") is None
    assert made_at("m-1") is None
