"""The page on the stack as users start it: people on different gateways meet, talk, and miss nothing."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

from tests.support.axe import findings
from tests.support.proxy import Proxy
from tests.support.stack import Stack
from tests.support.waiting import eventually
from warren.client import Client, Rest

if TYPE_CHECKING:
    from tests.support.browser import Visit  # it is a plugin here, and pytest wants to import those itself

pytest_plugins = ["tests.support.browser"]
pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_two_people_on_different_gateways_talk(stack: Stack, room: str, visit: Visit) -> None:
    one, two = stack.gateways
    ann, bob = await visit(one, "Ann", room), await visit(two, "Bob", room)
    began = datetime.now(UTC)
    await ann.say("Grüße 👋")
    await bob.say("Hello, Ann!")
    for visitor in (ann, bob):
        for name, text in (("Ann", "Grüße 👋"), ("Bob", "Hello, Ann!")):
            message = visitor.message(text)
            await expect(message).to_have_count(1)
            await expect(message.get_by_test_id("author")).to_have_text(name)
            await expect(message.get_by_test_id("body")).to_have_text(text)
            await expect(message).to_have_attribute("data-user", re.compile("^guest-"))
            await expect(message).to_have_attribute("data-trace", re.compile("^[0-9a-f]{32}$"))
            said = datetime.fromisoformat(await message.locator("time").get_attribute("datetime") or "")
            assert abs(said - began) < timedelta(seconds=10)
            await expect(message.locator("time")).to_have_text(re.compile(r"\d:\d\d"))
    assert await ann.log() == await bob.log()
    await expect(ann.message("Grüße")).to_have_attribute("data-status", "sent")
    await expect(bob.message("Grüße")).not_to_have_attribute("data-own", "")


async def test_who_is_here_a_rename_typing_and_leaving_show_on_the_other_side(
    stack: Stack, room: str, visit: Visit
) -> None:
    one, two = stack.gateways
    ann, bob = await visit(one, "Ann", room), await visit(two, "Bob", room)
    for visitor in (ann, bob):
        await expect(visitor.part("people-count")).to_have_text("2")
        for name in ("Ann", "Bob"):
            await expect(visitor.member(name)).to_have_attribute("data-status", "online")

    await bob.part("composer-input").press_sequentially("Well")
    await expect(ann.part("typing")).to_contain_text("Bob")
    await bob.part("composer-input").press("Enter")
    await expect(ann.part("typing")).to_be_empty()

    await bob.rename("Robert")
    await expect(bob.part("me-name")).to_have_text("Robert")
    for visitor in (ann, bob):
        await expect(visitor.page.get_by_test_id("notice")).to_have_text("Bob is now Robert")
        await expect(visitor.member("Robert")).to_have_count(1)
        await expect(visitor.member("Bob")).to_have_count(0)
    await bob.say("It is still me")
    await expect(ann.message("It is still me").get_by_test_id("author")).to_have_text("Robert")
    await expect(ann.message("Well").get_by_test_id("author")).to_have_text("Bob")

    await bob.page.close()
    await expect(ann.part("people-count")).to_have_text("1", timeout=15_000)
    await expect(ann.member("Robert")).to_have_attribute("data-status", "offline")
    await expect(ann.member("Robert").get_by_test_id("seen")).to_have_text("offline, last seen just now")


async def test_who_touches_nothing_for_minutes_is_away_and_back_at_once(stack: Stack, room: str, visit: Visit) -> None:
    one, two = stack.gateways
    ann, bob = await visit(one, "Ann", room), await visit(two, "Bob", room)
    await expect(ann.member("Bob")).to_have_attribute("data-status", "online")
    await bob.page.clock.install()
    await bob.page.reload()
    await expect(bob.member("Ann")).to_have_attribute("data-status", "online")
    await bob.page.clock.fast_forward("05:10")
    await expect(ann.member("Bob").get_by_test_id("seen")).to_have_text("away, last seen just now")
    await bob.part("composer-input").press("a")
    await expect(ann.member("Bob")).to_have_attribute("data-status", "online")


async def test_own_messages_are_changed_and_deleted_for_everyone(stack: Stack, room: str, visit: Visit) -> None:
    one, two = stack.gateways
    ann, bob = await visit(one, "Ann", room), await visit(two, "Bob", room)
    await ann.say("helo")
    await ann.say("a secret")
    for visitor in (ann, bob):
        await expect(visitor.message("a secret")).to_have_count(1)
    await expect(bob.page.get_by_test_id("edit")).to_have_count(0)

    await ann.message("helo").hover()
    await ann.message("helo").get_by_test_id("edit").click()
    await expect(ann.part("editing")).to_be_visible()
    await expect(ann.part("composer-input")).to_have_value("helo")
    await ann.say("hello")
    await expect(ann.part("editing")).to_be_hidden()
    for visitor in (ann, bob):
        await expect(visitor.message("hello")).to_contain_text("(edited)")
        await expect(visitor.message("helo")).to_have_count(0)

    await ann.part("composer-input").press("ArrowUp")
    await expect(ann.part("composer-input")).to_have_value("a secret")
    await ann.part("composer-input").press("Escape")
    await expect(ann.part("composer-input")).to_have_value("")
    await ann.message("a secret").hover()
    await ann.message("a secret").get_by_test_id("delete").click()
    await ann.page.get_by_test_id("confirm-delete").click()
    for visitor in (ann, bob):
        await expect(visitor.message("a secret")).to_have_count(0)
        await expect(visitor.part("log")).to_contain_text("This message was deleted")
    late = await visit(two, "Eve", room)
    await expect(late.message("hello")).to_contain_text("(edited)")
    await expect(late.part("log")).to_contain_text("This message was deleted")


async def test_one_keeps_the_random_name_or_chooses_one(stack: Stack, room: str, visit: Visit) -> None:
    guest = await visit(stack.gateways[0], room=room)
    await expect(guest.part("welcome-input")).not_to_have_value("")
    name = await guest.part("welcome-input").input_value()
    await guest.part("welcome-enter").click()
    await expect(guest.part("me-name")).to_have_text(name)
    await guest.settled()
    await guest.page.reload()
    await guest.settled()
    await expect(guest.member(name)).to_have_count(1)

    await guest.part("me").click()
    await guest.part("sign-out").click()
    await guest.enter("Zoë")
    await expect(guest.part("me-name")).to_have_text("Zoë")


async def test_rooms_are_joined_by_name_by_address_and_from_the_list(stack: Stack, room: str, visit: Visit) -> None:
    one, two = stack.gateways
    odd = f"{room} / 50% ☕ <b>?x#y"
    ann = await visit(one, "Ann", room)
    await ann.say("first")
    await expect(ann.message("first")).to_have_attribute("data-seq", "1")
    await ann.join(odd)
    await ann.say("odd name")
    await expect(ann.message("odd name")).to_have_attribute("data-seq", "1")
    await expect(ann.message("first")).to_have_count(0)

    bob = await visit(two, "Bob", odd)
    await expect(bob.part("room-name")).to_have_text(odd)
    await expect(bob.message("odd name")).to_have_count(1)
    await bob.page.locator(f'[data-testid=other-room][data-room="{room}"]').click()
    await expect(bob.message("first")).to_have_count(1)
    await bob.page.go_back()
    await expect(bob.message("odd name")).to_have_count(1)

    await ann.part("leave").click()
    await expect(ann.room(odd)).to_have_count(0)
    await expect(ann.part("room-name")).to_have_text(room)
    await expect(bob.part("people-count")).to_have_text("1")


async def test_what_is_unread_is_counted_until_it_is_read(stack: Stack, room: str, visit: Visit) -> None:
    one, two = stack.gateways
    ann, bob = await visit(one, "Ann", room), await visit(two, "Bob", room)
    await ann.join(f"{room}-2")
    for text in ("one", "two", "three"):
        await bob.say(text)
    await expect(ann.room(room).get_by_test_id("unread")).to_have_text("3")
    await expect(ann.page).to_have_title(f"(3) #{room}-2 · Warren")
    await ann.room(room).click()
    await expect(ann.page.get_by_test_id("unread-divider")).to_have_count(1)
    await expect(ann.message("one").get_by_test_id("unread-divider")).to_have_count(1)
    await expect(ann.room(room).get_by_test_id("unread")).to_be_hidden()
    await expect(ann.page).to_have_title(f"#{room} · Warren")

    token = await ann.page.evaluate("JSON.parse(localStorage.getItem('warren.session')).token")
    async with Rest(two) as rest:

        async def kept() -> bool:
            return any(r["room"] == room and r["read"] == r["seq"] for r in await rest.rooms(token))

        await eventually(kept, what="the server knows what was read, for Ann's other devices")


async def test_what_is_said_while_the_network_is_away_is_pending_and_then_sent(
    stack: Stack, room: str, visit: Visit
) -> None:
    one, two = stack.gateways
    async with Proxy(one).running() as proxy:
        ann, bob = await visit(proxy.url, "Ann", room), await visit(two, "Bob", room)
        await expect(ann.part("connection")).to_be_hidden()
        ann.outage = True
        proxy.stall()
        await ann.say("Is anyone there?")
        waiting = ann.part("pending").get_by_test_id("message")
        await expect(waiting).to_have_attribute("data-status", "pending")
        proxy.cut()
        await expect(ann.part("connection")).to_be_visible()
        await ann.say("Hello?")
        await expect(waiting).to_have_count(2)
        for message in await waiting.all():
            await expect(message).to_have_attribute("data-status", "pending")
        assert await ann.log() == await bob.log() == []

        proxy.flow()
        await ann.settled()
        await expect(ann.part("connection")).to_be_hidden()
        await expect(waiting).to_have_count(0)
        for visitor in (ann, bob):
            await expect(visitor.part("log").get_by_test_id("body")).to_have_text(["Is anyone there?", "Hello?"])
        await expect(ann.message("Hello?")).to_have_attribute("data-status", "sent")


async def test_a_device_without_a_network_says_so_and_sends_what_waited(stack: Stack, room: str, visit: Visit) -> None:
    one, two = stack.gateways
    ann = await visit(one, "Ann", room)
    ann.outage = True
    await ann.page.context.set_offline(True)
    await ann.say("from the tunnel")
    await expect(ann.part("connection-text")).to_contain_text("This device is offline.", timeout=15_000)
    await expect(ann.part("pending").get_by_test_id("message")).to_have_attribute("data-status", "pending")
    assert await findings(ann.page) == []
    async with Client(two, name="Bob", history=0) as bob:
        await bob.join(room)
        await bob.send(room, "said meanwhile")
    await ann.page.context.set_offline(False)
    await expect(ann.part("connection")).to_be_hidden()
    await expect(ann.part("log").get_by_test_id("body")).to_have_text(["said meanwhile", "from the tunnel"])
    await expect(ann.message("from the tunnel")).to_have_attribute("data-status", "sent")


async def test_a_killed_gateway_makes_nobody_miss_or_double_anything(stack: Stack, room: str, visit: Visit) -> None:
    """The gateway of one page dies while the other side talks on. It stands last, for others use the same stack."""
    one, two = stack.gateways
    ann = await visit(one, "Ann", room)
    async with Client(two, name="Bob") as bob:
        await bob.join(room)
        await bob.send(room, "before")
        await expect(ann.message("before")).to_have_count(1)

        ann.outage = True
        former = stack.kill("gateway-1")
        await expect(ann.page.locator("body")).not_to_have_attribute("data-connection", "online")
        await ann.say("written while offline")
        missed = [f"missed {n}" for n in range(1, 31)]
        for text in missed:
            await bob.send(room, text)

        await ann.settled()
        await expect(ann.part("pending").get_by_test_id("message")).to_have_count(0)
        await bob.send(room, "after")
        await expect(ann.message("after")).to_have_count(1)
        log = await ann.log()
        history = [entry async for entry in bob.rest.history(room, bob.token)]
    assert log == [{"seq": entry["seq"], "text": entry["body"]} for entry in history]
    texts = [row["text"] for row in log]
    assert sorted(texts) == sorted(["before", *missed, "written while offline", "after"])
    assert [text for text in texts if text in missed] == missed
    await eventually(lambda: _is_whole(stack, former), 30, what="gateway-1 is back and all is ready")


def _is_whole(stack: Stack, former: int) -> bool:
    return stack.run("status", "--json").returncode == 0 and stack.pid("gateway-1") != former
