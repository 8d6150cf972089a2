"""Each process killed once with `kill -9` during a conversation at 200 messages/s; `make chaos` does it many times.

On the stack of all end-to-end tests: those that follow find it as if nothing had happened.
"""

from __future__ import annotations

import pytest

from tests.support.stack import Stack
from tests.support.talk import Talk
from tests.support.waiting import eventually

VICTIMS = ("chat", "presence", "audit", "gateway-1", "store", "broker")


@pytest.mark.timeout(180)
@pytest.mark.parametrize("victim", VICTIMS)
async def test_a_kill_loses_nothing_doubles_nothing_and_presence_recovers(stack: Stack, victim: str) -> None:
    async with Talk(stack.gateways) as talk:
        await talk.said(300)
        pid = stack.kill(victim)
        await talk.said(400)
        await talk.presence_is_right()
        await talk.finish()
        await talk.reckon()
    await eventually(lambda: _is_whole(stack, victim, pid), 30, what=f"{victim} is back and all is ready")


def _is_whole(stack: Stack, victim: str, former: int) -> bool:
    return stack.run("status", "--json").returncode == 0 and stack.pid(victim) != former
