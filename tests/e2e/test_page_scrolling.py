"""Long rooms: scrolled up without a jump or a hole, with a page that stays small. Frame times: `bench/page.py`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

from tests.support.stack import Stack
from warren.client import Client

if TYPE_CHECKING:
    from tests.support.browser import Visit, Visitor  # it is a plugin here, and pytest wants to import those itself

pytest_plugins = ["tests.support.browser"]
pytestmark = pytest.mark.asyncio(loop_scope="module")

BURST = 200  # messages a user may send at once
MANY = 5 * BURST
ROWS = 400  # in the page at the most


async def test_scrolling_up_loads_what_was_before_without_a_jump(stack: Stack, room: str, visit: Visit) -> None:
    await _fill(stack, room, 150)
    ann = await visit(stack.gateways[0], "Ann", room)
    await expect(ann.message("message 150")).to_be_in_viewport()
    assert (await ann.log())[0]["seq"] > 1
    while (first := (await ann.log())[0]["seq"]) > 1:
        jump = await ann.page.evaluate(_TO_THE_TOP, first)
        assert abs(jump) <= 1, f"#{first} moved by {jump} pixels when what was before it came"
    await expect(ann.part("earlier")).to_be_hidden()
    assert [row["text"] for row in await ann.log()] == [f"message {n}" for n in range(1, 151)]

    async with Client(stack.gateways[1], name="Bob", history=0) as bob:
        await bob.join(room)
        await bob.send(room, "something new")
    await expect(ann.part("newest")).to_have_text("1 new")
    await expect(ann.message("something new")).not_to_be_in_viewport()
    await ann.part("newest").click()
    await expect(ann.message("something new")).to_be_in_viewport()


_TO_THE_TOP = """(seq) => new Promise((resolve) => {
  const scroller = document.getElementById('scroller');
  const log = document.getElementById('log');
  const place = () => log.querySelector(`[data-seq="${seq}"] [data-testid=body]`).getBoundingClientRect().top;
  let before;
  new MutationObserver((_, observer) => {
    if (!log.querySelector(`[data-seq="${seq - 1}"]`)) return;
    observer.disconnect();
    requestAnimationFrame(() => resolve(place() - before));
  }).observe(log, {childList: true});
  scroller.scrollTop = 0;
  before = place();
})"""


async def _fill(stack: Stack, room: str, count: int) -> None:
    """Say `message 1` … in a room, in this order."""
    async with Client(stack.gateways[0], name="Clerk", history=0) as clerk:
        await clerk.join(room)
        for n in range(1, count + 1):
            await clerk.send(room, f"message {n}")


async def test_a_thousand_messages_are_scrolled_up_and_down_in_order(stack: Stack, room: str, visit: Visit) -> None:
    await asyncio.gather(*[_talk(stack, room, f"Clerk {n}") for n in range(MANY // BURST)])
    ann = await visit(stack.gateways[0], "Ann", room)
    await expect(ann.page.locator(f"#log [data-seq='{MANY}']")).to_be_in_viewport()
    await ann.page.evaluate(_WATCH)
    box = await ann.part("scroller").bounding_box()
    assert box is not None
    await ann.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    await _wheel(ann, -2000, to=1)
    assert await ann.page.evaluate("[...seen].sort((a, b) => a - b)") == list(range(1, MANY + 1))
    await expect(ann.part("beginning")).to_be_visible()
    await _wheel(ann, 2000, to=MANY)
    await expect(ann.part("newest")).to_be_hidden()
    assert await ann.page.evaluate("broken") == []
    assert await ann.page.evaluate("most") <= ROWS


_WATCH = """() => {
  Object.assign(window, {seen: new Set(), broken: [], most: 0});
  const look = () => {
    const rows = [...document.querySelectorAll('#log > [data-seq]')].map((row) => Number(row.dataset.seq));
    rows.forEach((seq, i) => {
      seen.add(seq);
      if (i && seq !== rows[i - 1] + 1) broken.push([rows[i - 1], seq]);
    });
    window.most = Math.max(most, rows.length);
  };
  new MutationObserver(look).observe(document.getElementById('log'), {childList: true});
  look();
}"""


_IN_SIGHT = """(row) => {
  const sight = document.getElementById("scroller").getBoundingClientRect();
  const {top, bottom} = row.getBoundingClientRect();
  return top >= sight.top && bottom <= sight.bottom;
}"""


async def _wheel(visitor: Visitor, pixels: int, *, to: int) -> None:
    """Turn the mouse's wheel until a row is in sight."""
    row = visitor.page.locator(f"#log [data-seq='{to}'] [data-testid=body]")
    for _ in range(300):
        await visitor.page.mouse.wheel(0, pixels)
        await visitor.page.evaluate("() => new Promise(requestAnimationFrame)")
        if await row.count() and await row.evaluate(_IN_SIGHT):
            return
    pytest.fail(f"#{to} never came into sight")


async def _talk(stack: Stack, room: str, name: str) -> None:
    """Say as much as a user may at once."""
    async with Client(stack.gateways[0], name=name, history=0) as clerk:
        await clerk.join(room)
        await asyncio.gather(*[clerk.send(room, f"{name} says {n}") for n in range(BURST)])
