"""axe over the page's main states: nothing in any of them may keep someone out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from playwright.async_api import expect

from tests.support.axe import findings
from tests.support.stack import Stack
from warren.client import Client

if TYPE_CHECKING:
    from tests.support.browser import Visit  # it is a plugin here, and pytest wants to import those itself

pytest_plugins = ["tests.support.browser"]
pytestmark = pytest.mark.asyncio(loop_scope="module")

PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}


async def test_axe_finds_nothing_on_a_desktop(stack: Stack, room: str, visit: Visit) -> None:
    async with Client(stack.gateways[1], name="נועה", history=0) as noa:
        await noa.join(room)
        await noa.send(room, "see https://example.org/ 🎉")
        await noa.send(room, "שלום")
        ann = await visit(stack.gateways[0], room=room)
        await expect(ann.part("welcome-input")).not_to_have_value("")
        assert await findings(ann.page) == [], "welcome"
        await ann.enter("Ann")
        await ann.say("hello")
        await ann.say("a secret")
        await noa.rename("Noa")
        await expect(ann.page.get_by_test_id("notice")).to_have_count(1)
        await noa.typing(room)
        await ann.join(f"{room}-2")
        await noa.send(room, "unread")
        await expect(ann.room(room).get_by_test_id("unread")).to_have_text("1")
        await ann.room(room).click()
        await expect(ann.page.get_by_test_id("unread-divider")).to_have_count(1)
    await expect(ann.member("Noa").get_by_test_id("seen")).to_contain_text("last seen")
    assert await findings(ann.page) == [], "a room with messages"

    await ann.message("a secret").hover()
    await ann.message("a secret").get_by_test_id("edit").click()
    assert await findings(ann.page) == [], "editing a message"
    await ann.part("composer-input").press("Escape")
    await ann.message("a secret").get_by_test_id("delete").click()
    assert await findings(ann.page) == [], "the dialog before deleting"
    await ann.page.get_by_test_id("confirm-delete").click()
    await expect(ann.part("log")).to_contain_text("This message was deleted")
    await ann.part("me").click()
    await ann.part("notify").click()  # headless Chromium says no whenever it is asked
    await expect(ann.part("notify-note")).to_contain_text("Your browser forbids them here.")
    await expect(ann.part("notify")).to_have_attribute("aria-checked", "false")
    assert await findings(ann.page) == [], "the profile, with notifications that the browser forbids"


async def test_axe_finds_nothing_on_a_phone(stack: Stack, room: str, visit: Visit) -> None:
    ann = await visit(stack.gateways[0], "Ann", room, **PHONE)
    await ann.say("hello")
    await expect(ann.message("hello")).to_have_attribute("data-status", "sent")
    await ann.message("hello").get_by_test_id("body").tap()
    assert await findings(ann.page) == [], "a room, a message chosen"
    await ann.part("sidebar-open").tap()
    await expect(ann.room(room)).to_be_in_viewport()
    assert await findings(ann.page) == [], "the rooms"
    await ann.part("sidebar-close").tap()
    await ann.part("people-toggle").tap()
    await expect(ann.member("Ann")).to_be_in_viewport()
    assert await findings(ann.page) == [], "the people"
