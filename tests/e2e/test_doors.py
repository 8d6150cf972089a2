"""Who comes in, where to, and for how long."""

from __future__ import annotations

import secrets
import time

import httpx
import jwt
import pytest
from websockets.exceptions import InvalidStatus

from tests.support.stack import Stack, enter, guest
from tests.support.waiting import eventually
from warren.client import Client, core
from warren.client.raw import RawSocket
from warren.contracts.frames import PROTOCOL


@pytest.fixture(scope="module")
def base(stack: Stack) -> str:
    """The first gateway."""
    return stack.gateways[0]


def name() -> str:
    """A user nobody has met."""
    return f"user-{secrets.token_hex(4)}"


def bad_tokens(stack: Stack) -> dict[str, str]:
    """Tokens that must open nothing, by what is wrong with them."""
    now = time.time()
    good = stack.token("mallory")
    head, claims, signature = good.split(".")
    other = stack.token("someone-else").split(".")[1]
    return {
        "forged claims": f"{head}.{other}.{signature}",
        "no signature": f"{head}.{claims}.",
        "wrong key": jwt.encode({"sub": "m", "exp": now + 60}, "x" * 40, "HS256"),
        "none": jwt.encode({"sub": "m", "exp": now + 60}, "", "none"),
        "another algorithm": jwt.encode({"sub": "m", "exp": now + 60}, "x" * 64, "HS512"),
        "not yet": stack.token("mallory", nbf=now + 60),
        "another's audience": stack.token("mallory", aud="billing"),
        "no expiry": stack.token("mallory", exp=None),
        "bad rooms": stack.token("mallory", rooms=["everywhere"]),
        "too long": good + "x" * (8_010 - len(good)),
    }


async def test_bad_tokens_open_neither_socket_nor_rest(stack: Stack, base: str, http: httpx.AsyncClient) -> None:
    for wrong, token in {**bad_tokens(stack), "expired": stack.token("mallory", exp=time.time() - 60)}.items():
        code = (4002, "expired") if wrong == "expired" else (4001, "token")
        async with await RawSocket.connect(base, None, subprotocols=(PROTOCOL, f"bearer.{token}")) as socket:
            assert await socket.closed() == code, wrong
        with pytest.raises(InvalidStatus) as refused:
            await RawSocket.connect(base, token, subprotocols=None)
        assert refused.value.response.status_code == 401, wrong
        answer = await http.get(f"{base}/api/rooms", headers={"Authorization": f"Bearer {token}"})
        assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer"), wrong


