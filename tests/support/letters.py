"""dlq-monitor under fire: messages that die all the time, a consumer that counts arrivals, people who replay.

The messages are numbered. Every fifth died of something that passes, which the rules replay; every tenth dies once
more when it comes back. `Ward.reckon` says whether each is where it belongs.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Self

import aio_pika
import httpx
from aio_pika.abc import AbstractIncomingMessage

from tests.support.nodes import free_port, remembers
from tests.support.waiting import eventually
from tests.support.wire import Wire
from warren.envelope import REPLAYS, Event
from warren.errors import PublishError
from warren.messaging import Link, Publisher, failures
from warren.stack.broker import Broker
from warren.stack.process import Process
from warren.stack.store import Store
from warren.topology import Topology

QUEUE = "other.work"
"""Of a service outside of the topology."""

TOKEN = "ward"
BODY = b'{"room":"r","body":"hello"}'
ANN = {"actor": "ann", "reason": "mended"}
EVERYTHING = {**ANN, "letters": {"all": True}, "canary": False, "max_failures": 1_000_000}
ROOT = Path(__file__).parents[2]
RULES = """\
rules:
  - {name: passing causes, match: {transient: true}, do: republish, times: 3, delay: 1s, factor: 1, jitter: 0.5}
  - {name: everything else, do: hold}
