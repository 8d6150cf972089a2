"""Outages of the broker and of the way to it: no publish hangs, none that was confirmed is lost."""

from __future__ import annotations

import asyncio
import functools
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import pytest

from dlq_monitor.app import build as build_dlq
from dlq_monitor.settings import DlqSettings
from presence.app import build as build_presence
from presence.settings import PresenceSettings
from tests.support.lab import QUEUE, Lab, number, sample
from tests.support.nodes import remembers
from tests.support.proxy import Proxy
from tests.support.services import Running, Services
from tests.support.space import Space
from tests.support.waiting import eventually
from tests.support.wire import Wire
from warren.envelope import Event
from warren.errors import DependencyDownError, PublishError
from warren.stack.broker import Broker, find_server


@pytest.fixture
async def own_lab(own_broker: Broker) -> AsyncIterator[Lab]:
    """A lab on a broker that may be killed."""
    lab = Lab(own_broker.url, heartbeat=2, timeout=3)
    await lab.failed.publish(sample(-1))  # both links are up, the queues are there
    await lab.publish([-1])
    await eventually(lambda: remembers(own_broker, QUEUE.name))
    yield lab
    await lab.close()


class Stream:
    """Publishes numbers one after the other, ten at a time, and remembers which were confirmed."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._stop = False
        self.confirmed: list[int] = []
        self.failed: list[int] = []
        self.longest = 0.0

    async def run(self) -> None:
        first = 0
        while not self._stop:
            await asyncio.gather(*[self._one(n) for n in range(first, first + 10)])
            first += 10

    def stop(self) -> None:
        self._stop = True

    async def _one(self, n: int) -> None:
        began = time.monotonic()
        try:
            await self._lab.publisher.publish(sample(n))
        except PublishError:
            self.failed.append(n)
        else:
            self.confirmed.append(n)
        self.longest = max(self.longest, time.monotonic() - began)


async def test_a_killed_broker_loses_nothing_that_was_confirmed(own_broker: Broker, own_lab: Lab) -> None:
    own_lab.consume()
    stream = Stream(own_lab)
    streaming = asyncio.create_task(stream.run())
    await eventually(lambda: len(stream.confirmed) > 200)
    own_broker.kill()
    await own_broker.ended()
    await eventually(lambda: stream.failed, 15, what="a publish fails while the broker is away")
    before = len(stream.confirmed)
    await own_broker.start()
    await own_broker.ready()
    await eventually(lambda: len(stream.confirmed) > before + 200, 30)
    stream.stop()
    await streaming
    assert stream.longest < 5, "no publish took much longer than its timeout of 3 s"
    await eventually(lambda: set(stream.confirmed) <= set(own_lab.numbers), 20)
    accepted = [n for n in dict.fromkeys(own_lab.numbers) if n >= 0]
    assert accepted == sorted(accepted), "in the order of publishing, but for what came twice"


async def test_a_memory_alarm_makes_publishes_fail_in_time_and_burns_no_deliveries(
    own_broker: Broker, own_lab: Lab
) -> None:
    calls: list[list[int]] = []
    handled: list[int] = []

    async def handle(events: Sequence[Event]) -> None:
        calls.append([number(e) for e in events])
        await own_lab.publisher.publish_all([sample(1000 + number(e), "lab.told") for e in events if number(e) < 1000])
        handled.extend(number(e) for e in events)

    await _control(own_broker, "set_vm_memory_high_watermark", "0")
    try:
        began = time.monotonic()
        with pytest.raises(PublishError):
            await own_lab.publisher.publish(sample(5))
        assert time.monotonic() - began < 4
        consumer = own_lab.consume(handle)  # what waits in the queue is delivered, but its facts cannot go out
        await eventually(lambda: consumer.paused_for == "broker", 15)
        paused_after = len(calls)
        with pytest.raises(DependencyDownError):
            await own_lab.publisher.probe()
        assert consumer.paused_for == "broker"
        assert len(calls) == paused_after <= 2
    finally:
        await _control(own_broker, "set_vm_memory_high_watermark", "0.4")
    await eventually(lambda: {-1, 999} <= set(handled), 20)
    assert consumer.paused_for is None


async def test_a_memory_alarm_and_a_lost_consumer_are_alerts_within_15_s(
    own_broker: Broker, space: Space, services: Services
) -> None:
    there = {"amqp_url": own_broker.url}
    wire = await Wire.open(own_broker.url)
    try:
        await wire.declare(space.topology)
        presence = await services.start(build_presence, PresenceSettings, **there)
        watched = {**there, "management_url": own_broker.management_url, "alert_quiet": 0, "alert_settle": 0}
        dlq = await services.start(build_dlq, DlqSettings, **watched)

        async def firing() -> set[str]:
            items = (await dlq.http.get("/alerts")).json()["items"]
            return {a["alert"] for a in items if a["labels"].get("queue", "presence.events") == "presence.events"}

        await eventually(lambda: _management_is(dlq, "ok"))
        assert await firing() == set()
        try:
            await _control(own_broker, "set_vm_memory_high_watermark", "0")
            began = time.monotonic()
            stopping = asyncio.create_task(presence.stop())
            await eventually(lambda: _all_of(firing, {"broker_memory_alarm", "queue_without_consumers"}), 15)
            assert time.monotonic() - began < 15
        finally:
            await _control(own_broker, "set_vm_memory_high_watermark", "0.4")
        await stopping
    finally:
        await wire.close()


async def _all_of(ask: Callable[[], Awaitable[set[str]]], wanted: set[str]) -> bool:
    return (await ask() & {"broker_memory_alarm", "queue_without_consumers"}) == wanted


async def _management_is(dlq: Running, status: str) -> bool:
    found = (await dlq.http.get("/queues")).json()
    return bool(found["items"]) and found["management"] == status


async def test_a_hung_link_ends_publishes_in_time_and_recovers(space: Space, wire: Wire) -> None:
    await wire.declare_queues(QUEUE.service, [QUEUE])
    async with Proxy(space.amqp_url).running() as link:
        lab = Lab(link.url, heartbeat=2, timeout=3)
        lab.consume()
        stream = Stream(lab)
        streaming = asyncio.create_task(stream.run())
        await eventually(lambda: len(stream.confirmed) > 100)
        link.stall()
        await eventually(lambda: len(stream.failed) >= 10, 10)
        await eventually(lambda: not lab.publisher.connected, 15, what="the heartbeat finds it out")
        link.flow()
        before = len(stream.confirmed)
        await eventually(lambda: len(stream.confirmed) > before + 100, 20)
        stream.stop()
        await streaming
        assert stream.longest < 5
        await eventually(lambda: set(stream.confirmed) <= set(lab.numbers))
        await lab.close()


async def test_a_cut_link_is_not_noticed_by_publishers(space: Space, wire: Wire) -> None:
    await wire.declare_queues(QUEUE.service, [QUEUE])
    async with Proxy(space.amqp_url).running() as link:
        lab = Lab(link.url)
        lab.consume()
        stream = Stream(lab)
        streaming = asyncio.create_task(stream.run())
        for _ in range(5):
            before = len(stream.confirmed)
            link.cut()
            await eventually(functools.partial(_longer, stream.confirmed, before + 50))
        stream.stop()
        await streaming
        assert stream.failed == []
        await eventually(lambda: set(stream.confirmed) <= set(lab.numbers))
        assert list(dict.fromkeys(lab.numbers)) == sorted(stream.confirmed)
        await lab.close()


def _longer(numbers: Sequence[int], than: int) -> bool:
    return len(numbers) > than


async def _control(broker: Broker, *command: str) -> None:
    """Run `rabbitmqctl` on the broker's node."""
    process = await asyncio.create_subprocess_exec(
        str(find_server().with_name("rabbitmqctl")),
        *("-n", broker.node),
        *command,
        env={**broker.command().environment, "PATH": os.environ["PATH"]},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate()
    assert process.returncode == 0, said.decode()
