"""The page of dlq-monitor as operators use it, in headless Chromium on a real broker, store and service."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from playwright.async_api import Browser, expect
from typer.testing import CliRunner

from dlq_monitor.cli.app import app as cli
from tests.support.axe import findings
from warren.contracts import now
from warren.contracts.base import User
from warren.contracts.commands import PostMessage

if TYPE_CHECKING:
    from tests.support.desk import Desk, Enter  # it is a plugin here, and pytest wants to import those itself

pytest_plugins = ["tests.support.browser", "tests.support.desk"]
pytestmark = pytest.mark.asyncio(loop_scope="module")

PHONE = {"viewport": {"width": 360, "height": 740}, "is_mobile": True, "has_touch": True}


async def test_a_letter_is_found_edited_sent_and_seen_resolved(desk: Desk, enter: Enter) -> None:
    letter = await desk.die("ContractError", "Field required", body=b'{"n":12345678901234567890}')
    ann = await enter()
    group = ann.test("group").filter(has_text="ContractError")
    await expect(group).to_contain_text("1 open")
    await expect(group.locator("svg")).to_have_attribute("aria-label", "1 in seven days")
    await group.get_by_role("link").click()
    await ann.test("letter").first.get_by_role("link").click()
    await expect(ann.page).to_have_url(re.compile(f"#/letters/{letter}$"))
    await expect(ann.test("cause")).to_have_text("Field required")
    await expect(ann.test("body")).to_contain_text('"n": 12345678901234567890')
    link = ann.test("part-way").get_by_role("link", name=desk.trace)
    await expect(link).to_have_attribute("href", f"http://traces.invalid/trace/{desk.trace}")

    await ann.test("edit").click()
    await ann.test("edit-body").fill('{"room": "nowhere"}')
    await ann.test("show-plan").click()
    await expect(ann.test("edit-dialog").get_by_role("alert")).not_to_be_empty()
    ann.outage = True  # so Chromium reports the refusal, in its own words
    post = PostMessage(room=desk.room, id="mended", user=User(id="u", name="u"), time=now(), body="mended")
    await ann.test("edit-body").fill(post.model_dump_json())
    await ann.test("reason").fill("the field was missing")
    await ann.test("show-plan").click()
    await expect(ann.test("plan")).to_contain_text(f"1 letter of message.post.v1 → queue {desk.chat}")
    await expect(ann.test("edit-dialog")).to_contain_text("It was checked")
    await ann.test("confirm").click()
    await ann.state("resolved")
    await expect(ann.test("state")).to_contain_text("message.posted.v1 was seen")
    await expect(ann.test("part-history")).to_contain_text("replayed by Ann")
    await ann.test("state").get_by_role("link", name="See the one it replaces").click()
    await ann.state("replaced")
    await expect(ann.test("replay")).to_have_count(0)


async def test_a_letter_is_discarded_restored_and_replayed(desk: Desk, enter: Enter) -> None:
    letter = await desk.die("ValueError", "a bug that is mended")
    ann = await enter()
    await ann.go(f"#/letters/{letter}")
    await ann.test("discard").click()
    await ann.test("confirm").click()
    await expect(ann.test("dialog").get_by_role("alert")).to_have_text("Say why.")
    await ann.test("reason").fill("a test of mine")
    await ann.page.keyboard.press("Enter")
    await ann.state("discarded")
    await expect(ann.test("state")).to_contain_text("a test of mine")
    await ann.test("restore").click()
    await ann.test("confirm").click()
    await ann.state("held")
    await ann.test("replay").click()
    await expect(ann.test("plan")).to_contain_text("an event names it as its cause")
    await ann.test("confirm").click()
    await ann.state("resolved")


async def test_a_group_gets_an_owner_and_is_replayed_with_its_plan_first(desk: Desk, enter: Enter) -> None:
    for n in range(3):
        await desk.die("LookupError", f"no customer {n}", queue=desk.other)
    ann = await enter()
    await ann.test("filter-cause").fill("Lookup")
    await expect(ann.test("group")).to_have_count(1)
    await expect(ann.page).to_have_url(re.compile(r"cause=Lookup"))
    await ann.test("group").get_by_role("link").click()
    await ann.test("part-notes").get_by_role("button", name="Me").click()
    await expect(ann.test("owner")).to_have_value("Ann")
    await ann.test("note").fill("see ticket 7")
    await desk.die("LookupError", "no customer 4", queue=desk.other)
    await expect(ann.test("part-letters").get_by_test_id("letter")).to_have_count(4)
    await expect(ann.test("note")).to_be_focused()
    await expect(ann.test("note")).to_have_value("see ticket 7")
    await ann.test("save").click()
    await expect(ann.test("part-history")).to_contain_text("note by Ann")

    await ann.test("replay").click()
    await expect(ann.test("plan")).to_contain_text(f"4 letters of message.post.v1 → queue {desk.other}")
    await expect(ann.test("plan")).to_contain_text("At least once")
    await ann.test("canary").uncheck()
    await ann.test("confirm").click()
    await expect(ann.page).to_have_url(re.compile("#/replays/"))
    for _ in range(4):
        await desk.wire.take(desk.other)
    await ann.state("done")
    await expect(ann.test("part-progress")).to_contain_text("4 resolved")
    await ann.test("nav-replays").click()
    await expect(ann.test("replay-row").first).to_contain_text("done")


async def test_an_alert_is_silenced_and_queues_have_charts(desk: Desk, enter: Enter) -> None:
    await desk.die("ZeroDivisionError", "x")
    ann = await enter()
    await ann.go("#/alerts")
    alert = ann.test("alert").filter(has_text="ZeroDivisionError").and_(ann.page.locator("[data-state=firing]"))
    await alert.get_by_test_id("silence").click(timeout=15_000)
    await ann.test("reason").fill("we know")
    await ann.test("confirm").click()
    await expect(alert).to_contain_text("silenced")
    await ann.test("end-silence").click()
    await ann.test("confirm").click()
    await expect(ann.test("silenced")).to_have_count(0)
    await ann.test("channel").filter(has_text="log").get_by_role("button").click()
    await expect(ann.test("toasts")).to_contain_text("log took the test")
    await ann.go("#/queues")
    await ann.test("queue").filter(has_text=desk.chat).get_by_role("link").click()
    await expect(ann.page.locator("svg.big")).to_have_attribute("aria-label", re.compile("^Depth over"))
    await expect(ann.test("part-broker")).to_contain_text("RabbitMQ")


async def test_what_a_message_says_is_never_more_than_text(desk: Desk, enter: Enter) -> None:
    hostile = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    body = b'{"<b>": "<svg onload=alert(3)>", "url": "javascript:alert(4)"}'
    headers = {"<i>": hostile, "x-deep": {"<u>": [hostile]}}
    letter = await desk.die(hostile, hostile, queue=desk.other, body=body, **headers)
    ann = await enter()
    await expect(ann.test("group").filter(has_text=hostile[:27])).to_have_count(1)
    await ann.go(f"#/letters/{letter}")
    await expect(ann.part("title")).to_have_text(hostile)
    await expect(ann.test("cause")).to_have_text(hostile)
    await expect(ann.test("body")).to_contain_text('"<svg onload=alert(3)>"')
    await expect(ann.test("part-headers")).to_contain_text(hostile)
    await ann.test("edit").click()
    await ann.test("edit-body").fill(f'{{"x": "{hostile}"}}')
    await expect(ann.page.locator("#view img, #view script, #view i, #view u, dialog img")).to_have_count(0)


async def test_a_reader_has_no_buttons_for_changes(desk: Desk, enter: Enter) -> None:
    letter = await desk.die("PermissionError", "for reading")
    rea = await enter(reader=True)
    await expect(rea.test("me-name")).to_have_text("Rea (may read)")
    group = (await desk.dlq.http.get(f"/letters/{letter}")).json()["group"]
    for path in (f"#/letters/{letter}", f"#/groups/{group}", "#/letters", "#/alerts", "#/replays", "#/queues"):
        await rea.go(path)
        buttons = await rea.part("view").get_by_role("button").all_text_contents()
        assert {b for b in buttons if b} <= {"As it came", "Laid out"}, path


async def test_on_a_phone_nothing_is_wider_than_the_screen(desk: Desk, enter: Enter) -> None:
    letter = await desk.die("A" * 80, "B" * 300)
    ann = await enter(**PHONE)
    group = (await desk.dlq.http.get(f"/letters/{letter}")).json()["group"]
    for path in ("#/groups", f"#/groups/{group}", "#/letters", f"#/letters/{letter}", "#/queues", "#/alerts"):
        await ann.go(path)
        await expect(ann.test("nav-groups")).to_be_in_viewport()
        wide = await ann.page.evaluate("() => document.getElementById('scroller').scrollWidth - innerWidth")
        assert wide <= 0, path


async def test_axe_finds_nothing_that_keeps_anyone_out(desk: Desk, enter: Enter) -> None:
    letter = await desk.die("KeyError", "for everyone")
    ann = await enter()
    for path in ("#/groups", f"#/letters/{letter}"):
        await ann.go(path)
        assert await findings(ann.page) == [], path
    await ann.test("discard").click()
    assert await findings(ann.page) == [], "the dialog before discarding"


async def test_it_says_when_the_service_is_away_and_goes_on_by_itself(desk: Desk, enter: Enter) -> None:
    ann = await enter()
    ann.outage = True
    await ann.test("filter-queue").fill("chat.")
    await ann.page.context.set_offline(True)
    await expect(ann.test("connection")).to_contain_text("does not answer")
    await expect(ann.test("filter-queue")).to_have_value("chat.")
    await ann.page.context.set_offline(False)
    await ann.part("reconnect").click()
    await expect(ann.test("connection")).to_be_hidden()


async def test_a_token_is_asked_for_and_the_command_prints_one(desk: Desk, chromium: Browser) -> None:
    env = {"WARREN_SERVICE_TOKEN": desk.token}
    printed = await asyncio.to_thread(CliRunner().invoke, cli, ["page", "--url", desk.dlq.url], env=env)
    assert printed.output.strip() == f"{desk.dlq.url}/#token={quote(desk.token, safe='')}"
    context = await chromium.new_context()
    page = await context.new_page()
    await page.goto(desk.dlq.url)
    await page.locator("#token-input").fill("wrong")
    await page.locator("#welcome-enter").click()
    await expect(page.locator("#welcome-error")).to_contain_text("token")
    await page.goto(printed.output.strip())
    await page.reload()
    await expect(page.locator("#name-input")).to_be_focused()
    assert desk.token not in page.url
    await page.locator("#name-input").fill("Bob")
    await page.keyboard.press("Enter")
    await expect(page.get_by_test_id("me-name")).to_have_text("Bob")
    await context.close()
