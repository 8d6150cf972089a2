"""The protocol at the socket itself: versions, limits, heartbeats, on gateways in this process."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Sequence
from urllib.parse import urlsplit

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from chat.app import build as build_chat
from chat.settings import ChatSettings
from gateway.app import build
from gateway.settings import GatewaySettings
from presence.app import build as build_presence
from presence.settings import PresenceSettings
from tests.support.proxy import Proxy
from tests.support.services import Services
from tests.support.space import Space
from tests.support.stack import enter, guest
from tests.support.waiting import eventually
from tests.support.wire import Wire
from warren.client import Client, Frame, RefusedError, Rest
from warren.client.raw import RawSocket
from warren.contracts.frames import Limits

HEARTBEAT = 0.4


class Gateways:
    """Chat, presence, and gateways that all serve the same rooms."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def open(self, *, unique_names: bool = False) -> None:
        chat, presence = await asyncio.gather(
            self._services.start(build_chat, ChatSettings),
            self._services.start(build_presence, PresenceSettings, unique_names=unique_names),
        )
        self._settings = {"chat_url": chat.url, "presence_url": presence.url, "jwt_secret": "x" * 32, "guests": True}

    async def start(self, **settings: object) -> str:
        """Start a gateway; returns its address."""
        return (await self._services.start(build, GatewaySettings, **{**self._settings, **settings})).url


@pytest.fixture
async def gateways(services: Services, wire: Wire, space: Space) -> Gateways:
    await wire.declare(space.topology, "audit")
    gateways = Gateways(services)
    await gateways.open()
    return gateways


async def test_versions_limits_and_heartbeats(gateways: Gateways) -> None:
    url = await gateways.start(heartbeat_seconds=HEARTBEAT, rooms_per_session=3)
    token = (await guest(url, "Ann"))["token"]

    offered = ("warren.v9", "warren.v1", "other")
    async with await RawSocket.connect(url, token, subprotocols=offered) as ann:
        assert ann.connection.subprotocol == "warren.v1"
        welcome = await ann.expect("welcome")
        assert welcome["protocol"] == 1
        limits = Limits.model_validate(welcome["limits"])
        assert set(welcome["limits"]) == set(Limits.model_fields)
        assert (limits.rooms, limits.heartbeat) == (3, HEARTBEAT)

        await ann.send_text('{"type":"launch","ref":"mine"}')
        assert (await ann.expect("error", code="bad_frame"))["ref"] == "mine"

        for unknown in (("warren.v2",), ("warren.v2", f"bearer.{token}"), ("other",)):
            with pytest.raises(InvalidStatus) as refused:
                await RawSocket.connect(url, token, subprotocols=unknown)
            assert refused.value.response.status_code == 400
            assert refused.value.response.body == b"this server speaks warren.v1"

        async with await RawSocket.connect(url, token, subprotocols=None) as plain:
            assert plain.connection.subprotocol is None
            await plain.expect("welcome")

        async with httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {token}"}) as http:
            for wrong in (
                "limit=0",
                "limit=201",
                "after=-1",
                "before=0",
                f"after={2**53}",
                f"before={2**53}",
                "after=x",
            ):
                assert (await http.get(f"/api/rooms/r/entries?{wrong}")).status_code == 422, wrong
            empty = await http.get(f"/api/rooms/r/entries?limit=200&after={2**53 - 1}")
            assert empty.json() == {"entries": [], "seq": 0, "truncated": False}

        said = await _silent(url, token)
        assert b"\x89\x04" in said, "no ping came"
        assert said.endswith(b"\x88\x08" + (4012).to_bytes(2, "big") + b"silent")

        await ann.send_json({"type": "ping", "ref": 1})
        await ann.expect("pong", ref=1)


