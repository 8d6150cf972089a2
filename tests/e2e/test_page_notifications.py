"""Notifications of the system: only when they are turned on, only of others, only while one looks elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from playwright.async_api import expect

from tests.support.stack import Stack
from tests.support.waiting import eventually
from warren.client import Client

if TYPE_CHECKING:
    from tests.support.browser import Visit, Visitor  # it is a plugin here, and pytest wants to import those itself

pytest_plugins = ["tests.support.browser"]
pytestmark = pytest.mark.asyncio(loop_scope="module")

# Chromium's own notifications, remembered while they are shown; its headless pages never lose the focus by themselves.
_WATCHED = """
  window.away = false;
  document.hasFocus = () => !window.away;
  window.shown = new Map();
  window.Notification = class extends Notification {
    constructor(title, options) {
      super(title, options);
      shown.set(options.tag, Object.assign(this, {said: {title, body: options.body}}));
    }
    close() {
      super.close();
      if (shown.get(this.tag) === this) shown.delete(this.tag);
    }
  };
"""


async def test_they_tell_what_others_say_while_one_looks_elsewhere(stack: Stack, room: str, visit: Visit) -> None:
    ann = await visit(stack.gateways[0], permissions=["notifications"])
    await ann.page.add_init_script(_WATCHED)
    await ann.page.goto(f"{stack.gateways[0]}/?#/room/{room}")
    await ann.enter("Ann")
    async with Client(stack.gateways[1], name="Bob", history=0) as bob:
        for name in (room, f"{room}-2"):
            await ann.join(name)
            await bob.join(name)
        await _look(ann, away=True)
        await bob.send(room, "nobody asked to be told")
        await expect(ann.room(room).get_by_test_id("unread")).to_have_text("1")
        assert await _shown(ann) == []

        await ann.part("me").click()
        await expect(ann.part("notify")).to_have_attribute("aria-checked", "false")
        await ann.part("notify").click()
        await expect(ann.part("notify")).to_have_attribute("aria-checked", "true")
        assert [said["title"] for said in await _shown(ann)] == ["Notifications are on"]
        await ann.part("profile-cancel").click()
        await ann.page.reload()  # it is remembered
        await ann.settled()

        await bob.send(f"{room}-2", "seen at once")
        await expect(ann.message("seen at once")).to_have_count(1)
        assert await _shown(ann) == []
        await _look(ann, away=True)
        await ann.say("my own words")
        await expect(ann.message("my own words")).to_have_attribute("data-status", "sent")
        await bob.send(room, "one")
        await bob.send(room, "two")
        await bob.send(f"{room}-2", "beside")
        await _tells(ann, (f"#{room}: 2 new messages", "Bob: one\nBob: two"), (f"#{room}-2", "Bob: beside"))

        await ann.page.evaluate("(tag) => shown.get(tag).onclick()", f"warren {room}")
        await expect(ann.part("room-name")).to_have_text(room)
        await _tells(ann, (f"#{room}-2", "Bob: beside"))
        await _look(ann, away=False)
        await ann.room(f"{room}-2").click()
        await _tells(ann)  # what is read needs no notification any more

        await ann.part("me").click()
        await ann.part("notify").click()
        await ann.part("profile-cancel").click()
        await _look(ann, away=True)
        await bob.send(room, "and quiet again")
        await expect(ann.room(room).get_by_test_id("unread")).to_have_text("1")
        assert await _shown(ann) == []


async def _look(visitor: Visitor, *, away: bool) -> None:
    script = "(away) => { window.away = away; dispatchEvent(new Event(away ? 'blur' : 'focus')); }"
    await visitor.page.evaluate(script, away)


async def _shown(visitor: Visitor) -> list[dict[str, Any]]:
    shown: list[dict[str, Any]] = await visitor.page.evaluate("[...shown.values()].map(({said}) => said)")
    return shown


async def _tells(visitor: Visitor, *wanted: tuple[str, str]) -> None:
    """Wait until exactly these notifications are shown, each by its title and text without marks of direction."""

    async def told() -> bool:
        marks = str.maketrans("", "", "\u2068\u2069")
        return {(said["title"], said["body"].translate(marks)) for said in await _shown(visitor)} == {*wanted}

    await eventually(told, what=f"the notifications are {wanted}")
