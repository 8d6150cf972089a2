"""Frames from clients are strict, and what is wrong is said without echoing what was sent."""

from __future__ import annotations

import json

import pytest

from warren.contracts import frames, refusing
from warren.contracts.closing import CLOSE_CODES
from warren.errors import ContractError


@pytest.mark.parametrize(
    ("text", "frame"),
    [
        ('{"type":"join","room":"general"}', frames.Join(type="join", room="general")),
        ('{"type":"join","room":"a b","since":0,"ref":7}', frames.Join(type="join", room="a b", since=0, ref=7)),
        ('{"type":"leave","room":"x"}', frames.Leave(type="leave", room="x")),
        (
            '{"type":"message","id":"a-B_9","room":"x","body":" hi "}',
            frames.Message(type="message", id="a-B_9", room="x", body=" hi "),
        ),
        ('{"type":"rename","name":"Ann"}', frames.Rename(type="rename", name="Ann")),
        ('{"type":"typing","room":"x"}', frames.Typing(type="typing", room="x")),
        ('{"type":"ping","ref":"r"}', frames.Ping(type="ping", ref="r")),
    ],
)
def test_good_frames(text: str, frame: frames.ClientFrame) -> None:
    assert frames.parse_client_frame(text) == frame


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[]", "a frame is a JSON object"),
        ('"x"', "a frame is a JSON object"),
        ("{}", "unknown or missing type"),
        ('{"type":"welcome"}', "unknown or missing type"),
        ('{"type":["join"]}', "unknown or missing type"),
        ('{"type":"join"}', "room: Field required"),
        ('{"type":"join","room":""}', "room: "),
        ('{"type":"join","room":" x"}', "room: "),
        ('{"type":"join","room":"x\\u0000"}', "room: "),
        ('{"type":"join","room":"%s"}' % ("x" * 65), "room: "),
        ('{"type":"join","room":"x","since":-1}', "since: "),
        ('{"type":"join","room":"x","more":1}', "more: "),
        ('{"type":"message","room":"x","body":"b"}', "id: "),
        ('{"type":"message","room":"x","id":"a b","body":"b"}', "id: "),
        ('{"type":"message","room":"x","id":"%s","body":"b"}' % ("i" * 65), "id: "),
        ('{"type":"message","room":"x","id":"i","body":""}', "body: "),
        ('{"type":"message","room":"x","id":"i","body":7}', "body: "),
        ('{"type":"message","room":"x","id":"i","body":"\\ud800"}', "not JSON"),
        ('{"type":"rename","name":""}', "name: "),
    ],
)
def test_bad_frames_say_what_is_wrong(text: str, says: str) -> None:
    with pytest.raises(ContractError) as error:
        frames.parse_client_frame(text)
    assert str(error.value).startswith(says)


def test_errors_do_not_echo_what_was_sent() -> None:
    with pytest.raises(ContractError) as error:
        frames.parse_client_frame('{"type":"join","room":" secret-token "}')
    assert "secret-token" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "ref"),
    [
        ('{"type":"launch","ref":7}', 7),
        ('{"type":"join","ref":"a"}', "a"),
        ('{"ref":"a"}', "a"),
        ('{"ref":{"a":1}}', None),
        ('{"ref":"%s"}' % ("x" * 65), None),
        ('{"ref":1.5}', None),
        ("[1]", None),
        ('"ref"', None),
        ('{"ref":1', None),
        ("[" * 10_000, None),
        ('{"ref":"\\ud800"}', None),
    ],
)
def test_the_ref_of_a_bad_frame_is_read_where_it_can_be(text: str, ref: str | int | None) -> None:
    assert frames.ref_of(text) == ref


def test_absent_fields_are_left_out_on_the_wire() -> None:
    assert json.loads(frames.encode(frames.Pong())) == {"type": "pong"}


def test_every_frame_is_in_one_of_the_two_tables() -> None:
    named = {f for f in vars(frames).values() if isinstance(f, type) and issubclass(f, frames.Frame)}
    told = {f for f in named if "type" in f.model_fields}
    assert told == {*frames.CLIENT_FRAMES.values(), *frames.SERVER_FRAMES.values()}
    assert all(f.ANSWER in {"", *frames.SERVER_FRAMES} for f in frames.CLIENT_FRAMES.values())


@pytest.mark.parametrize("table", [refusing.ERRORS, refusing.REJECTIONS])
def test_codes_are_closed_tables_without_repeats(table: tuple[refusing.Refusal, ...]) -> None:
    assert len({r.code for r in table}) == len(table)
    every = {r for r in vars(refusing).values() if isinstance(r, refusing.Refusal)}
    assert every == {*refusing.ERRORS, *refusing.REJECTIONS}


def test_close_codes_are_one_table_without_repeats() -> None:
    assert len({c.code for c in CLOSE_CODES}) == len({c.name for c in CLOSE_CODES}) == len(CLOSE_CODES)
