"""What was seen of the broker at one time, and of a queue over time. Pure, and bounded in memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

FINE = 120
"""Samples kept as they came: ten minutes at five seconds."""

COARSE_SECONDS = 60.0
COARSE = 360
"""Older ones, one a minute: six hours."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One queue at `time` (Unix seconds). None: not known.

    `published` and `taken` are counters since the broker knows the queue: messages published to it, and messages that
    were acked or delivered without an ack. `head` is the timestamp of the oldest message.
    """

    time: float
    ready: int
    consumers: int
    unacked: int | None = None
    published: int | None = None
    taken: int | None = None
    head: float | None = None

    @property
    def depth(self) -> int:
        """All messages, those in the hands of consumers included."""
        return self.ready + (self.unacked or 0)


@dataclass(frozen=True, slots=True)
class Traits:
    """What a queue is: `expected` to have a consumer always, a `delay` queue that never has one, only for its owner."""

    kind: str = ""
    expected: bool = False
    delay: bool = False
    exclusive: bool = False


@dataclass(frozen=True, slots=True)
class Node:
    """A node of the broker; bytes, where it says."""

    name: str
    running: bool = True
    memory: int | None = None
    memory_limit: int | None = None
    disk_free: int | None = None
    disk_limit: int | None = None


@dataclass(frozen=True, slots=True)
class Alarm:
    """A resource alarm (`memory`, `disk`) of a node: while it lasts, the broker takes nothing from publishers."""

    node: str
    resource: str


@dataclass(frozen=True, slots=True)
class Flow:
    """Counters of an exchange: messages published to it, and copies of them that were put into queues."""

    published: int
    routed: int


@dataclass(frozen=True, slots=True)
class Look:
    """The broker at one time. `missing` are queues of the topology that do not exist.

    `management` says why the management API could not be asked, and is empty if it could; without it `nodes`, `alarms`,
    `blocked` and `flows` are empty and mean nothing.
    """

    time: float
    queues: Mapping[str, tuple[Traits, Sample]] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    management: str = ""
    nodes: tuple[Node, ...] = ()
    alarms: tuple[Alarm, ...] = ()
    blocked: tuple[str, ...] = ()
    flows: Mapping[str, Flow] = field(default_factory=dict)
    version: str = ""


class History:
    """One queue's samples: the newest as they came, older ones one a minute."""

    def __init__(self, traits: Traits) -> None:
        self.traits = traits
        self._fine: deque[Sample] = deque()
        self._coarse: deque[Sample] = deque(maxlen=COARSE)

    def add(self, sample: Sample) -> None:
        """Add the newest sample."""
        self._fine.append(sample)
        if len(self._fine) > FINE:
            old = self._fine.popleft()
            if not self._coarse or old.time - self._coarse[-1].time >= COARSE_SECONDS:
                self._coarse.append(old)

    @property
    def last(self) -> Sample:
        """The newest sample."""
        return self._fine[-1]

    def __iter__(self) -> Iterator[Sample]:
        """All samples, the oldest first."""
        yield from self._coarse
        yield from self._fine

    def since(self, time: float) -> list[Sample]:
        """Return the samples from `time` on, the oldest first."""
        found: list[Sample] = []
        for sample in reversed(self._fine):
            if sample.time < time:
                return found[::-1]
            found.append(sample)
        return [s for s in self._coarse if s.time >= time] + found[::-1]
