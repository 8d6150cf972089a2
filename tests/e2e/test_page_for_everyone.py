"""The page for everyone: by keyboard, by ear, on a phone; and safe whatever people write. Contrast: axe measures it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from playwright.async_api import expect

from tests.support.stack import Stack
from warren.client import Client

if TYPE_CHECKING:
    from tests.support.browser import Visit, Visitor  # it is a plugin here, and pytest wants to import those itself

pytest_plugins = ["tests.support.browser"]
pytestmark = pytest.mark.asyncio(loop_scope="module")

PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
FINGER = 44  # pixels
NAMED_ROLES = {"button", "link", "textbox", "searchbox", "dialog", "navigation", "complementary", "log", "region"}


async def test_the_page_is_served_with_headers_that_keep_it_safe(stack: Stack, room: str, visit: Visit) -> None:
    base = stack.gateways[0]
    async with httpx.AsyncClient() as http:
        answers = [await http.get(base + path) for path in ("/", "/web/app.js", "/web/style.css", "/web/none")]
    assert [a.status_code for a in answers] == [200, 200, 200, 404]
    for answer in answers:
        policy = dict(rule.split(" ", 1) for rule in answer.headers["content-security-policy"].split("; "))
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
        assert policy["base-uri"] == policy["form-action"] == policy["frame-ancestors"] == "'none'"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"

    ann = await visit(base)
    asked: list[str] = []
    ann.page.on("request", lambda request: asked.append(request.url))
    await ann.page.goto(f"{base}/?#/room/{room}")
    await ann.enter("Ann")
    assert asked
    assert [url for url in asked if not url.startswith(base)] == [], "the page brings something from elsewhere"


async def test_the_frame_of_the_page_is_there_before_its_scripts(stack: Stack, room: str, visit: Visit) -> None:
    ann = await visit(stack.gateways[0])
    ann.outage = True  # Chromium reports the script that does not come
    await ann.page.route("**/web/app.js", lambda route: route.abort())
    await ann.page.reload()
    await expect(ann.part("welcome")).to_be_visible()
    await expect(ann.part("welcome-input")).not_to_be_editable()
    await ann.page.evaluate("localStorage.setItem('warren.session', '{}')")
    await ann.page.reload()
    await expect(ann.part("shell")).to_be_visible()
    await expect(ann.part("welcome")).to_be_hidden()


async def test_text_is_text_and_links_are_safe(stack: Stack, room: str, visit: Visit) -> None:
    html = ("<img src=x onerror=alert(1)>", "<script>alert(2)</script>", "&lt;b&gt; <b>bold</b>", "javascript:alert(3)")
    ann = await visit(stack.gateways[0], "<u>Ann</u>", room)
    dialogs: list[str] = []
    ann.page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    async with Client(stack.gateways[1], name="<img src=x onerror=alert(4)>", history=0) as mallory:
        await mallory.join(room)
        for text in html:
            await mallory.send(room, text)
        await mallory.rename("<i>Mallory</i>")
        await mallory.send(room, "see https://example.org/a?b=<c>, or http://me@example.org/")
        # A rename and a message travel apart: one who left before the page heard of the rename is nobody it knows.
        await expect(ann.page.get_by_test_id("notice").locator(".name")).to_have_text("<i>Mallory</i>")
    await expect(ann.message("see https")).to_have_count(1)
    assert [row["text"] for row in await ann.log()][: len(html)] == list(html)
    await expect(ann.message("bold").get_by_test_id("author")).to_have_text("<img src=x onerror=alert(4)>")
    await expect(ann.part("me-name")).to_have_text("<u>Ann</u>")
    await expect(ann.part("shell").locator("img, script, b, i, u, iframe")).to_have_count(0)
    links = ann.part("log").locator("a")
    await expect(links).to_have_text(["https://example.org/a?b="])
    await expect(links).to_have_attribute("rel", "noopener noreferrer nofollow")
    assert dialogs == []


async def test_everything_works_by_keyboard(stack: Stack, room: str, visit: Visit) -> None:
    ann = await visit(stack.gateways[0], room=room)
    keys = ann.page.keyboard
    await expect(ann.part("welcome-input")).to_be_focused()
    await expect(ann.part("welcome-input")).not_to_have_value("")
    await keys.press("Control+A")
    await keys.type("Ann")
    await keys.press("Enter")
    await ann.settled()
    await expect(ann.part("composer-input")).to_be_focused()
    await keys.type("first line")
    await keys.press("Shift+Enter")
    await keys.type("second line")
    await keys.press("Enter")
    await expect(ann.message("first line").get_by_test_id("body")).to_have_text("first line\nsecond line")

    await keys.press("Control+K")
    await expect(ann.part("room-input")).to_be_focused()
    await keys.type(f"{room}-2")
    await keys.press("Enter")
    await expect(ann.part("room-name")).to_have_text(f"{room}-2")
    await expect(ann.part("composer-input")).to_be_focused()
    await keys.press("Alt+ArrowUp")
    await expect(ann.part("room-name")).to_have_text(room)

    await ann.part("me").focus()
    await keys.press("Enter")
    await expect(ann.part("profile-input")).to_be_focused()
    await keys.press("Escape")
    await expect(ann.part("me")).to_be_focused()
    await keys.press("Enter")
    await keys.type("Anna")
    await keys.press("Enter")
    await expect(ann.part("me-name")).to_have_text("Anna")


async def test_messages_are_changed_and_deleted_by_keyboard(stack: Stack, room: str, visit: Visit) -> None:
    ann = await visit(stack.gateways[0], "Ann", room)
    keys = ann.page.keyboard
    for text in ("helo", "a secret", "another secret"):
        await ann.say(text)
        await expect(ann.message(text).and_(ann.page.locator("[data-seq]"))).to_have_count(1)
    await ann.message("helo").get_by_test_id("edit").focus()
    await keys.press("Enter")
    await expect(ann.part("composer-input")).to_be_focused()
    await expect(ann.message("helo")).to_have_class("row editing")
    await ann.say("hello")
    await expect(ann.message("hello")).to_contain_text("(edited)")
    await expect(ann.page.locator(".row.editing")).to_have_count(0)

    await ann.message("a secret").get_by_test_id("delete").focus()
    await keys.press("Enter")
    await keys.press("Tab")
    await keys.press("Enter")
    await expect(ann.message("a secret")).to_have_count(0)
    await expect(ann.part("scroller")).to_be_focused()  # the button that had the focus is gone

    async with Client(stack.gateways[1], name="Bob", history=0) as bob:
        await bob.join(room)
        for _ in range(3):
            await bob.send(room, "much\n" * 20)
    await expect(ann.message("much")).to_have_count(3)
    await ann.part("composer-input").press("PageDown")
    await ann.part("composer-input").press("ArrowUp")
    await expect(ann.part("composer-input")).to_have_value("another secret")
    await expect(ann.message("another secret")).to_be_in_viewport()
    await ann.say("")  # nothing is left of it
    await expect(ann.part("deleting")).to_be_visible()
    await keys.press("Escape")
    await expect(ann.message("another secret")).to_have_count(1)


async def test_tab_reaches_every_control_and_shows_where_it_is(stack: Stack, room: str, visit: Visit) -> None:
    ann = await visit(stack.gateways[0], "Ann", room)
    await ann.part("composer-input").fill("a draft, so that Send can be used")
    wanted = await ann.page.evaluate(_CONTROLS)
    seen: dict[str, bool] = {}
    for _ in range(500):  # the list of other rooms may come meanwhile, with a stop for each
        if set(wanted) <= set(seen):
            break
        await ann.page.keyboard.press("Tab")
        seen |= await ann.page.evaluate(_FOCUSED)
    assert set(wanted) <= set(seen), "not reached"
    assert [name for name, visible in seen.items() if not visible] == [], "the focus does not show"


_NAME = "(e) => e.id || e.dataset.room || e.className"
_CONTROLS = f"""() => [...document.querySelectorAll('#shell :is(a, button, input, textarea, [tabindex="0"])')]
  .filter((e) => e.checkVisibility() && !e.disabled).map({_NAME})"""
_FOCUSED = f"""() => {{
  const e = document.activeElement;
  if (e === document.body) return {{}};
  const ring = (e) => getComputedStyle(e).outlineStyle !== 'none' || getComputedStyle(e).boxShadow !== 'none';
  const {{width, top}} = e.getBoundingClientRect();
  return {{[({_NAME})(e)]: width > 0 && top >= 0 && (ring(e) || ring(e.closest('form') ?? e))}};
}}"""


async def test_everything_has_a_name_for_those_who_listen(stack: Stack, room: str, visit: Visit) -> None:
    ann = await visit(stack.gateways[0], room=room)
    await expect(ann.part("welcome-input")).not_to_have_value("")
    assert await _nameless(ann) == []
    await ann.enter("Ann")
    await ann.say("hello")
    await expect(ann.message("hello")).to_have_attribute("data-status", "sent")
    tree = await _tree(ann)
    assert await _nameless(ann) == []
    roles = [role for role, _ in tree]
    assert [roles.count(role) for role in ("main", "navigation", "complementary", "log", "search")] == [1, 1, 1, 1, 1]
    assert ("heading", room) in tree
    assert ("textbox", f"Message to {room}") in tree
    async with Client(stack.gateways[1], name="Bob", history=0) as bob:
        await bob.join(room)
        await bob.send(room, "can you hear me?")
        await expect(ann.part("announcer")).to_have_text("Bob: can you hear me?")
    await expect(ann.part("announcer")).to_have_attribute("aria-live", "polite")
    await ann.part("me").click()
    await expect(ann.page.get_by_role("dialog", name="Your name")).to_be_visible()
    assert await _nameless(ann) == []


async def _tree(visitor: Visitor) -> list[tuple[str, str]]:
    """Role and name of everything that assistive technology is told of."""
    session = await visitor.page.context.new_cdp_session(visitor.page)
    nodes: list[dict[str, Any]] = (await session.send("Accessibility.getFullAXTree"))["nodes"]
    await session.detach()
    return [(n["role"]["value"], n.get("name", {}).get("value", "").strip()) for n in nodes if not n["ignored"]]


async def _nameless(visitor: Visitor) -> list[str]:
    return [role for role, name in await _tree(visitor) if role in NAMED_ROLES and not name]


async def test_a_phone_is_enough(stack: Stack, room: str, visit: Visit) -> None:
    ann = await visit(stack.gateways[0], room=room, **PHONE)
    await _fits(ann)
    await ann.enter("Ann " + "W" * 50)
    await ann.say("a-long-word-" * 40 + "\nhttps://example.org/" + "x" * 300)
    await expect(ann.message("a-long-word")).to_have_attribute("data-status", "sent")
    await _fits(ann)

    await ann.part("sidebar-open").tap()
    await expect(ann.room(room)).to_be_in_viewport()
    await ann.part("room-input").fill(f"{room}-2")
    await _fits(ann)
    await ann.part("room-input").press("Enter")
    await expect(ann.part("room-name")).to_have_text(f"{room}-2")
    await expect(ann.room(room)).not_to_be_in_viewport()

    await ann.part("sidebar-open").tap()
    await ann.part("me").tap()
    await _fits(ann)
    await ann.page.keyboard.press("Escape")
    await expect(ann.part("sidebar-close")).to_be_visible()  # only the dialog was closed
    await ann.part("sidebar-close").tap()

    await ann.part("people-toggle").tap()
    await expect(ann.page.get_by_test_id("member")).to_be_in_viewport()
    await _fits(ann)
    await ann.part("people-close").tap()
    await expect(ann.page.get_by_test_id("member")).not_to_be_in_viewport()

    await ann.part("composer-input").fill("tapped")
    await ann.part("send").tap()
    await expect(ann.message("tapped")).to_have_attribute("data-status", "sent")
    await expect(ann.page.locator(".tools")).to_have_css("opacity", "0")
    await ann.message("tapped").get_by_test_id("body").tap()
    await expect(ann.page.locator(".tools")).to_have_css("opacity", "1")
    await ann.page.get_by_test_id("edit").tap()
    await expect(ann.part("composer-input")).to_have_value("tapped")


async def _fits(visitor: Visitor) -> None:
    """Nothing is wider than the screen, and what can be tapped is as large as a finger."""
    assert await visitor.page.evaluate("() => document.documentElement.scrollWidth") == PHONE["viewport"]["width"]
    assert await visitor.page.evaluate("() => scroller.scrollWidth - scroller.clientWidth") == 0
    small = await visitor.page.evaluate(
        """(least) => [...document.querySelectorAll('button, input, textarea, a.room')].filter((e) => {
             const {width, height} = e.getBoundingClientRect();
             const small = Math.round(Math.min(width, height)) < least;
             return width && e.checkVisibility({visibilityProperty: true}) && small;
           }).map((e) => e.id || e.className)""",
        FINGER,
    )
    assert small == []


async def test_light_and_dark_follow_the_system_until_one_chooses(stack: Stack, room: str, visit: Visit) -> None:
    ann = await visit(stack.gateways[0], "Ann", room, color_scheme="dark")
    assert await _scheme(ann) == "dark"
    await ann.part("theme-toggle").click()
    assert await _scheme(ann) == "light"
    await ann.page.reload()
    await ann.settled()
    assert await _scheme(ann) == "light"
    await ann.part("theme-toggle").click()
    await ann.page.emulate_media(color_scheme="light")
    assert await _scheme(ann) == "light"


async def _scheme(visitor: Visitor) -> str:
    ground = await visitor.page.evaluate("() => getComputedStyle(document.documentElement).backgroundColor")
    return "dark" if sum(map(int, re.findall(r"\d+", ground))) < 3 * 128 else "light"
