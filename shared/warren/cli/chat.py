"""`warren chat`: chat from a terminal, or from a pipe."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import orjson
import typer

from warren.cli.chat_session import ChatSession
from warren.cli.chat_view import View
from warren.cli.console import out
from warren.cli.examples import examples
from warren.cli.gateways import gateways
from warren.cli.terminal import Terminal
from warren.client import Client, ClosedError, Frame

TYPING_SECONDS = 3.0
"""How often the room is told that one is writing, at the most."""


@examples(
    ("warren chat", "the room general, under a name that the server makes up"),
    ("warren chat kitchen --name Ada", "another room, another name"),
    ("uptime | warren chat ops --name cron", "each line a message; ends when all are accepted"),
    ("warren chat --json < /dev/null", "one frame per line, for programs"),
)
def chat(
    room: Annotated[str, typer.Argument(help="The room to enter.")] = "general",
    name: Annotated[str | None, typer.Option(help="Your name.")] = None,
    url: Annotated[list[str] | None, typer.Option(help="A gateway; the next one is tried if it fails.")] = None,
    data: Annotated[Path, typer.Option(help="Data directory of the local stack.")] = Path(".warren"),
    as_json: Annotated[bool, typer.Option("--json", help="Print each frame as a line of JSON.")] = False,
) -> None:
    """Chat in a room. Commands begin with a slash: /help names them; input that is piped is said as it is."""
    urls = gateways(url, data)
    with suppress(KeyboardInterrupt):
        asyncio.run(_chat(urls, room, name, as_json=as_json))


async def _chat(urls: list[str], room: str, name: str | None, *, as_json: bool) -> None:
    interactive = sys.stdin.isatty() and sys.stdout.isatty() and not as_json
    heard: list[Callable[[Frame], None]] = [_print_json] if as_json else []

    def tell(event: Frame) -> None:
        for hear in heard:
            hear(event)

    client = Client(urls, name=name, on_event=tell)
    view = View(colour=sys.stdout.isatty() and "NO_COLOR" not in os.environ)
    session = ChatSession(client, view, _print_nothing if as_json else _print_line)
    heard.append(session.hear)
    async with client:
        worker = asyncio.create_task(session.work())
        try:
            await session.join(room)
            await (_on_terminal(session, heard) if interactive else _from_pipe(session))
        finally:
            worker.cancel()
    if client.failure is not None and not isinstance(client.failure, ClosedError):
        raise client.failure
    if not interactive and session.problems:
        raise typer.Exit(1)


async def _on_terminal(session: ChatSession, heard: list[Callable[[Frame], None]]) -> None:
    loop, client = asyncio.get_running_loop(), session.client
    told = -TYPING_SECONDS
    sending: set[asyncio.Task[None]] = set()

    def typed() -> None:
        nonlocal told
        if loop.time() - told >= TYPING_SECONDS:
            told = loop.time()
            task = loop.create_task(client.typing(session.room))
            sending.add(task)
            task.add_done_callback(sending.discard)

    def draw(_: Frame | None = None) -> None:
        terminal.prompt = session.view.prompt(session.room, client.user["name"], online=client.online)
        terminal.redraw()

    terminal = Terminal(session.enter, session.over.set, typed)
    with terminal:
        session.show = terminal.print
        heard.append(draw)
        draw()
        await session.over.wait()
        heard.remove(draw)


async def _from_pipe(session: ChatSession) -> None:
    """Say each line of standard input; at its end, and once all is accepted, return."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()

    def say(line: str) -> None:
        session.enter(f"/{line}" if line.startswith("/") else line)

    def read() -> None:
        for line in sys.stdin:
            if line.strip():
                loop.call_soon_threadsafe(say, line.rstrip("\n"))
        loop.call_soon_threadsafe(ended.set)

    threading.Thread(target=read, daemon=True, name="stdin").start()
    waits = [asyncio.create_task(event.wait()) for event in (ended, session.over)]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
    if not session.over.is_set():
        await session.finish()


def _print_line(line: str) -> None:
    out.file.write(line + "\n")
    out.file.flush()


def _print_json(frame: Frame) -> None:
    out.file.write(orjson.dumps(frame).decode() + "\n")
    out.file.flush()


def _print_nothing(_: str) -> None:
    """Print nothing: what there is to say is in the frames."""
