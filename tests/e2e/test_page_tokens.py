"""Tokens that end while the page is open: it goes on with a fresh one, or asks for one and loses nothing meanwhile."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from playwright.async_api import WebSocket, expect

from tests.support.stack import Stack
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from tests.support.browser import Visit, Visitor  # it is a plugin here, and pytest wants to import those itself

pytest_plugins = ["tests.support.browser"]
pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_guests_token_is_renewed_under_the_open_connection(stack: Stack, room: str, visit: Visit) -> None:
    ann = await visit(stack.gateways[0])
    sockets: list[WebSocket] = []
    frames: list[dict[str, Any]] = []

    def opened(socket: WebSocket) -> None:
        sockets.append(socket)
        socket.on("framereceived", lambda text: frames.append(json.loads(text)))

    ann.page.on("websocket", opened)
    end = time.time() + 75  # the page renews a minute before
    old = stack.token("guest-ann", name="Ann", guest=True, exp=end)
    user = {"id": "guest-ann", "name": "Ann"}
    await _keep(ann, {"token": old, "user": user, "expires": datetime.fromtimestamp(end, UTC).isoformat(), "since": 0})
    await ann.page.clock.install()
    await ann.page.goto(f"{stack.gateways[0]}/?#/room/{room}")
    await ann.settled()
    assert (await _kept(ann))["token"] == old
    await ann.page.clock.fast_forward(30_000)

    async def renewed() -> bool:
        return (await _kept(ann))["token"] != old and any(str(f.get("ref")).startswith("token-") for f in frames)

    await eventually(renewed, what="the page has shown the server a fresh token")
    assert [f for f in frames if f["type"] == "error"] == []
    assert (await _kept(ann))["user"] == user
    await ann.say("still me")
    await expect(ann.message("still me")).to_have_attribute("data-user", "guest-ann")
    assert len(sockets) == 1, "the connection was lost"


async def test_an_expired_token_from_elsewhere_is_asked_for_again_and_nothing_is_lost(
    stack: Stack, room: str, visit: Visit
) -> None:
    ann = await visit(stack.gateways[0], room=room)
    await ann.part("welcome-other").click()
    await ann.part("welcome-input").fill(stack.token("ann", name="Ann", exp=time.time() - 1))  # there are 5 s of leeway
    await ann.part("welcome-enter").click()
    await ann.settled()
    await expect(ann.part("me-name")).to_have_text("Ann")
    ann.outage = True
    await expect(ann.part("connection-text")).to_have_text("The access token is not valid any more.", timeout=15_000)
    await ann.say("written too late")
    await ann.part("composer-input").fill("half a sent")

    await ann.part("reconnect").click()
    await expect(ann.part("welcome-hint")).to_contain_text("not valid any more")
    await ann.part("welcome-input").fill(stack.token("ann", name="Ann"))
    await ann.part("welcome-enter").click()
    await ann.settled()
    await expect(ann.message("written too late")).to_have_attribute("data-seq", "1")
    await expect(ann.part("composer-input")).to_have_value("half a sent")


async def _keep(visitor: Visitor, session: dict[str, Any]) -> None:
    await visitor.page.evaluate("(session) => localStorage.setItem('warren.session', JSON.stringify(session))", session)


async def _kept(visitor: Visitor) -> dict[str, Any]:
    session: dict[str, Any] = await visitor.page.evaluate("JSON.parse(localStorage.getItem('warren.session'))")
    return session
