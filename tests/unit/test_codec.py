"""Events to messages and back: single, bundled, and what cannot be read."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from unittest.mock import MagicMock

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pamqp import decode, encode
from pamqp.commands import Basic
from pamqp.header import ContentHeader

from warren.contracts import User
from warren.contracts.commands import PostMessage
from warren.envelope import Event, event, trace_id_of, traceparent_of
from warren.errors import ContractError
from warren.messaging import codec, tolerant
from warren.messaging.datapath import Consuming, Content, Delivery
from warren.topology import COMMANDS

TRACE = f"00-{'a' * 32}-{'b' * 16}-01"
MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def _post(n: int = 1) -> Event:
    post = PostMessage(room="r", id=f"m-{n}", user=User(id="u", name="U"), time=MOMENT, body=f"hello {n} ✓")
    return event(post, COMMANDS, "chat.3", traceparent=TRACE)


def _message(body: bytes, **properties: Any) -> Content:
    return Content(Basic.Properties(**properties), body)


def _received(content: Content, **changes: Any) -> Delivery:
    """Return a message as the broker delivers it, through its frames."""
    received: list[Delivery] = []
    consuming = Consuming(MagicMock(), MagicMock(), 1, received.append)
    key, exchange = b"chat.3", COMMANDS.encode()
    strings = (b"tag", (7).to_bytes(8, "big") + b"\0", exchange, key)
    deliver = bytes((0, 60, 0, 60, 3)) + strings[0] + strings[1]
    for text in strings[2:]:
        deliver += bytes((len(text),)) + text
    header = ContentHeader(body_size=len(content.body), properties=content.properties).marshal()
    parts = [(3, content.body[n : n + 7]) for n in range(0, len(content.body), 7)]
    for kind, payload in ((1, deliver), (2, header), *parts):
        assert consuming.take(kind, memoryview(payload))
    (delivery,) = received
    assert (delivery.delivery_tag, delivery.redelivered) == (7, False)
    return replace(delivery, **changes)


def test_one_event_is_one_message_and_back() -> None:
    one = replace(_post(), correlation_id="c")
    (read,) = codec.split(_received(codec.to_content([one], "gateway")))
    assert (read.id, read.type, read.body, read.headers, read.correlation_id) == (
        one.id,
        one.type,
        one.body,
        {"traceparent": TRACE},
        "c",
    )
    assert (read.app, read.exchange, read.routing_key) == ("gateway", COMMANDS, "chat.3")
    assert read.time == one.time.replace(microsecond=0), "AMQP knows seconds"


def test_a_bundle_keeps_order_ids_headers_and_bodies() -> None:
    events = [_post(n) for n in range(5)]
    message = codec.to_content(events, "gateway")
    assert message.properties.content_type == codec.BUNDLE
    assert message.properties.headers == {"x-warren-events": 5}
    read = codec.split(_received(message))
    assert [e.id for e in read] == [e.id for e in events]
    assert [orjson.loads(e.body) for e in read] == [orjson.loads(e.body) for e in events]
    assert {e.trace_id for e in read} == {"a" * 32}
    assert [codec.decode(e, codec.accept(PostMessage)).data for e in read] == [e.data for e in events]


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"{}", b"5", b'"x"', b"null"])
def test_a_body_that_is_no_list_is_no_bundle(body: bytes) -> None:
    with pytest.raises(ContractError, match="not a bundle"):
        codec.split(_received(_message(body, content_type=codec.BUNDLE)))


@given(st.recursive(st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5), st.lists, max_leaves=5))
def test_an_item_that_is_no_event_is_refused_alone(item: object) -> None:
    good = orjson.loads(codec.to_content([_post(1), _post(2)], "g").body)
    body = orjson.dumps([good[0], item, good[1]])
    read = codec.split(_received(_message(body, content_type=codec.BUNDLE, message_id="b")))
    assert [e.type for e in read] == ["message.post.v1", "", "message.post.v1"]
    assert (read[1].id, orjson.loads(read[1].body), read[1].content_type) == ("b#1", item, "")
    with pytest.raises(ContractError, match="the message has no type"):
        codec.decode(read[1], codec.accept(PostMessage))


@pytest.mark.parametrize(
    ("kind", "body", "reason"),
    [
        ("", b"{}", "the message has no type"),
        ("message.posted.v1", b"{}", "message.posted.v1 is not for this queue"),
        ("message.post.v2", b"{}", "message.post.v2: unknown version"),
        ("no.such.v1", b"{}", "no.such.v1: unknown type"),
        ("message.post.v1", b"", "message.post.v1: Invalid JSON"),
        ("message.post.v1", b'{"room":1}', "message.post.v1: room"),
    ],
)
def test_a_refusal_says_why(kind: str, body: bytes, reason: str) -> None:
    with pytest.raises(ContractError) as refused:
        codec.decode(Event(kind, body, "k"), codec.accept(PostMessage))
    assert str(refused.value).startswith(reason)


@pytest.mark.parametrize("parent", [5, b"x", "", "x" * 55, TRACE.upper(), f"{TRACE}-00", bytearray(TRACE.encode())])
def test_a_trace_context_that_is_none_is_a_mere_note(parent: Any) -> None:
    one = codec.single(_received(_message(b""), headers={"traceparent": parent, "other": 1}))
    assert one.headers == {"x-warren-was-traceparent": parent, "other": 1}
    assert traceparent_of({"traceparent": parent}) is None
    assert trace_id_of({"traceparent": parent}) == ""


def test_properties_without_a_use_are_kept_and_those_without_effect_written_again() -> None:
    message = _message(b"", reply_to="me", priority=7, content_encoding="gzip", user_id="u", expiration="5")
    one = codec.single(_received(message))
    assert one.extra.items() >= {"reply_to": "me", "priority": 7, "content_encoding": "gzip", "user_id": "u"}.items()
    again = codec.to_content([one], "x").properties
    assert (again.reply_to, again.priority, again.content_encoding) == ("me", 7, "gzip")
    assert (again.user_id, again.expiration) == (None, None)


class TestTolerantDecoding:
    """pamqp's decoders, as `warren.messaging` replaces them."""

    def test_it_is_in_place(self) -> None:
        assert decode.METHODS["shortstr"] is tolerant._short_string

    @given(st.binary(max_size=255))
    def test_a_short_string_is_always_read_and_can_be_written_again(self, data: bytes) -> None:
        used, text = decode.METHODS["shortstr"](bytes([len(data)]) + data + b"rest")
        assert used == len(data) + 1
        assert isinstance(text, str)
        assert len(encode.short_string(text)) <= 256
        orjson.dumps(text)

    @pytest.mark.parametrize("seconds", [2**64 - 1, 2**63, 10**15])
    def test_a_time_beyond_all_calendars_is_the_last_of_ours(self, seconds: int) -> None:
        assert decode.METHODS["timestamp"](seconds.to_bytes(8, "big")) == (
            8,
            datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC),
        )
