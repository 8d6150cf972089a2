"""A link to a broker that is not there yet, though something answers on its port."""

from __future__ import annotations

import asyncio
import contextlib

import aio_pika
import pytest

from tests.support.waiting import eventually
from warren.messaging.connection import Link


async def test_one_who_hangs_up_before_the_first_frame_is_taken_for_no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a proxy does whose broker is away; aiormq then says StopAsyncIteration, which ends a loop of tries as done."""
    calls = 0

    async def connect(*_: object, **__: object) -> None:
        nonlocal calls
        calls += 1
        raise StopAsyncIteration

    monkeypatch.setattr(aio_pika, "connect", connect)
    link = Link("amqp://127.0.0.1/", "test", heartbeat=6)
    running = asyncio.create_task(link.run())
    try:
        await eventually(lambda: calls > 2 or link.connected, what="it has tried again")
        assert not link.connected
        assert "lost" in link.reason
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
