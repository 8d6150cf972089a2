"""Two people on different gateways talk: the main job, on the stack as users start it."""

from __future__ import annotations

import asyncio
import time

import httpx

from tests.support.stack import Stack, enter, guest
from tests.support.waiting import eventually
from warren.client.raw import RawSocket

HOP_SECONDS = 0.1


async def test_messages_reach_the_other_gateway_whole_and_soon(stack: Stack, room: str) -> None:
    one, two = stack.gateways
    async with await enter(one, "Ann", room) as ann, await enter(two, "Bob", room) as bob:
        took = []
        for n in range(1, 6):
            for sender, receiver, name in ((ann, bob, "Ann"), (bob, ann, "Bob")):
                began = time.perf_counter()
                message = {"type": "message", "id": f"{name}-{n}", "room": room, "body": f"Grüße {n} 👋"}
                await sender.send_json(message)
                frame = await receiver.expect("message", id=f"{name}-{n}")
                took.append(time.perf_counter() - began)
                assert frame["user"]["name"] == name
                assert frame["user"]["id"].startswith("guest-")
                assert frame["body"] == f"Grüße {n} 👋"
                assert frame["room"] == room
                assert frame["time"].endswith("Z")
                assert len(frame["trace"]) == 32
                own = await sender.expect("message", id=f"{name}-{n}")
                assert own == frame
        assert sorted(took)[len(took) // 2] < HOP_SECONDS


async def test_seq_is_dense_and_the_same_for_all(stack: Stack, room: str) -> None:
    one, two = stack.gateways
    async with await enter(one, "Ann", room) as ann, await enter(two, "Bob", room) as bob:
        for n in range(20):
            await (ann if n % 2 else bob).send_json({"type": "message", "id": f"m{n}", "room": room, "body": "x"})
        seen = [[await s.expect("message") for _ in range(20)] for s in (ann, bob)]
        assert seen[0] == seen[1]
        assert [f["seq"] for f in seen[0]] == list(range(1, 21))


async def test_who_is_here_renames_and_leaving_show_on_the_other_side(stack: Stack, room: str) -> None:
    one, two = stack.gateways
    async with await enter(one, "Ann", room) as ann:
        bob = await RawSocket.connect(two, (await guest(two, "Bob"))["token"])
        await bob.send_json({"type": "join", "room": room})
        joined = await bob.expect("joined")
        seen = {m["name"] for m in joined["members"]}
        while "Bob" not in seen or "Ann" not in seen:
            seen |= {m["name"] for m in (await bob.expect("presence"))["joined"]}
        came = await ann.expect("presence")
        while "Bob" not in {m["name"] for m in came["joined"]}:
            came = await ann.expect("presence")

        await bob.send_json({"type": "message", "id": "before", "room": room, "body": "hi"})
        await ann.expect("message", id="before")
        await bob.send_json({"type": "rename", "name": "Robert", "ref": 1})
        await bob.expect("ack", ref=1)
        for socket in (ann, bob):
            renamed = await socket.expect("renamed")
            assert renamed["user"]["name"] == "Robert"
            assert renamed["was"] == "Bob"
        await bob.send_json({"type": "message", "id": "after", "room": room, "body": "hi"})
        assert (await ann.expect("message", id="after"))["user"]["name"] == "Robert"
        async with await enter(one, "Cyd") as cyd:
            await cyd.send_json({"type": "join", "room": room})
            history = (await cyd.expect("joined"))["entries"]
            assert [(e["id"], e["user"]["name"]) for e in history] == [("before", "Bob"), ("after", "Robert")]

        await bob.connection.close()
        gone = await ann.expect("presence")
        while "Robert" not in {m["name"] for m in gone["left"]}:
            gone = await ann.expect("presence")
        assert [m["status"] for m in gone["left"] if m["name"] == "Robert"] == ["offline"]


async def test_the_same_id_five_times_is_one_entry_and_five_acks(
    stack: Stack, room: str, http: httpx.AsyncClient
) -> None:
    one, two = stack.gateways
    token = (await guest(one, "Ann"))["token"]
    message = {"type": "message", "id": "once", "room": room, "body": "only once"}
    async with await enter(one, "", room, token) as first, await enter(two, "", room, token) as second:
        for socket in (first, second, first, second, first):
            await socket.send_json(message)
        seen = []
        for socket, acks in ((first, 3), (second, 2)):
            frames = []
            while sum(f["type"] == "ack" for f in frames) < acks:
                frames.append(await socket.recv())
            seen.append((socket, frames))
        await first.send_json({**message, "id": "end"})
        for socket, frames in seen:
            while not frames or frames[-1].get("id") != "end" or frames[-1]["type"] != "message":
                frames.append(await socket.recv())
            assert [f["id"] for f in frames if f["type"] == "message"] == ["once", "end"]
            assert not [f for f in frames if f["type"] == "error"]
    history = await http.get(f"{one}/api/rooms/{room}/entries", headers={"Authorization": f"Bearer {token}"})
    assert [e["id"] for e in history.json()["entries"]] == ["once", "end"]


async def test_coming_back_with_since_brings_what_was_missed(stack: Stack, room: str) -> None:
    one, two = stack.gateways
    token = (await guest(one, "Ann"))["token"]
    async with await enter(two, "Bob", room) as bob:
        async with await enter(one, "", room, token) as ann:
            await bob.send_json({"type": "message", "id": "1", "room": room, "body": "one"})
            assert (await ann.expect("message"))["seq"] == 1
        for n in (2, 3, 4):
            await bob.send_json({"type": "message", "id": str(n), "room": room, "body": "missed"})
            await bob.expect("ack", id=str(n))
        await bob.expect("message", seq=4)
        async with await RawSocket.connect(two, token) as again:
            await again.send_json({"type": "join", "room": room, "since": 1})
            joined = await again.expect("joined")
            assert [e["seq"] for e in joined["entries"]] == [2, 3, 4]
            assert joined["seq"] == 4
            assert joined["truncated"] is False
            await bob.send_json({"type": "message", "id": "5", "room": room, "body": "live"})
            assert (await again.expect("message"))["seq"] == 5


async def test_a_long_absence_brings_the_newest_page_and_says_so(stack: Stack, room: str) -> None:
    one, two = stack.gateways
    async with await enter(one, "Ann", room) as ann, await enter(two, "Bob", room) as bob:
        for n in range(130):
            for name, socket in (("a", ann), ("b", bob)):
                await socket.send_json({"type": "message", "id": f"{name}{n}", "room": room, "body": "x"})
        for socket in (ann, bob):  # Bob, too: a client that does not read cannot take part in its close
            await socket.expect("message", seq=260, timeout_seconds=30)
        await ann.send_json({"type": "leave", "room": room})
        await ann.expect("left")
        await ann.send_json({"type": "join", "room": room, "since": 2})
        joined = await ann.expect("joined")
        assert joined["truncated"] is True
        assert [e["seq"] for e in joined["entries"]] == list(range(61, 261))


async def test_edits_and_deletions_reach_everyone_in_their_place(stack: Stack, room: str) -> None:
    one, two = stack.gateways
    async with await enter(one, "Ann", room) as ann, await enter(two, "Bob", room) as bob:
        await ann.send_json({"type": "message", "id": "m1", "room": room, "body": "helo"})
        assert (await bob.expect("message", id="m1"))["seq"] == 1
        await ann.send_json({"type": "edit", "id": "m2", "room": room, "target": 1, "body": "hello"})
        await ann.expect("ack", id="m2")
        edited = await bob.expect("edited")
        assert (edited["seq"], edited["target"], edited["body"], edited["user"]["name"]) == (2, 1, "hello", "Ann")
        await bob.send_json({"type": "delete", "id": "b1", "room": room, "target": 1})
        rejected = await bob.expect("rejected", id="b1")  # before its `ack` or after
        assert (rejected["room"], rejected["code"]) == (room, "not_yours")
        await ann.send_json({"type": "delete", "id": "m3", "room": room, "target": 1})
        deleted = await bob.expect("deleted")
        assert (deleted["seq"], deleted["target"], "body" in deleted) == (3, 1, False)
        assert await ann.expect("deleted") == deleted
    async with await enter(two, "Eve", room) as eve:
        await eve.send_json({"type": "join", "room": room, "since": 0})
        joined = await eve.expect("joined")
        assert [(e["type"], e["seq"], e.get("body")) for e in joined["entries"]] == [
            ("message", 1, ""),
            ("edited", 2, ""),
            ("deleted", 3, None),
        ]


async def test_typing_is_seen_and_not_recorded(stack: Stack, room: str) -> None:
    one, two = stack.gateways
    async with await enter(one, "Ann", room) as ann, await enter(two, "Bob", room) as bob:
        await ann.send_json({"type": "typing", "room": room})
        assert (await bob.expect("typing"))["user"]["name"] == "Ann"
        await ann.send_json({"type": "ping", "ref": "p"})
        assert await ann.expect("pong") == {"type": "pong", "ref": "p"}


async def test_posting_by_rest(stack: Stack, room: str, http: httpx.AsyncClient) -> None:
    one, two = stack.gateways
    token = (await guest(one, "Ann"))["token"]
    async with await enter(two, "Bob", room) as bob:
        answer = await http.post(
            f"{one}/api/rooms/{room}/messages",
            json={"id": "rest-1", "body": "by REST"},
            headers={"Authorization": f"Bearer {token}"},
        )
        assert answer.status_code == 202
        assert (await bob.expect("message"))["body"] == "by REST"


async def test_rooms_are_listed_and_names_may_be_anything_allowed(stack: Stack, http: httpx.AsyncClient) -> None:
    one, two = stack.gateways
    name = "Straße / 50% ☕ ?x#y"
    token = (await guest(one, "Ann"))["token"]
    headers = {"Authorization": f"Bearer {token}"}
    async with await enter(one, "", name, token) as ann, await enter(two, "Bob", name) as bob:
        await ann.send_json({"type": "message", "id": "odd", "room": name, "body": "odd name"})
        await bob.expect("message", room=name)
        rooms = (await http.get(f"{two}/api/rooms", headers=headers)).json()["rooms"]
        assert name in {r["room"] for r in rooms}
        url = httpx.URL(one).copy_with(raw_path=b"/api/rooms/Stra%C3%9Fe%20%2F%2050%25%20%E2%98%95%20%3Fx%23y/members")
        members = await eventually(lambda: _members(http, url, headers, 2))
        assert {m["name"] for m in members} == {"Ann", "Bob"}


async def _members(
    http: httpx.AsyncClient, url: httpx.URL, headers: dict[str, str], count: int
) -> list[dict[str, str]] | None:
    answer = (await http.get(url, headers=headers)).json()
    return answer["members"] if answer["count"] == count else None


async def test_several_devices_of_one_user_are_one_member(stack: Stack, room: str) -> None:
    one, two = stack.gateways
    token = (await guest(one, "Ann"))["token"]
    async with await enter(one, "Bob", room) as bob, await enter(one, "", room, token) as phone:
        laptop = await enter(two, "", room, token)
        came: set[str] = set()
        count = 0
        while count != 2:  # Ann's laptop may be heard of before Bob: it is at the other gateway
            news = await bob.expect("presence")
            came, count = came | {m["name"] for m in news["joined"]}, news["count"]
        assert "Ann" in came
        await laptop.connection.close()
        await phone.send_json({"type": "message", "id": "still", "room": room, "body": "still here"})
        await bob.expect("message")
        await phone.connection.close()
        gone = await bob.expect("presence")
        assert {m["name"] for m in gone["left"]} == {"Ann"}
        assert gone["count"] == 1
        await asyncio.sleep(0)
