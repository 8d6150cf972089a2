"""The stream of what happens to a client: frames of the server, and a few of the client's own making.

Own events, of the same shape as frames: `online {url,user}`, `offline {reason,retry_in}`, `truncated
{room,after,before}` (entries between were not fetched: page them with `client.history`), `members {room}`
(the list was fetched anew) and, as the last one, `ended {code,reason}`.
"""

from __future__ import annotations

import asyncio
from typing import Any, Self

from warren.client.errors import ClosedError, DeadlineError
from warren.client.state import Frame


class Events:
    """An asynchronous iterator over events, from its making on. Unread events wait in memory."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Frame] = asyncio.Queue()
        self._ended = False

    def put(self, event: Frame) -> None:
        """Add an event."""
        self._queue.put_nowait(event)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Frame:
        if self._ended:
            raise StopAsyncIteration
        event = await self._queue.get()
        self._ended = event["type"] == "ended"
        return event

    async def next(self, type: str, timeout_seconds: float = 10.0, **fields: Any) -> Frame:  # noqa: A002 - the protocol's word
        """Return the next event of this type whose fields are these, passing over others.

        Raises `DeadlineError` if it does not come in time, `ClosedError` if the client ends first.
        """
        try:
            async with asyncio.timeout(timeout_seconds):
                async for event in self:
                    if event["type"] == type and all(event.get(key) == value for key, value in fields.items()):
                        return event
        except TimeoutError:
            raise DeadlineError(f"no event {type} {fields or ''} within {timeout_seconds} s") from None
        raise ClosedError(f"the client ended before an event {type} {fields or ''}")