async def test_positions_are_told_to_the_users_other_sessions_kept_and_never_go_back(
    gateways: Gateways,
) -> None:
    room = "r"
    one, two = await asyncio.gather(gateways.start(read_seconds=0.2), gateways.start(read_seconds=0.2))
    token, other = (await guest(one, "Ann"))["token"], (await guest(one, "Bob"))["token"]
    async with Rest(one) as rest, Rest(two) as rest_of_two, await enter(one, "", room, other) as bob:
        for number in range(1, 6):
            await bob.send_json({"type": "message", "id": f"m{number}", "room": room, "body": "x"})
        await bob.expect("message", seq=5)
        [row] = await rest.rooms(token)
        assert (row["seq"], row["read"], row["unread"]) == (5, 0, 5)

        laptop = await RawSocket.connect(one, token)
        await laptop.send_json({"type": "read", "room": room, "seq": 1, "ref": 1})
        assert (await laptop.expect("error", ref=1))["code"] == "not_joined"
        await laptop.send_json({"type": "join", "room": room})
        assert (await laptop.expect("joined"))["read"] == 0
        async with await enter(one, "", None, token) as tablet, await enter(two, "", room, token) as phone:
            await laptop.send_json({"type": "read", "room": room, "seq": 3})
            for device in (tablet, phone):
                assert await device.expect("read") == {"type": "read", "room": room, "seq": 3}
            [row] = await rest.rooms(token)
            assert (row["read"], row["unread"]) == (3, 2)

            await phone.send_json({"type": "read", "room": room, "seq": 2})  # not back
            await phone.send_json({"type": "read", "room": room, "seq": 4_000})  # not beyond what there is
            for device in (tablet, laptop):
                assert (await device.expect("read"))["seq"] == 5
        await laptop.connection.close()

        three = await gateways.start()  # it knows only what is kept
        async with Rest(three) as rest_of_three:

            async def kept() -> bool:
                [row] = await rest_of_three.rooms(token)
                return (row["read"], row["unread"]) == (5, 0)

            await eventually(kept, what="the position is stored")
            async with Client(two, token=other) as client:
                joined = await client.join(room)
                assert (joined.read, joined.unread) == (0, 5)
                await client.read(room)
                assert (joined.read, joined.unread) == (5, 0)

            async def heard() -> bool:
                [row] = await rest_of_two.rooms(other)
                return bool(row["read"] == 5)

            await eventually(heard, what="the other user's position is known, too")
        async with await RawSocket.connect(three, token) as again:
            await again.send_json({"type": "join", "room": room})
            assert (await again.expect("joined"))["read"] == 5


async def test_the_client_says_again_that_its_user_is_away_and_reads_every_page(gateways: Gateways) -> None:
    url = await gateways.start()
    heard: list[Frame] = []
    async with (
        Proxy(url).running() as way,
        Client(way.url, name="Ann") as ann,
        Client(url, name="Bob", on_event=heard.append) as bob,
    ):
        room, ann_id = await bob.join("r"), ann.user["id"]
        await ann.status("away")
        await ann.join("r")

        def seen() -> str:
            return str((room.members or {}).get(ann_id, {}).get("status"))

        await eventually(lambda: seen() == "away", what="Ann comes as one who is away")
        for status in ("online", "away"):
            await ann.status(status)
            await eventually(lambda s=status: seen() == s, what=status)
        with pytest.raises(RefusedError):
            await ann.status("asleep")  # type: ignore[arg-type]

        events = ann.events()
        heard.clear()
        way.cut()
        await events.next("joined")

        def back() -> list[str]:
            told = [m for e in heard for m in (*e.get("joined", ()), *e.get("changed", ())) if m["id"] == ann_id]
            return [m["status"] for m in told]

        await eventually(back, what="Ann is seen to be back")
        assert set(back()) == {"away"}, "nobody saw another status"
        person = await bob.rest.person(ann_id, bob.token)
        assert (person["status"], "seen" in person) == ("away", True)

        for number in range(1, 6):
            await bob.send("r", str(number))
        await events.next("message", seq=5)
        assert [e["seq"] async for e in ann.history("r", after=2)] == [3, 4, 5]
        assert [e["seq"] async for e in ann.earlier("r")] == [5, 4, 3, 2, 1]
        assert [e["seq"] async for e in ann.earlier("r", before=3)] == [2, 1]
        assert {m["id"] async for m in ann.members("r")} == {ann_id, bob.user["id"]}
        first = await bob.rest.members("r", bob.token, limit=1)
        [second] = (await bob.rest.members("r", bob.token, after=first["members"][0]["id"]))["members"]
        assert {first["members"][0]["id"], second["id"]} == {ann_id, bob.user["id"]}
        [found] = await bob.rest.rooms(bob.token, limit=1)
        assert found["room"] == "r"


