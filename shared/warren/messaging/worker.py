"""Brings every event of delivered messages to an end: handled, sent for a retry, or dead.

Any error that is neither `DependencyDownError` nor `DeposedError` splits the batch, so that each event gets its own
verdict (`policy.decide`).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Sequence

from warren.envelope import Event
from warren.errors import ContractError, DependencyDownError, DeposedError
from warren.messaging import codec, failures
from warren.messaging.datapath import Delivery
from warren.messaging.policy import DeadLetter, Retry, decide
from warren.messaging.publisher import Publisher
from warren.observability import metrics
from warren.topology import FailurePolicy, retry_exchange

log = logging.getLogger(__name__)

Handler = Callable[[Sequence[Event]], Awaitable[None]]

SPLIT_AT = 4
"""Earlier deliveries after which a bundle is taken apart: then a poison event dies alone.

Not sooner, as its events go to the end of the queue and lose their senders' order; and what a consumer had ahead when
it died, or left, counts as delivered, too.
"""


class Worker:
    """Works the messages of one queue; see `Consumer` for what it is given."""

    def __init__(
        self,
        queue: str,
        handler: Handler,
        *,
        service: str,
        instance: str,
        failed: Publisher,
        accepts: codec.Accepted | None,
        whole: bool,
        policy: FailurePolicy,
    ) -> None:
        self._policy = policy
        self._queue = queue
        self._handler = handler
        self._service = service
        self._instance = instance
        self._failed = failed
        self._accepts = accepts
        self._split = _as_one if whole else codec.split

    async def work(self, messages: Sequence[Delivery]) -> None:
        """Bring every event of the messages to an end: handled, sent for a retry, or dead."""
        began = time.perf_counter()
        batch: list[Event] = []
        for message in messages:
            before = codec.deliveries_before(message)
            try:
                events = self._split(message)
            except ContractError as e:
                if self._accepts is not None:
                    await self._settle(codec.single(message), e)
                    continue
                events = [codec.single(message)]  # whoever takes everything takes a broken bundle too, as it is
            if before >= SPLIT_AT and len(events) > 1:
                await self._handle(batch)
                batch = []
                await self._republish(events)
            elif before > 0:  # it was in work when a process died: one by one, in order
                await self._handle(batch)
                batch = []
                for event in events:
                    await self._handle(await self._decode([event]))
            else:
                batch += await self._decode(events)
        await self._handle(batch)
        metrics.HANDLING.labels(self._queue).observe(time.perf_counter() - began)

    async def _decode(self, events: list[Event]) -> list[Event]:
        if self._accepts is None:
            return events
        good: list[Event] = []
        for event in events:
            if codec.passes_over(event, self._accepts):
                continue
            try:
                good.append(codec.decode(event, self._accepts))
            except ContractError as e:
                await self._settle(event, e)
        return good

    async def _handle(self, events: list[Event]) -> None:
        if not events:
            return
        queued = metrics.queued_seconds(events, time.time())
        try:
            await self._handler(events)
        except (DependencyDownError, DeposedError):
            raise
        except Exception as e:  # noqa: BLE001 - the policy judges every error, bugs of ours included
            if len(events) == 1:
                await self._settle(events[0], e)
                return
            for event in events:
                await self._handle([event])
            return
        metrics.BATCH_SIZE.labels(self._queue).observe(len(events))
        metrics.CONSUMED.labels(self._queue).inc(len(events))
        metrics.SPENT.labels("queued").inc(queued)

    async def _settle(self, event: Event, error: BaseException) -> None:
        verdict = decide(event.attempt, error, self._policy)
        fields = {
            "queue": self._queue,
            "type": event.type[:100],
            "event": event.id[:100],
            "trace": event.trace_id or None,
            "cause": type(error).__name__,
            "reason": str(error)[:200],
            "attempt": event.attempt,
        }
        match verdict:
            case Retry(delay):
                log.warning("event failed, tried again later", extra={"fields": {**fields, "delay": delay}})
                metrics.RETRIED.labels(self._queue).inc()
                await self._failed.publish(failures.retry_copy(event, self._service, delay))
            case DeadLetter(cause):
                log.error(
                    "event is dead",
                    extra={"fields": fields},
                    exc_info=error if cause != "ContractError" else None,
                )
                metrics.DEAD_LETTERED.labels(self._queue, cause).inc()
                await self._failed.publish(failures.dead_copy(event, self._service, self._instance, self._queue, error))

    async def _republish(self, events: list[Event]) -> None:
        log.warning("a bundle keeps failing, it is taken apart", extra={"fields": {"queue": self._queue}})
        await self._failed.publish_all([failures.again_copy(e, retry_exchange(self._service)) for e in events])


def _as_one(message: Delivery) -> list[Event]:
    return [codec.single(message)]
