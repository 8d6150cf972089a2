"""The consumer runtime on a real broker: batches, order, failures, losses of all kinds."""

from __future__ import annotations

import asyncio
import itertools
import sys
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from aio_pika import Queue

from dlq_monitor.app import build as build_dlq
from dlq_monitor.settings import DlqSettings
from tests.support.lab import DEAD, KEY, QUEUE, Lab, number, sample
from tests.support.services import Running, Services
from tests.support.space import Space
from tests.support.waiting import eventually
from tests.support.wire import Wire
from warren.envelope import Event
from warren.errors import DependencyDownError, DeposedError, PermanentError, TransientError, UnroutableError
from warren.messaging import Consumer, Feed
from warren.topology import EVENTS, FailurePolicy

ROOT = Path(__file__).parents[2]


@pytest.fixture
async def lab(space: Space, wire: Wire) -> AsyncIterator[Lab]:
    """A lab on the test's own virtual host, its queues declared."""
    await wire.declare_queues(QUEUE.service, [QUEUE])
    lab = Lab(space.amqp_url)
    yield lab
    await lab.close()


class Gate:
    """A handler that stops at each batch until it is let through."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._open = asyncio.Event()
        self.waiting: list[int] = []

    async def __call__(self, events: Sequence[Event]) -> None:
        self.waiting = [number(e) for e in events]
        await self._open.wait()
        await self._lab.note(events)

    def open(self) -> None:
        self._open.set()

    def shut(self) -> None:
        self._open.clear()


async def test_a_batch_is_what_has_come_and_is_acked_at_once(lab: Lab, wire: Wire) -> None:
    for n in range(100):
        await wire.publish(EVENTS, KEY, sample(n).body, type="lab.sample.v1", message_id=str(n))
    lab.consume()
    await eventually(lambda: len(lab.numbers) == 100)
    assert lab.numbers == list(range(100))
    assert lab.seen[0] == [0], "the first delivery proves that it is safe"
    assert max(map(len, lab.seen)) > 1
    await lab.close()
    assert await wire.depth(QUEUE.name) == 0, "all were acked"


async def test_a_lone_event_does_not_wait_for_a_batch(lab: Lab) -> None:
    lab.consume()
    await lab.publish([0])
    await eventually(lambda: lab.numbers == [0])
    took = []
    for n in range(1, 12):
        began = time.perf_counter()
        await lab.publish([n])
        await eventually(lambda n=n: lab.numbers[-1] == n, interval=0.001)
        took.append(time.perf_counter() - began)
    assert sorted(took)[len(took) // 2] < 0.05


async def test_consuming_starts_at_prefetch_one_and_widens(lab: Lab, wire: Wire) -> None:
    for n in range(20):
        await wire.publish(EVENTS, KEY, sample(n).body, type="lab.sample.v1")
    gate = Gate(lab)
    lab.consume(gate, batch_size=1)
    await eventually(lambda: gate.waiting == [0])
    assert await wire.depth(QUEUE.name) == 19, "only one is in our hands"
    gate.open()
    await eventually(lambda: len(lab.numbers) == 20)
    assert lab.numbers == list(range(20))


async def test_lanes_bundle_under_load_and_keep_order(lab: Lab, wire: Wire) -> None:
    watched = await wire.collect(EVENTS, "lab.#")
    keys = [f"lab.{k}" for k in range(3)]
    lab.consume()
    await asyncio.gather(*[lab.publish(range(1000 * i, 1000 * i + 700), key) for i, key in enumerate(keys)])
    await eventually(lambda: len(lab.numbers) == 2100)
    for i in range(3):
        assert [n for n in lab.numbers if n // 1000 == i] == list(range(1000 * i, 1000 * i + 700))
    assert await wire.depth(watched) < 300, "they were sent in bundles"


async def test_what_must_be_alone_is_never_bundled(lab: Lab, wire: Wire) -> None:
    """Copies of failed events: one that is no JSON would spoil a bundle, and all dead letters in it."""
    failed = [Event("x", b"\xff{%d" % n, KEY, EVENTS, headers={"b": bytearray(b"\xff")}, alone=True) for n in range(20)]
    watched = await wire.collect(EVENTS, "lab.#")
    await asyncio.gather(lab.publish(range(50)), lab.publisher.publish_all(failed), lab.publish(range(50, 100)))
    bodies = [(await wire.take(watched)).body for _ in range(await wire.depth(watched))]
    assert [b for b in bodies if b.startswith(b"\xff")] == [e.body for e in failed]
    assert len(bodies) < 120, "the others were bundled"


async def test_a_bundle_with_a_bad_event_parks_that_one_alone(lab: Lab, wire: Wire) -> None:
    lab.consume(_refuse(lab, 3))
    await lab.publish(range(10))
    dead = await wire.take(DEAD)
    assert (dead.type, dead.body) == ("lab.sample.v1", b'{"n":3}')
    await eventually(lambda: lab.numbers == [0, 1, 2, 4, 5, 6, 7, 8, 9])
    assert await wire.depth(DEAD) == 0


async def test_a_redelivered_bundle_is_worked_singly_then_taken_apart(lab: Lab, wire: Wire) -> None:
    calls: list[list[int]] = []
    exchanges: list[str] = []

    async def handle(events: Sequence[Event]) -> None:
        calls.append([number(e) for e in events])
        exchanges.extend(e.exchange for e in events)
        if len(calls) == 1 or (len(calls) < 11 and number(events[0]) == 2):
            raise DeposedError("as if the process had died")
        await lab.note(events)

    events = [sample(n) for n in range(5)]
    await lab.publisher.send(events, asyncio.get_running_loop().time() + 5)  # one bundle
    lab.consume(handle)
    await eventually(lambda: sorted(set(lab.numbers)) == [0, 1, 2, 3, 4])
    assert calls[0] == [0, 1, 2, 3, 4], "at first as a whole"
    assert calls[1:10] == [[0], [1], [2]] * 3, "then one by one"
    assert [n for batch in calls[10:] for n in batch] == [0, 1, 2, 3, 4]
    assert exchanges[-5:] == ["lab.again"] * 5, "then as messages of their own"
    assert await wire.depth(DEAD) == 0


@pytest.mark.parametrize(
    "messages",
    [[[0, 1, -1, 2, 3]], [[-1]]],
    ids=["in a bundle", "at the head"],
)
async def test_poison_dies_alone(
    lab: Lab, wire: Wire, space: Space, services: Services, messages: list[list[int]]
) -> None:
    """The process dies each time it meets the sample -1; that one ends parked, and all others are handled."""
    await wire.declare(space.topology)
    dlq = await services.start(build_dlq, DlqSettings, dlq_queues=DEAD, watch_ignore="*")
    others = range(20, 1020)
    deadline = asyncio.get_running_loop().time() + 20
    for numbers in [*messages, *[[n] for n in others]]:
        await lab.publisher.send([sample(n) for n in numbers], deadline)
    innocent = {str(n) for numbers in messages for n in numbers if n >= 0} | set(map(str, others))
    victim = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.support.victim",
        space.amqp_url,
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert victim.stdin is not None
    assert victim.stdout is not None
    try:
        letter = await eventually(lambda: _only_letter(dlq), 40)
        lines: list[str] = []
        async with asyncio.timeout(10):
            while not innocent <= set(lines):
                lines.append((await victim.stdout.readline()).decode().strip())
    finally:
        victim.stdin.close()
        lines += (await victim.stdout.read()).decode().split()
        await victim.wait()
    assert (letter["cause"]["type"], letter["queue"], letter["status"]) == ("delivery_limit", QUEUE.name, "held")
    assert letter["body"]["data"] == '{"n":-1}'
    assert lines.count("died") > 5, "it was tried, not condemned at the first death"


async def _only_letter(dlq: Running) -> dict[str, Any] | None:
    """Return the one letter there is, whole."""
    found = (await dlq.http.get("/letters")).json()
    assert found["total"] <= 1, "innocent ones are parked too"
    return (await dlq.http.get(f"/letters/{found['items'][0]['id']}")).json() if found["total"] else None


async def test_a_handler_that_fails_twice_gets_the_event_later_and_unchanged(lab: Lab, wire: Wire) -> None:
    attempts: dict[str, dict[int, float]] = {}

    async def handle(events: Sequence[Event]) -> None:
        for event in events:  # after a batch has failed each is tried alone, that is still the same attempt
            attempts.setdefault(event.id, {})[event.attempt] = time.monotonic()
        if any(event.attempt < 3 for event in events):
            raise TransientError("not now")
        arrived.extend(events)

    arrived: list[Event] = []
    sent = {one.id: one for one in map(sample, range(5))}
    lab.consume(handle)
    await lab.publisher.publish_all(list(sent.values()))
    await eventually(lambda: len(arrived) == len(sent), 20)
    assert [list(each) for each in attempts.values()] == [[1, 2, 3]] * len(sent)
    waits = [[after - before for before, after in itertools.pairwise(each.values())] for each in attempts.values()]
    for waited, wanted in zip(zip(*waits, strict=True), FailurePolicy().delays, strict=False):
        assert min(waited) > 0.98 * wanted, "none comes too early"
        assert min(waited) < 1.2 * wanted, "what is later than the quickest, the machine adds"
    for got in arrived:
        assert (got.routing_key, got.body) == (KEY, sent[got.id].body)
    assert await wire.depth(DEAD) == 0


async def test_the_last_attempt_is_followed_by_the_dead_queue(lab: Lab, wire: Wire) -> None:
    async def handle(_: Sequence[Event]) -> None:
        raise TransientError("not ever")

    lab.consume(handle)
    await wire.publish(EVENTS, KEY, b'{"n":1}', type="lab.sample.v1", headers={"x-warren-attempt": 4})
    dead = await wire.take(DEAD)
    assert dead.headers["x-warren-cause"] == "TransientError"
    assert dead.headers["x-warren-attempt"] == 4


async def test_a_permanent_failure_is_dead_at_once_with_its_cause(lab: Lab, wire: Wire) -> None:
    trace = f"00-{'a' * 32}-{'b' * 16}-01"
    lab.consume(_refuse(lab, 1))
    await wire.publish(
        EVENTS, KEY, b'{"n":1}', type="lab.sample.v1", message_id="m-1", headers={"traceparent": trace, "mine": 5}
    )
    dead = await wire.take(DEAD)
    assert (dead.message_id, dead.type, dead.body) == ("m-1", "lab.sample.v1", b'{"n":1}')
    told = {k.removeprefix("x-warren-"): v for k, v in dead.headers.items() if k.startswith("x-warren-")}
    assert told.pop("died-at")
    assert len(str(told.pop("death"))) == 32
    assert told == {
        "attempt": 1,
        "cause": "PermanentError",
        "error": "1 is refused",
        "where": "test_runtime.py:handle",
        "service": "lab",
        "instance": "lab@test",
        "queue": "lab.events",
        "exchange": "warren.events",
        "routing-key": KEY,
    }
    assert (dead.headers["traceparent"], dead.headers["mine"]) == (trace, 5)


async def test_a_dependency_that_is_down_pauses_the_queue_and_blames_no_message(lab: Lab, wire: Wire) -> None:
    down, calls, probes = True, 0, 0

    async def handle(events: Sequence[Event]) -> None:
        nonlocal calls
        calls += 1
        if down:
            raise DependencyDownError("thing", "no answer")
        await lab.note(events)

    async def probe() -> None:
        nonlocal probes
        probes += 1
        if down:
            raise DependencyDownError("thing", "still no answer")

    await lab.publish(range(50))
    consumer = lab.consume(handle, probes={"thing": probe})
    await eventually(lambda: probes >= 4)
    assert (consumer.paused_for, consumer.consuming, calls) == ("thing", False, 1)
    assert await wire.consumers(QUEUE.name) == 0, "its channel is closed: another process may try"
    down = False
    await eventually(lambda: len(lab.numbers) >= 50)
    assert lab.numbers == list(range(50))
    assert consumer.paused_for is None
    assert await wire.depth(DEAD) == 0


async def test_a_connection_that_is_closed_loses_nothing_and_keeps_order(lab: Lab, space: Space) -> None:
    lab.consume()
    stop = False

    async def stream() -> int:
        n = 0
        while not stop:
            await lab.publish(range(n, n + 10))
            n += 10
        return n

    streaming = asyncio.create_task(stream())
    for purpose in ("work", "facts"):
        await eventually(
            lambda p=purpose: space.management.close_connections(space.vhost, f"lab {p}"), 15, interval=0.2
        )
    stop = True
    total = await streaming
    await eventually(lambda: len(set(lab.numbers)) == total)
    assert _first_times(lab.numbers) == list(range(total))


async def test_a_deleted_queue_is_declared_again(lab: Lab, wire: Wire) -> None:
    consumer = lab.consume()
    await lab.publish([1])
    await eventually(lambda: lab.numbers == [1])
    await wire.channel.queue_delete(QUEUE.name)
    await eventually(lambda: not consumer.consuming)
    await eventually(lambda: consumer.consuming)
    await lab.publish([2])
    await eventually(lambda: lab.numbers == [1, 2])


async def test_a_queue_that_is_missing_is_declared_again_after_an_unroutable_publish(lab: Lab, wire: Wire) -> None:
    await lab.publish([0])
    await wire.channel.queue_delete(QUEUE.name)
    with pytest.raises(UnroutableError, match=r"no queue takes lab\.1 of warren\.events"):
        await lab.publish([1])
    await lab.publish([2])
    lab.consume()
    await eventually(lambda: lab.numbers == [2])


async def test_a_dead_queue_that_is_missing_is_declared_again(lab: Lab, wire: Wire) -> None:
    lab.consume(_refuse(lab, 1))
    await lab.publish([0])
    await eventually(lambda: lab.numbers == [0])
    await wire.channel.queue_delete(DEAD)
    await lab.publish([1])
    assert (await wire.take(DEAD)).body == b'{"n":1}'


async def wide_open(lab: Lab, wire: Wire, gate: Gate, backlog: range) -> Consumer:
    """A consumer that has its window full of a longer backlog and waits in its first batch of it."""
    gate.open()
    consumer = lab.consume(gate, batch_size=3, prefetch=8)
    await lab.publish([0])
    await eventually(lambda: lab.numbers == [0] and consumer.idle)
    gate.shut()
    for n in backlog:
        await wire.publish(EVENTS, KEY, sample(n).body, type="lab.sample.v1")
    await eventually(lambda: consumer.delivered == 1 + 8, what="the window is full")
    return consumer


async def test_drain_works_what_was_delivered_and_leaves_the_rest_as_new(lab: Lab, wire: Wire) -> None:
    gate = Gate(lab)
    consumer = await wide_open(lab, wire, gate, range(1, 31))
    draining = asyncio.create_task(consumer.drain())
    gate.open()
    await draining
    assert lab.numbers == list(range(9))
    assert await wire.depth(QUEUE.name) == 22
    rest = await wire.channel.get_queue(QUEUE.name, ensure=False)
    async with rest.iterator(timeout=10) as messages:
        assert not (await anext(messages)).redelivered, "nothing was delivered that was not worked"


async def test_the_queue_is_handed_over_drained_and_in_order(lab: Lab, wire: Wire) -> None:
    """A second consumer waits; the first gives way with its window full, and is behind the second afterwards."""
    gate = Gate(lab)
    first = await wide_open(lab, wire, gate, range(1, 31))
    batches: list[list[int]] = []

    async def note(events: Sequence[Event]) -> None:
        batches.append([number(e) for e in events])

    def seen() -> list[int]:
        return [n for batch in batches for n in batch]

    second = lab.consume(note)
    await eventually(lambda: second.consuming)
    first.give_way()
    gate.open()
    await eventually(lambda: len(seen()) == 22)
    assert lab.numbers == list(range(9))
    assert seen() == list(range(9, 31))
    assert len(batches) < 22, "worked as new: what a crash brought back is worked one by one"
    await eventually(lambda: first.subscription == 2)
    await lab.publish([31])
    await eventually(lambda: seen()[-1] == 31)
    second.give_way()
    await eventually(lambda: second.subscription == 2)
    await lab.publish([32])
    await eventually(lambda: lab.numbers[-1] == 32)


async def test_a_first_delivery_does_not_change_whose_turn_it_is(lab: Lab) -> None:
    """Widening must not let the process behind become the active one."""
    others: list[int] = []

    async def note(events: Sequence[Event]) -> None:
        others.extend(number(e) for e in events)

    first = lab.consume()
    await eventually(lambda: first.consuming)
    second = lab.consume(note)
    await eventually(lambda: second.consuming)
    for n in range(5):
        await lab.publish([n])
    await eventually(lambda: len(lab.numbers) + len(others) == 5)
    assert lab.numbers == [0, 1, 2, 3, 4]


async def test_drain_returns_while_the_broker_is_away(space: Space) -> None:
    lab = Lab("amqp://guest:guest@127.0.0.1:1/")
    consumer = lab.consume()
    async with asyncio.timeout(2):
        await consumer.drain()
    await lab.close()


async def test_an_error_of_our_own_ends_neither_consumer_nor_message(
    lab: Lab, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bug in the failure path itself: the process stays, and the broker parks what it cannot get rid of."""

    def broken(*_: object) -> Event:
        raise ValueError("a bug")

    monkeypatch.setattr("warren.messaging.failures.dead_copy", broken)
    monkeypatch.setattr("warren.messaging.consumer.back_off", lambda _: 0)
    lab.consume(_refuse(lab, 1))
    await lab.publish([1])
    await lab.publish([2])
    dead = await wire.take(DEAD)
    assert dead.body == b'{"n":1}'
    assert dead.headers["x-death"][0]["reason"] == "delivery_limit"
    await eventually(lambda: 2 in lab.numbers)


def _refuse(lab: Lab, bad: int):  # type: ignore[no-untyped-def]
    async def handle(events: Sequence[Event]) -> None:
        if any(number(e) == bad for e in events):
            raise PermanentError(f"{bad} is refused")
        await lab.note(events)

    return handle


def _first_times(numbers: Sequence[int]) -> list[int]:
    """Leave out what came again after a loss."""
    return list(dict.fromkeys(numbers))


async def test_many_who_want_a_binding_at_once_wait_for_one(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    feed = Feed(
        space.amqp_url,
        "feed",
        heartbeat=6,
        prefix="gateway.many",
        accepts={},
        handler=lambda _: None,
        on_reset=lambda: None,
    )
    running = asyncio.create_task(feed.run())
    await feed.bind(EVENTS, "room.0")
    asked, bind = [], Queue.bind

    async def counted(queue: Queue, exchange: str, key: str, **options: float) -> None:
        asked.append(key)
        await bind(queue, exchange, key, **options)

    monkeypatch.setattr(Queue, "bind", counted)
    await asyncio.gather(*[feed.bind(EVENTS, f"room.{n % 3}") for n in range(100)])
    assert sorted(asked) == ["room.1", "room.2"]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
