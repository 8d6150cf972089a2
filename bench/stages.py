"""The stages of a message's way, from what the services' metrics have added in a window. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bench.scrape import Samples

BUNDLE, BATCH, WRITE = "warren_bundle_events", "warren_batch_events", "warren_write_events"


@dataclass(frozen=True, slots=True)
class Stage:
    """`events` in groups of `size` on average; an event `waited` before, a group `took` (ms); None: not measured."""

    name: str
    events: float
    size: float | None = None
    waited: float | None = None
    took: float | None = None


def stages(told: Mapping[str, Samples]) -> list[Stage]:
    """Return all stages in the order of the way."""
    gateways, chat, audit = told["gateways"], told["chat"], told["audit"]
    return [
        Stage(
            "gateway in",
            gateways.total("warren_gateway_frames_received_total", type="message"),
            took=ms(gateways.mean("warren_gateway_accept_seconds")),
        ),
        Stage("publish", gateways.total(f"{BUNDLE}_sum"), gateways.mean(BUNDLE)),
        _consumer("chat", chat),
        Stage("store", chat.total(f"{WRITE}_sum"), chat.mean(WRITE), _spent(chat, "turn"), _writing(chat)),
        Stage("fact", chat.total(f"{BUNDLE}_sum"), chat.mean(BUNDLE)),
        Stage("gateway out", gateways.total("warren_gateway_facts_total")),
        _consumer("audit", audit),
        Stage("audit's store", audit.total(f"{WRITE}_sum"), audit.mean(WRITE), took=_writing(audit)),
        _consumer("presence", told["presence"]),
    ]


def way(mean: Mapping[str, float], chat: Samples) -> dict[str, float]:
    """Split the mean time from due to delivered by stage, in ms; `mean` is the load generator's, in seconds."""
    parts = {
        "generator": mean["late"] * 1000,
        "to gateway": mean["accept"] * 1000,
        "to chat": _spent(chat, "queued") or 0.0,
        "turn": _spent(chat, "turn") or 0.0,
        "write": _spent(chat, "write") or 0.0,
    }
    return {**parts, "fact out": mean["delivery"] * 1000 - sum(parts.values())}


def ms(seconds: float | None) -> float | None:
    """Return milliseconds."""
    return None if seconds is None else seconds * 1000


def _consumer(name: str, told: Samples) -> Stage:
    took = ms(told.mean("warren_handling_seconds"))
    return Stage(name, told.total(f"{BATCH}_sum"), told.mean(BATCH), _spent(told, "queued"), took)


def _spent(told: Samples, stage: str) -> float | None:
    """Return an event's mean time in a stage, in ms."""
    events = told.total(f"{BATCH}_sum" if stage == "queued" else f"{WRITE}_sum")
    return told.total("warren_spent_seconds_total", stage=stage) * 1000 / events if events else None


def _writing(told: Samples) -> float | None:
    return ms(told.mean("warren_write_seconds"))
