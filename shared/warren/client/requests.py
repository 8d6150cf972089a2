"""Requests that wait for their answers, by the `ref` that the answer repeats."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass, field

import orjson

from warren.client.errors import ClientError, RefusedError
from warren.client.state import Frame
from warren.contracts.frames import parse_client_frame
from warren.errors import ContractError


def check(frame: Frame, limits: Frame) -> None:
    """Raise `RefusedError` for a frame that the server would refuse, or close the connection for.

    Sent again after each reconnection, a frame above the size limit would close one socket after the other.
    """
    text = orjson.dumps(frame)
    try:
        parse_client_frame(text)
    except ContractError as e:
        raise RefusedError("bad_frame", str(e)) from None
    body = len(str(frame.get("body", "")).encode())
    if (limit := limits.get("body_bytes")) and body > limit:
        raise RefusedError("too_long", f"a message has at most {limit:g} bytes")
    if (limit := limits.get("frame_bytes")) and len(text) > limit:
        raise RefusedError("too_long", f"a frame has at most {limit:g} bytes")


@dataclass(eq=False, slots=True)
class Request:
    """A frame on its way.

    `room` is set where it must wait until that room is joined; `urgent` where it waits for no welcome's end.
    """

    frame: Frame
    room: str | None
    urgent: bool = False
    answer: asyncio.Future[Frame] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    @property
    def is_open(self) -> bool:
        """Whether nobody has answered and someone still waits."""
        return not self.answer.done()

    def fail(self, error: ClientError) -> None:
        """Raise an error where the answer is awaited."""
        if self.is_open:
            self.answer.set_exception(error)
            self.answer.exception()  # seen: whoever waited may have given up in the meantime


class Requests:
    """The open requests of one client, oldest first."""

    def __init__(self) -> None:
        self._refs = itertools.count(1)
        self._open: dict[int, Request] = {}

    def open(self, frame: Frame, room: str | None, *, urgent: bool) -> Request:
        """Enter a frame and give it a `ref`."""
        ref = next(self._refs)
        request = self._open[ref] = Request({**frame, "ref": ref}, room, urgent)
        return request

    def close(self, request: Request) -> None:
        """Forget a request."""
        self._open.pop(request.frame["ref"], None)

    def find(self, answer: Frame) -> Request | None:
        """Return the request that a frame answers."""
        ref = answer.get("ref")
        return self._open.get(ref) if isinstance(ref, int) else None

    def answer(self, frame: Frame) -> None:
        """Hand an answer to whoever waits for it."""
        request = self.find(frame)
        if request is not None and request.is_open:
            request.answer.set_result(frame)

    def waiting(self, room: str | None = None) -> list[Request]:
        """Return the open requests, or those of one room."""
        return [r for r in self._open.values() if r.is_open and room in {None, r.room}]

    def fail(self, error: ClientError, room: str | None = None) -> None:
        """Fail the open requests, or those of one room."""
        for request in self.waiting(room):
            request.fail(error)