async def test_a_handshake_with_endless_headers_is_refused(base: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await RawSocket.connect(base, None, subprotocols=(PROTOCOL, "bearer." + "x" * 9_000))
    assert refused.value.response.status_code == 400


async def test_rooms_are_read_and_written_by_the_claim(
    stack: Stack, base: str, http: httpx.AsyncClient, room: str
) -> None:
    rights = {"read": [f"{room}-news"], "write": [f"{room}-team-*"]}
    token = stack.token(name(), rooms=rights)
    async with await enter(base, "", None, token) as socket:
        for allowed in ("news", "team-a"):
            await socket.send_json({"type": "join", "room": f"{room}-{allowed}"})
            await socket.expect("joined", room=f"{room}-{allowed}")
        await socket.send_json({"type": "join", "room": f"{room}-secret", "ref": 1})
        error = await socket.expect("error", ref=1)
        assert (error["code"], error["room"]) == ("forbidden", f"{room}-secret")
        change = {"room": f"{room}-news", "id": "1", "body": "x", "target": 1}
        for kind, fields in (
            ("message", "id body"),
            ("edit", "id body target"),
            ("delete", "id target"),
            ("typing", ""),
        ):
            frame = {"type": kind, "room": change["room"], "ref": kind} | {k: change[k] for k in fields.split()}
            await socket.send_json(frame)
            assert (await socket.expect("error", ref=kind))["code"] == "forbidden"
        await socket.send_json({"type": "message", "room": f"{room}-team-a", "id": "1", "body": "hello"})
        await socket.expect("ack", id="1")
        assert (await socket.expect("message"))["body"] == "hello"
    http.headers["Authorization"] = f"Bearer {token}"
    for where, read, write in (("news", 200, 403), ("team-b", 200, 202), ("secret", 403, 403)):
        address = f"{base}/api/rooms/{room}-{where}"
        assert (await http.get(f"{address}/entries")).status_code == read
        assert (await http.get(f"{address}/members")).status_code == read
        assert (await http.post(f"{address}/messages", json={"id": "1", "body": "x"})).status_code == write
    listed = {r["room"] for r in (await http.get(f"{base}/api/rooms")).json()["rooms"]}
    assert all(r == f"{room}-news" or r.startswith(f"{room}-team-") for r in listed)


async def test_a_moderator_changes_what_others_wrote_and_nobody_else_does(stack: Stack, base: str, room: str) -> None:
    ann, bob = stack.token(name()), stack.token(name(), rooms={"write": ["*"]})
    moderator = stack.token(name(), rooms={"moderate": [room]})
    async with (
        await enter(base, "", room, ann) as one,
        await enter(base, "", room, bob) as two,
        await enter(base, "", room, moderator) as three,
    ):
        for n in (1, 2):
            await one.send_json({"type": "message", "id": f"m{n}", "room": room, "body": "rude"})
            target = (await two.expect("message", id=f"m{n}"))["seq"]
            edit = {"type": "edit", "room": room, "target": target, "body": "polite"}
            await two.send_json({**edit, "id": f"no{n}"})
            assert (await two.expect("rejected", id=f"no{n}"))["code"] == "not_yours"
            if n == 1:
                await three.send_json({**edit, "id": "yes"})
                assert (await one.expect("edited", target=target))["body"] == "polite"
            else:
                await three.send_json({"type": "delete", "room": room, "target": target, "id": "gone"})
                await one.expect("deleted", target=target)


async def test_a_session_ends_with_its_token_unless_a_fresh_one_came(stack: Stack, base: str, room: str) -> None:
    short, user = time.time() - 3, name()  # what is left is the leeway of clocks
    async with (
        await enter(base, "", room, stack.token(user, exp=short)) as one,
        await enter(base, "", room, stack.token(user, exp=short)) as two,
        await enter(base, "", room, stack.token(user, exp=short)) as three,
    ):
        await one.send_json({"type": "token", "token": stack.token(user), "ref": 1})
        assert await one.expect("ack", ref=1)
        for wrong in (stack.token(name()), stack.token(user, exp=time.time() - 60), "nonsense"):
            await two.send_json({"type": "token", "token": wrong, "ref": 2})
            error = await two.expect("error", ref=2)
            assert error["code"] == "bad_token"
            assert wrong not in str(error)
        for ended in (two, three):
            goodbye = await ended.expect("goodbye")
            assert goodbye["reason"] == "expired"
            assert await ended.closed() == (4002, "expired")
        await one.send_json({"type": "message", "id": "1", "room": room, "body": "still here"})
        await one.expect("ack", id="1")


async def test_the_python_client_renews_its_token_and_stays(
    stack: Stack, base: str, room: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(core, "RENEW_AGAIN", 0.3)
    user, lost, given = name(), [], []

    async def fetch() -> str:
        given.append(stack.token(user, exp=time.time() + 1))
        return given[-1]

    def note(event: dict[str, object]) -> None:
        if event["type"] == "offline":
            lost.append(event)

    async with Client(base, token=fetch, on_event=note) as client:
        await client.join(room)
        session = client.session
        await eventually(lambda: len(given) > 3 and client.token == given[-1], what="it was renewed some times")
        await client.send(room, "still the same connection")
        assert (client.session, lost) == (session, [])


async def test_a_fresh_token_brings_its_own_rights(stack: Stack, base: str, room: str) -> None:
    user = name()
    async with await enter(base, "", room, stack.token(user)) as socket, await enter(base, "Ann", room) as ann:
        await socket.send_json({"type": "token", "token": stack.token(user, rooms={"read": ["else"]}), "ref": 1})
        await socket.expect("ack", ref=1)
        error = await socket.expect("error")
        assert (error["code"], error["room"]) == ("forbidden", room)
        left = await ann.expect("presence")
        while not any(m["id"] == user for m in left["left"]):
            left = await ann.expect("presence")
        await ann.send_json({"type": "message", "id": "1", "room": room, "body": "among us"})
        await ann.expect("ack", id="1")
        await socket.send_json({"type": "message", "id": "1", "room": room, "body": "x", "ref": 2})
        assert (await socket.recv())["code"] == "not_joined"  # and nothing of the room before


async def test_a_guest_renews_as_the_same_guest(stack: Stack, base: str, http: httpx.AsyncClient) -> None:
    first = await guest(base, "Ann")
    header = {"Authorization": f"Bearer {first['token']}"}
    second = (await http.post(f"{base}/api/token", headers=header)).json()
    assert second["user"] == first["user"]
    assert second["token"] != first["token"] or second["expires"] == first["expires"]
    foreign = {"Authorization": f"Bearer {stack.token(name())}"}
    assert (await http.post(f"{base}/api/token", headers=foreign)).status_code == 403
    assert (await http.post(f"{base}/api/token", headers={"Authorization": "Bearer x"})).status_code == 401


async def test_large_bodies_and_foreign_preflights_are_refused(base: str, http: httpx.AsyncClient) -> None:
    assert (await http.post(f"{base}/api/token", content=b"x" * 70_000)).status_code == 413
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    answer = await http.options(f"{base}/api/token", headers=asked)
    assert answer.status_code == 400
    assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize("path", ["/", "/web/app.js", "/docs", "/nothing", "/api/rooms"])
async def test_pages_say_what_they_may_load(base: str, http: httpx.AsyncClient, path: str) -> None:
    headers = (await http.get(base + path)).headers
    policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert path == "/docs" or (policy["script-src"], policy["style-src"]) == ("'self'", "'self'")
    assert headers["X-Content-Type-Options"] == "nosniff"
