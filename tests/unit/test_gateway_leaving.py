"""A gateway that goes: load balancers first, then each client when its messages are confirmed; and one that stays."""

from __future__ import annotations

import asyncio
from pathlib import Path

from gateway.leaving import Leaving
from gateway.settings import GatewaySettings
from tests.support.waiting import eventually
from tests.unit.test_gateway_session import Wire, session
from warren.health import Health

NOTICE = 0.1


def leaving(health: Health, *wires: Wire) -> Leaving:
    settings = GatewaySettings(jwt_secret="x" * 32, drain_notice=NOTICE, drain_spread=0.05)  # type: ignore[arg-type]  # pydantic wraps it
    sessions = [session(wire) for wire in wires]
    return Leaving(settings, health, lambda: sessions)


async def test_newcomers_are_let_in_until_balancers_know_and_then_all_are_sent_away() -> None:
    health, wires = Health(), [Wire() for _ in range(5)]
    door = leaving(health, *wires)
    await health.drain()
    draining = asyncio.create_task(door.drain())
    await asyncio.sleep(0)
    assert not health.in_rotation
    assert not door.closed
    await draining
    assert door.closed
    assert [w.closed for w in wires] == [(4010, "drain")] * 5


async def test_one_waits_for_its_confirm_before_its_goodbye_and_keeps_no_other_waiting() -> None:
    health, wire, other = Health(), Wire(), Wire()
    one = session(wire)
    settings = GatewaySettings(jwt_secret="x" * 32, drain_spread=0.05)  # type: ignore[arg-type]  # pydantic wraps it
    door = Leaving(settings, health, lambda: [one, session(other)])
    one.begin()
    await health.drain()
    await door.drain()
    await eventually(lambda: other.closed == (4010, "drain"))
    assert wire.closed is None
    one.end()
    await eventually(lambda: wire.closed == (4010, "drain"))


async def test_an_alive_file_that_is_back_at_once_sends_nobody_away(tmp_path: Path) -> None:
    alive, wire = tmp_path / "alive", Wire()
    health = Health(str(alive))
    alive.touch()
    door = leaving(health, wire)
    alive.unlink()
    draining = asyncio.create_task(door.drain())
    await asyncio.sleep(0)
    alive.touch()
    await draining
    assert not door.closed
    assert wire.closed is None


async def test_without_the_file_it_is_closed_until_the_file_is_back(tmp_path: Path) -> None:
    alive, wire = tmp_path / "alive", Wire()
    health = Health(str(alive))
    alive.touch()
    door = leaving(health, wire)
    running = asyncio.create_task(door.run())
    alive.unlink()
    await eventually(lambda: wire.closed == (4010, "drain"))
    assert door.closed
    alive.touch()
    assert not door.closed, "as soon as balancers are told so"
    running.cancel()
