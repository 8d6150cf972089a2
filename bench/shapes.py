"""What is measured: shapes of load. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Shape:
    """`rooms` of `members` each, of whom the first `senders` send; members sit at the gateways by turns.

    A closed loop keeps `window` messages of each sender under way until each is `complete`: everywhere, or acked. An
    open loop sends `rate` messages per second in all, whatever comes back; a `ramp` begins there and looks for more.
    """

    name: str
    about: str
    rooms: int
    members: int
    senders: int
    window: int = 0
    complete: Literal["everywhere", "acked"] = "everywhere"
    rate: float = 0
    ramp: bool = False

    @property
    def loop(self) -> str:
        """How it is driven, in words."""
        if self.window:
            return f"closed loop, {self.senders * self.rooms} × {self.window} under way until {self.complete}"
        return "open loop, rate found by a ramp" if self.ramp else "open loop"


SHAPES = {
    shape.name: shape
    for shape in (
        Shape("idle", "one message at a time, from one gateway to the other", rooms=1, members=2, senders=1, window=1),
        Shape("fanout", "one room of 50, 10 of them send", rooms=1, members=50, senders=10, window=4),
        Shape("modest", "20 rooms of 10, far from full", rooms=20, members=10, senders=10, rate=200),
        Shape(
            "rooms", "20 rooms of 10, as fast as they keep up", rooms=20, members=10, senders=10, rate=100, ramp=True
        ),
        Shape("accepted", "as many acks as possible", rooms=16, members=2, senders=2, window=16, complete="acked"),
    )
}
RAW = {"raw-one": 1, "raw-many": 100}
"""The broker alone, by the number of publishes outstanding: what ratios refer to, so always measured."""