async def test_unique_names_through_two_gateways(services: Services, wire: Wire, space: Space) -> None:
    await wire.declare(space.topology, "audit")
    gateways = Gateways(services)
    await gateways.open(unique_names=True)
    one, two = await asyncio.gather(gateways.start(), gateways.start())
    async with Client(one, name="Ann") as first, Client(two, name="ann") as second, Client(two, name="Eve") as eve:
        people = (first, second, eve)
        for client in people:
            await client.join("r")
        await _all_see(people, "Ann", "ann (2)", "Eve")  # renamed, or as one who was renamed before
        await second.send("r", "as the second")
        for wanted, given in (("ANN", "ANN (2)"), ("Ann", "Ann (2)"), ("Eve", "Eve (2)"), ("Ann", "Ann (2)")):
            await second.rename(wanted)
            await _all_see(people, "Ann", given, "Eve")
        await second.send("r", "as Ann (2)")
        await first.rename("Grace")
        await _all_see(people, "Grace", "Ann (2)", "Eve")
        await first.send("r", "as Grace")
        await second.rename("Ann")  # free now
        await _all_see(people, "Grace", "Ann", "Eve")
        heard = eve.events()
        await second.send("r", "as Ann")
        await heard.next("message", body="as Ann")
        assert [(e["body"], e["user"]["name"]) async for e in eve.history("r")] == [
            ("as the second", "ann (2)"),
            ("as Ann (2)", "Ann (2)"),
            ("as Grace", "Grace"),
            ("as Ann", "Ann"),
        ], "history shows the name at the time"
        async with Client(one, token=second.token) as again:
            assert again.user == {"id": second.user["id"], "name": "Ann"}


async def test_of_a_rename_that_changes_nothing_only_the_user_is_told(
    services: Services, wire: Wire, space: Space
) -> None:
    await wire.declare(space.topology, "audit")
    gateways = Gateways(services)
    await gateways.open(unique_names=True)
    url = await gateways.start()
    heard: list[Frame] = []
    async with Client(url, name="Ann") as ann, Client(url, name="Bob", on_event=heard.append) as bob:
        await ann.join("r")
        await bob.join("r")
        own = ann.events()
        await ann.rename("Bob")
        told = await own.next("renamed", asked="Bob")
        assert (told["user"]["name"], told["was"]) == ("Bob (2)", "Ann")
        await asyncio.gather(ann.rename("bob"), ann.rename("Bob"))  # its own is the nearest that is free, again
        await own.next("renamed", asked="bob")
        await own.next("renamed", asked="Bob")
        assert ann.user["name"] == "Bob (2)"
        await ann.rename("Bob")
        told = await own.next("renamed", asked="Bob")
        assert told["user"]["name"] == told["was"] == ann.user["name"] == "Bob (2)"
        await ann.send("r", "said")
        await eventually(lambda: any(e["type"] == "message" for e in heard))
        renames = [(e["was"], e["user"]["name"]) for e in heard if e["type"] == "renamed"]
        assert renames == [("Ann", "Bob (2)"), ("Bob (2)", "bob (2)"), ("bob (2)", "Bob (2)")]


async def _all_see(clients: Sequence[Client], *names: str) -> None:
    """Wait until each client has its name in everyone's list, and in its own mind."""
    wanted = {c.user["id"]: name for c, name in zip(clients, names, strict=True)}

    def seen() -> bool:
        lists = [{m["id"]: m["name"] for m in (c.rooms["r"].members or {}).values()} for c in clients]
        return all(shown == wanted for shown in lists) and [c.user["name"] for c in clients] == list(names)

    await eventually(seen, what=f"all see {names}")


async def _silent(url: str, token: str) -> bytes:
    """Open a socket by hand, answer nothing, and return all that came until the server let go."""
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    lines = (
        "GET /ws HTTP/1.1",
        f"Host: {address.netloc}",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {base64.b64encode(bytes(16)).decode()}",
        f"Authorization: Bearer {token}",
    )
    writer.write("".join(f"{line}\r\n" for line in (*lines, "")).encode())
    try:
        async with asyncio.timeout(20):
            return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()
