"""Each process killed once with `kill -9` during a conversation at 200 messages/s; `make chaos` does it many times."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.stack import Stack, running_stack
from tests.support.talk import Talk
from tests.support.waiting import eventually

VICTIMS = ("chat", "presence", "audit", "gateway-1", "store", "broker")


@pytest.fixture(scope="module")
def fragile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack that may be hurt."""
    with running_stack(tmp_path_factory.mktemp("fragile")) as stack:
        yield stack


@pytest.mark.timeout(180)
@pytest.mark.parametrize("victim", VICTIMS)
async def test_a_kill_loses_nothing_doubles_nothing_and_presence_recovers(fragile: Stack, victim: str) -> None:
    async with Talk(fragile.gateways) as talk:
        await talk.said(300)
        pid = fragile.kill(victim)
        await talk.said(400)
        await talk.presence_is_right()
        await talk.finish()
        await talk.reckon()
    await eventually(lambda: _is_whole(fragile, victim, pid), 30, what=f"{victim} is back and all is ready")


def _is_whole(stack: Stack, victim: str, former: int) -> bool:
    return stack.run("status", "--json").returncode == 0 and stack.pid(victim) != former
