"""What `warren chat` does with the lines that are entered."""

from __future__ import annotations

import asyncio

from tests.support.stack import Stack
from tests.support.waiting import eventually
from warren.cli.chat_session import ChatSession
from warren.cli.chat_view import View
from warren.client import Client, Frame


async def test_ones_last_message_can_be_said_otherwise_and_taken_back(stack: Stack, room: str) -> None:
    shown: list[str] = []

    async def sees(text: str) -> None:
        await eventually(lambda: any(text in line for line in shown), what=f"{text!r} is shown")

    def hear(event: Frame) -> None:
        session.hear(event)

    client = Client(stack.gateways, name="Ann", on_event=hear)
    session = ChatSession(client, View(colour=False), shown.append)
    async with client:
        worker = asyncio.create_task(session.work())
        await session.join(room)
        for line, seen in (
            ("helo", "Ann: helo"),
            ("/edit hello", "Ann: (edited 1) hello"),
            ("/delete", "Ann: (deleted 1)"),
            ("/delete", "no message of yours to delete"),
            ("/edit more", "no message of yours to change"),
            ("/edit", "to what?"),
        ):
            session.enter(line)
            await sees(seen)
        worker.cancel()
