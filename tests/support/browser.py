"""Warren's page as people use it: headless Chromium, each visitor in a browser context of their own.

A test module takes the fixtures with `pytest_plugins = ["tests.support.browser"]` and runs in the module's loop.
A visitor whose page wrote an error to the console (a violated Content-Security-Policy is one) fails the test.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from urllib.parse import quote

import pytest_asyncio
from playwright.async_api import Browser, ConsoleMessage, Locator, Page, async_playwright, expect

CHROMIUM = "/usr/bin/chromium"
OUTAGE = ("Failed to load resource", "WebSocket connection to")  # how Chromium itself reports a server that is away

Json = dict[str, Any]


class Visitor:
    """One person with the page open; `outage` says that the server may be away meanwhile."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.outage = False
        self._problems: list[str] = []
        page.on("console", self._console)
        page.on("pageerror", lambda error: self._problems.append(f"uncaught: {error}"))

    @property
    def problems(self) -> list[str]:
        """What went wrong in the page, in its console's words."""
        return [p for p in self._problems if not (self.outage and p.startswith(OUTAGE))]

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self._problems.append(f"{message.text} ({message.location['url']})")

    def part(self, id: str) -> Locator:  # noqa: A002 - the attribute's name
        """The element with this id."""
        return self.page.locator(f"#{id}")

    async def enter(self, name: str) -> None:
        """Take a name and wait until the room is there."""
        await self.part("welcome-input").fill(name)
        await self.part("welcome-enter").click()
        await self.settled()

    async def settled(self) -> None:
        """Wait until the page is connected and its room joined."""
        await expect(self.page.locator("body")).to_have_attribute("data-connection", "online", timeout=30_000)
        await expect(self.part("people-count")).not_to_have_text("0", timeout=15_000)

    async def say(self, text: str) -> None:
        """Send a message with the keyboard."""
        await self.part("composer-input").fill(text)
        await self.part("composer-input").press("Enter")

    async def rename(self, name: str) -> None:
        """Take another name in the dialog."""
        await self.part("me").click()
        await self.part("profile-input").fill(name)
        await self.part("profile-save").click()

    async def join(self, room: str) -> None:
        """Go to a room by its name and wait until it is there."""
        await self.part("room-input").fill(room)
        await self.part("room-input").press("Enter")
        await expect(self.part("room-name")).to_have_text(room)
        await self.settled()

    def message(self, text: str) -> Locator:
        """The messages whose text has this in it."""
        return self.page.get_by_test_id("message").filter(has=self.page.get_by_test_id("body").filter(has_text=text))

    def room(self, name: str) -> Locator:
        """The link to a room that is joined."""
        return self.page.locator(f'[data-testid=room][data-room="{name}"]')

    def member(self, name: str) -> Locator:
        """Someone in the list of who is here."""
        named = self.page.get_by_test_id("member-name").get_by_text(name, exact=True)
        return self.page.get_by_test_id("member").filter(has=named)

    async def log(self) -> list[Json]:
        """What the log shows, row by row: `{seq, text}`."""
        rows: list[Json] = await self.page.evaluate(
            """() => [...document.querySelectorAll('#log [data-testid=message]')].map((row) => (
                 {seq: Number(row.dataset.seq), text: row.querySelector('[data-testid=body]').textContent}))"""
        )
        return rows


Visit = Callable[..., Awaitable[Visitor]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chromium() -> AsyncIterator[Browser]:
    """One browser for a module."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="module")
async def visit(chromium: Browser) -> AsyncIterator[Visit]:
    """Open the page of a gateway, in a room if one is given; with a name enter it. `device` are a context's options."""
    visitors: list[Visitor] = []

    async def open_page(base: str, name: str | None = None, room: str | None = None, **device: Any) -> Visitor:
        context = await chromium.new_context(**device)
        visitor = Visitor(await context.new_page())
        visitors.append(visitor)
        await visitor.page.goto(f"{base}/#/room/{quote(room, safe='')}" if room else base)
        if name is not None:
            await visitor.enter(name)
        return visitor

    yield open_page
    for visitor in visitors:
        await visitor.page.context.close()
    assert [v.problems for v in visitors] == [[] for _ in visitors]
