"""The desk of dead letters as operators use it: its page, with the parts that die and come back beside it.

A test module takes the fixtures with `pytest_plugins = ["tests.support.browser", "tests.support.desk"]`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, expect

from chat.app import build as build_chat
from chat.settings import ChatSettings
from dlq_monitor.access.tokens import made
from dlq_monitor.app import build
from dlq_monitor.settings import DlqSettings
from tests.support.browser import Visitor
from tests.support.management import Management
from tests.support.nodes import Nodes
from tests.support.services import Running, Services
from tests.support.space import Space
from tests.support.waiting import eventually
from tests.support.wire import Wire
from warren.contracts import now
from warren.contracts.base import User
from warren.contracts.commands import PostMessage
from warren.envelope import Event, event
from warren.messaging import failures
from warren.topology import COMMANDS, DEAD, chat_queue, partition

OTHER = "other.work"  # of a service outside of the topology
ROOM = next(f"room-{n}" for n in range(100) if partition(f"room-{n}", 2) == 0)
TRACE = "0af7651916cd43dd8448eb211c80319c"


@dataclass
class Desk:
    """dlq-monitor with a service that works what is sent again, on a virtual host of this module's own."""

    dlq: Running
    wire: Wire
    token: str
    reader: str
    """The token of Rea, who may only look."""
    chat: str = chat_queue(0, 2)
    other: str = OTHER
    room: str = ROOM
    trace: str = TRACE

    async def die(
        self, cause: str, text: str = "", *, queue: str = chat_queue(0, 2), body: bytes | None = None, **headers: object
    ) -> str:
        """Let a message die; returns the id of its letter once it is parked."""
        post = PostMessage(room=ROOM, id=f"p-{uuid4()}", user=User(id="u", name="u"), time=now(), body="hello")
        good = event(post, COMMANDS, "chat.0")
        traced = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01", **headers}
        died = Event(good.type, good.body if body is None else body, "chat.0", COMMANDS, id=good.id, headers=traced)
        copy = failures.dead_copy(died, "chat", "chat@1", queue, type(cause, (Exception,), {})(text))
        sent = {"type": died.type, "message_id": died.id, "headers": {**copy.headers}}
        await self.wire.publish(DEAD, "chat.dead", died.body, **sent)
        return await eventually(lambda: self._parked(died.id), what="it is parked")

    async def _parked(self, message_id: str) -> str | None:
        items = (await self.dlq.http.get("/letters", params={"limit": 100})).json()["items"]
        return next((x["id"] for x in items if x["message_id"] == message_id), None)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk(nodes: Nodes, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Desk]:
    """One for the module: its tests have letters of their own."""
    management = Management(nodes.management_url)
    space = Space.of(nodes, management)
    await management.create_vhost(space.vhost)
    wire = await Wire.open(space.amqp_url)
    await wire.declare(space.topology)
    await wire.channel.declare_queue(OTHER, durable=True)
    reader, rea = made("Rea", "reader")
    tokens = tmp_path_factory.mktemp("desk") / "tokens"
    tokens.write_text(f"{rea.line}\n")
    services = Services(space)
    dlq = await services.start(
        build,
        DlqSettings,
        dlq_tokens=str(tokens),
        management_url=space.management_url,
        trace_url="http://traces.invalid/trace/{trace}",
        dlq_settle=1,
        alert_quiet=0,
        watch_interval=1,
    )
    await services.start(build_chat, ChatSettings)
    yield Desk(dlq, wire, space.service_token, reader)
    await services.stop()
    await wire.close()
    await management.delete_vhost(space.vhost)
    await management.close()


class Operator(Visitor):
    """Someone at the desk."""

    def test(self, id: str) -> Locator:  # noqa: A002 - the attribute's name
        """The elements with this test id."""
        return self.page.get_by_test_id(id)

    async def go(self, path: str) -> None:
        """Go to a view and wait until it is there."""
        await self.page.evaluate("(path) => { location.hash = path; }", path)
        await expect(self.page.locator(".loading")).to_have_count(0)

    async def state(self, status: str) -> None:
        """Wait until what is shown has this status."""
        await expect(self.test("state")).to_have_attribute("data-status", status, timeout=15_000)


Enter = Callable[..., Awaitable[Operator]]


@pytest_asyncio.fixture(loop_scope="module")
async def enter(chromium: Browser, desk: Desk) -> AsyncIterator[Enter]:
    """Open the page as Ann; a reader may change nothing. `device` are a context's options."""
    operators: list[Operator] = []

    async def open_page(*, reader: bool = False, **device: Any) -> Operator:
        context = await chromium.new_context(**device)
        operator = Operator(await context.new_page())
        operators.append(operator)
        await operator.page.goto(f"{desk.dlq.url}/#token={quote(desk.reader if reader else desk.token)}")
        if not reader:
            await operator.part("name-input").fill("Ann")
            await operator.part("welcome-enter").click()
        await expect(operator.part("title")).to_have_text("Groups")
        return operator

    yield open_page
    for operator in operators:
        await operator.page.context.close()
    assert [o.problems for o in operators] == [[] for _ in operators]
