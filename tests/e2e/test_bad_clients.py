"""Garbage into the websocket: a clear error or a documented close code, no effect on others."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from tests.support.stack import Stack, enter, guest
from warren.client.raw import RawSocket

GARBAGE = [
    "not json",
    "",
    "[]",
    "null",
    "12",
    '{"type":"launch"}',
    '{"type":{}}',
    '{"type":"join"}',
    '{"type":"join","room":""}',
    '{"type":"join","room":" x"}',
    '{"type":"join","room":"a\\u0007b"}',
    json.dumps({"type": "join", "room": "x" * 65}),
    '{"type":"join","room":"x","since":"now"}',
    '{"type":"join","room":"x","since":-1}',
    '{"type":"join","room":"x","since":99999999999999999999999}',
    '{"type":"message","room":"x"}',
    '{"type":"message","room":"x","id":"../..","body":"b"}',
    '{"type":"message","room":"x","id":"1","body":""}',
    '{"type":"message","room":"x","id":"1","body":{"$gt":""}}',
    '{"type":"message","room":"x","id":"1","body":"b","extra":true}',
    '{"type":"rename","name":"line\\nbreak"}',
    '{"type":"ping","ref":{"a":1}}',
    "[" * 10_000,
    '{"type":"ping","type":"launch"}',
]


@pytest.mark.parametrize("garbage", GARBAGE, ids=lambda g: g[:40] or "empty")
async def test_garbage_gets_an_error_frame_and_the_socket_lives_on(stack: Stack, garbage: str) -> None:
    async with await enter(stack.gateways[0], "Mallory") as socket:
        await socket.send_text(garbage)
        error = await socket.expect("error")
        assert error["code"] == "bad_frame"
        assert error["message"]
        assert "Traceback" not in json.dumps(error)
        await socket.send_json({"type": "ping", "ref": 1})
        await socket.expect("pong", ref=1)


async def test_binary_closes_with_its_code(stack: Stack) -> None:
    async with await enter(stack.gateways[0], "Mallory") as socket:
        await socket.send_bytes(b"\x00\x01")
        goodbye = await socket.expect("goodbye")
        assert goodbye["reason"] == "bad_data"
        assert (await socket.closed())[0] == 1003


async def test_a_megabyte_closes_with_1009_and_others_go_on(stack: Stack, room: str) -> None:
    one, two = stack.gateways
    async with await enter(one, "Ann", room) as ann, await enter(one, "Mallory", room) as mallory:
        await mallory.send_text('{"type":"message","id":"1","room":"x","body":"%s"}' % ("x" * 1_000_000))
        assert (await mallory.closed())[0] == 1009
        async with await enter(two, "Bob", room) as bob:
            await bob.send_json({"type": "message", "id": "1", "room": room, "body": "all well"})
            assert (await ann.expect("message"))["body"] == "all well"


async def test_a_body_above_the_limit_is_an_error_with_its_id(stack: Stack, room: str) -> None:
    async with await enter(stack.gateways[0], "Ann", room) as ann:
        await ann.send_json({"type": "message", "id": "big", "room": room, "body": "é" * 9_000})
        error = await ann.expect("error")
        assert (error["code"], error["id"]) == ("too_long", "big")


async def test_a_message_before_joining_is_refused(stack: Stack, room: str) -> None:
    async with await enter(stack.gateways[0], "Ann") as ann:
        for frame in (
            {"type": "message", "id": "1", "room": room, "body": "hi", "ref": 1},
            {"type": "leave", "room": room, "ref": 2},
            {"type": "typing", "room": room, "ref": 3},
        ):
            await ann.send_json(frame)
            error = await ann.expect("error")
            assert (error["code"], error["ref"]) == ("not_joined", frame["ref"])


async def test_a_flood_of_bad_frames_is_closed(stack: Stack) -> None:
    async with await enter(stack.gateways[0], "Mallory") as socket:
        for _ in range(60):
            await socket.send_text("garbage")
        assert (await socket.closed())[0] == 4009


async def test_too_fast_is_told_when_to_go_on_and_nothing_else_is_lost(stack: Stack, room: str) -> None:
    async with await enter(stack.gateways[0], "Ann", room) as ann:
        acks, errors, sent = 0, [], 0
        while not errors and sent < 3000:  # a slow machine may send no faster than it may
            for n in range(sent, sent + 300):
                await ann.send_json({"type": "message", "id": f"m{n}", "room": room, "body": "x"})
            sent += 300
            while acks + len(errors) < sent:
                frame = await ann.recv()
                acks += frame["type"] == "ack"
                if frame["type"] == "error":
                    errors.append(frame)
        assert acks >= 200
        assert errors
        odd = [e for e in errors if not (e["code"] == "rate_limited" and 0 < e["retry_after"] <= 1 and e["id"])]
        assert not odd


@pytest.mark.parametrize("token", [None, "", "nonsense", "a.b.c"])
async def test_a_bad_token_is_closed_where_the_browser_can_read_it(stack: Stack, token: str | None) -> None:
    async with await RawSocket.connect(stack.gateways[0], token) as socket:
        assert await socket.closed() == (4001, "token")


async def test_a_bad_token_without_our_protocol_is_plain_http(stack: Stack) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await RawSocket.connect(stack.gateways[0], "nonsense", subprotocols=None)
    assert refused.value.response.status_code == 401


async def test_a_foreign_page_may_not_connect(stack: Stack, http: httpx.AsyncClient) -> None:
    base = stack.gateways[0]
    token = (await guest(base))["token"]
    async with await RawSocket.connect(base, token, origin="https://evil.example") as socket:
        assert await socket.closed() == (4003, "forbidden")
    answer = await http.get(
        f"{base}/api/rooms", headers={"Authorization": f"Bearer {token}", "Origin": "https://evil.example"}
    )
    assert answer.status_code == 403


async def test_the_token_is_neither_echoed_nor_logged(stack: Stack) -> None:
    base = stack.gateways[0]
    token = (await guest(base))["token"]
    protocols = ("warren.v1", f"bearer.{token}")
    async with await RawSocket.connect(base, None, subprotocols=protocols) as socket:
        assert socket.connection.subprotocol == "warren.v1"
        await socket.expect("welcome")
    assert token not in (stack.data / "logs" / "gateway-1.log").read_text()


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/api/rooms", None, 401),
        ("POST", "/api/token", {"name": ""}, 422),
        ("POST", "/api/token", {"name": "x" * 65}, 422),
        ("POST", "/api/token", {"surprise": 1}, 422),
        ("GET", "/nothing", None, 404),
    ],
)
async def test_rest_says_no_in_plain_words(
    stack: Stack, http: httpx.AsyncClient, method: str, path: str, body: object, status: int
) -> None:
    answer = await http.request(method, stack.gateways[0] + path, json=body)
    assert answer.status_code == status
    assert "detail" in answer.json()


async def test_services_own_endpoints_need_their_token(stack: Stack, http: httpx.AsyncClient) -> None:
    services = stack.status()["services"]
    asked: tuple[tuple[str, str, Any], ...] = (
        ("GET", f"{services['chat']}/rooms", None),
        ("POST", f"{services['chat']}/pages", {"pages": []}),
        ("POST", f"{services['presence']}/members", {"rooms": []}),
        ("GET", f"{services['audit']}/records", None),
        ("GET", f"{services['dlq-monitor']}/letters", None),
    )
    for method, url, body in asked:
        for token, status in ((None, 401), ("wrong", 401), (stack.service_token, 200)):
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            assert (await http.request(method, url, json=body, headers=headers)).status_code == status, url