"""


class Monitor:
    """dlq-monitor as a process that may be killed."""

    def __init__(self, directory: Path, broker: Broker, store: Store) -> None:
        rules = directory / "rules.yaml"
        rules.write_text(RULES)
        self.port = free_port()
        self.http = httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{self.port}", headers={"Authorization": f"Bearer {TOKEN}"}, timeout=10
        )
        settings = {
            "AMQP_URL": broker.url,
            "MONGO_URL": store.url,
            "PORT": self.port,
            "SERVICE_TOKEN": TOKEN,
            "PARTITIONS": 2,
            "DLQ_RULES": rules,
            "DLQ_SETTLE": 1,
            "WATCH_IGNORE": "*",
            "ALERT_CHANNELS": "",
            "LOG_LEVEL": "error",
        }
        self._env = {**os.environ, **{f"WARREN_{k}": str(v) for k, v in settings.items()}}
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it; it is not ready yet."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "dlq_monitor", env=self._env, cwd=ROOT
        )

    async def kill(self) -> None:
        """`kill -9`."""
        if self._process and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    @property
    def runs(self) -> bool:
        """Whether it has not ended by itself."""
        return self._process is not None and self._process.returncode is None

    async def ask(self, method: str, path: str, **more: Any) -> tuple[int, dict[str, Any]]:
        """Ask its API; 0 is the code of an answer that did not come."""
        try:
            answer = await self.http.request(method, path, **more)
            return answer.status_code, answer.json()
        except (httpx.TransportError, ValueError):
            return 0, {}

    async def is_ready(self) -> bool:
        """Ask `/readyz`."""
        return (await self.ask("GET", "/readyz"))[0] == httpx.codes.OK


class Ward:
    """All of it, on nodes of its own."""

    def __init__(self, broker: Broker, store: Store, monitor: Monitor, seed: str) -> None:
        self.broker, self.store, self.monitor = broker, store, monitor
        self.rng = random.Random(seed)
        self.fed = 0
        self.arrivals: Counter[int] = Counter()
        self.died_again: set[int] = set()
        self._link = Link(broker.url, "ward", heartbeat=5, setup=None)
        self._publisher = Publisher(self._link, "ward", timeout=5)
        self._busy = False
        self._tasks: list[asyncio.Task[None]] = []

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, directory: Path, broker: Broker, store: Store, seed: str) -> AsyncIterator[Self]:
        """Start dlq-monitor, and the consumer."""
        wire = await Wire.open(broker.url)
        await wire.declare(Topology(2))
        await wire.channel.declare_queue(QUEUE, durable=True, arguments={"x-queue-type": "quorum"})
        await wire.close()
        await eventually(lambda: remembers(broker, QUEUE))
        ward = cls(broker, store, Monitor(directory, broker, store), seed)
        try:
            await ward.monitor.start()
            await eventually(ward.monitor.is_ready, 40, what="dlq-monitor is ready")
            ward._tasks += [asyncio.create_task(ward._link.run()), asyncio.create_task(ward._consume())]
            yield ward
        finally:
            for task in ward._tasks:
                task.cancel()
            await asyncio.gather(*ward._tasks, return_exceptions=True)
            await ward.monitor.kill()
            await ward.monitor.http.aclose()

    async def feed(self, count: int) -> None:
        """Let so many messages die."""
        numbers = range(self.fed, self.fed + count)
        self.fed += count
        for n in numbers:
            error = TimeoutError("too slow") if n % 5 == 0 else ValueError("no good")
            await self._die(Event("message.post.v1", BODY, "chat.0", "warren.commands", id=f"m-{n}"), error)

    @contextlib.asynccontextmanager
    async def busy(self, *, rate: int) -> AsyncIterator[None]:
        """Let messages die and people replay, in bulk and one by one, as long as the block lasts.

        What is begun is ended: a message that is counted as fed was confirmed.
        """
        self._busy = True
        tasks = [asyncio.create_task(self._keep_feeding(rate)), asyncio.create_task(self._keep_replaying())]
        try:
            yield
            for task in tasks:
                assert not task.done(), task
        finally:
            self._busy = False
            await asyncio.gather(*tasks)

    async def wounded(self, moments: int, *, within: float) -> None:
        """`kill -9` dlq-monitor so often, each at a moment within so many seconds after it was ready."""
        for _ in range(moments):
            await asyncio.sleep(self.rng.uniform(0, within))  # the moment is what is random here
            await self.monitor.kill()
            await self.monitor.start()
            if self.rng.random() < 0.8:  # else it is killed while it starts
                await eventually(self.monitor.is_ready, 60, what="dlq-monitor is ready again")

    async def restarted(self, node: Process, *, kill: bool) -> None:
        """Kill or end a node and start it again; dlq-monitor has to live through that."""
        if kill:
            node.kill()
            await node.ended()
        else:
            await node.end()
        await asyncio.sleep(self.rng.uniform(0, 2))  # how long it is away is random, too
        await node.start()
        await node.ready()
        await eventually(self.monitor.is_ready, 60, what="dlq-monitor is ready again")

    async def settle(self, within: float = 120) -> None:
        """Wait until replays that were under way have ended by themselves; send what is left; wait for its outcome."""
        assert self.monitor.runs, "dlq-monitor ended by itself"
        await eventually(self.monitor.is_ready, 60, what="dlq-monitor is ready")
        await eventually(self._is_parked, within, what="all is parked", interval=0.3)
        await eventually(self._replays_ended, within, what="replays end by themselves", interval=0.3)
        await eventually(self._nothing_open, within, what="nothing is open", interval=0.5)

    async def reckon(self) -> int:
        """Check that nothing is lost; returns how often a message arrived without need: doubled, under its own id."""
        letters = await self._letters()
        of: dict[int, Counter[str]] = {}
        for row in letters:
            of.setdefault(int(row["message_id"].removeprefix("m-")), Counter())[row["status"]] += 1
        assert sorted(of) == list(range(self.fed)), "every dead message is a letter"
        for n, statuses in of.items():
            wanted = Counter({"resolved": 1, **({"returned": 1} if n in self.died_again else {})})
            assert statuses == wanted, (n, statuses, wanted)
        assert self.died_again == {n for n in range(self.fed) if _dies_again(n)}
        assert sorted(self.arrivals) == list(range(self.fed)), "every message arrived in the end"
        return self.arrivals.total() - len(letters)

    async def _die(self, event: Event, error: Exception) -> None:
        """Publish a dead copy until it is confirmed."""
        copy = failures.dead_copy(event, "chat", "chat@1", QUEUE, error)
        while True:
            try:
                return await self._publisher.publish(copy)
            except PublishError:
                continue

    async def _keep_feeding(self, rate: int) -> None:
        while self._busy:
            await self.feed(rate // 10)
            await asyncio.sleep(0.1)  # a pace

    async def _keep_replaying(self) -> None:
        ask = self.monitor.ask
        while self._busy:
            await ask("POST", "/replays", json={**EVERYTHING, "rate": 300})
            for _ in range(self.rng.randint(1, 5)):
                _, found = await ask("GET", "/letters", params={"status": "open", "limit": 3})
                for row in found.get("items", []):
                    await ask("POST", f"/letters/{row['id']}/replay", json=ANN)
            await asyncio.sleep(0.2)  # a pace

    async def _consume(self) -> None:
        """Count arrivals; a redelivery is none. What dies again does so the same way each time."""
        while True:
            with contextlib.suppress(Exception):  # whatever an outage brings: it begins anew
                async with await aio_pika.connect(self.broker.url) as connection:
                    channel = await connection.channel()
                    await channel.set_qos(100)
                    lost = asyncio.Event()
                    channel.close_callbacks.add(lambda *_, lost=lost: lost.set())  # type: ignore[misc]
                    queue = await channel.get_queue(QUEUE, ensure=False)
                    await queue.consume(self._take)
                    await lost.wait()
            await asyncio.sleep(0.3)

    async def _take(self, message: AbstractIncomingMessage) -> None:
        n = int(str(message.message_id).removeprefix("m-"))
        if not message.redelivered or n not in self.arrivals:
            self.arrivals[n] += 1
        if _dies_again(n) and message.headers[REPLAYS] == 1:
            self.died_again.add(n)
            died = Event("message.post.v1", BODY, QUEUE, id=str(message.message_id), headers=dict(message.headers))
            await self._die(died, ValueError("no good"))
        with contextlib.suppress(Exception):  # it comes again
            await message.ack()

    async def _is_parked(self) -> bool:
        seen = {row["message_id"] for row in await self._letters()}
        assert len(seen) == self.fed, f"{len(seen)} of {self.fed}"
        return True

    async def _letters(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        before: dict[str, Any] = {}
        while True:
            _, page = await self.monitor.ask("GET", "/letters", params={"limit": 1000, **before})
            found += page.get("items", [])
            if not page.get("next"):
                return found
            before = {"before": page["next"]}

    async def _replays_ended(self) -> bool:
        code, found = await self.monitor.ask("GET", "/replays")
        left = [r for r in found.get("items", []) if r["state"] != "done"]
        assert not left, (len(left), left[0])
        return code == httpx.codes.OK

    async def _nothing_open(self) -> bool:
        """Send what came after the last plan; says whether there is nothing, and all outcomes are known."""
        await self.monitor.ask("POST", "/replays", json=EVERYTHING)
        counts = Counter(row["status"] for row in await self._letters())
        assert set(counts) <= {"resolved", "returned"}, counts
        return await self._replays_ended()


def _dies_again(n: int) -> bool:
    return n % 10 == 1
