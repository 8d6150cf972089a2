"""One client cut off 200 times at random moments while ten others talk, edit and delete. Seeded."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.chaos.test_kills import SEED
from tests.support.cuts import Victim
from tests.support.stack import running_stack
from tests.support.talk import Talk

KINDS = {
    "closed": 101,
    "frozen": 40,
    "frozen, then closed": 40,
    "frozen for good": 1,
    "gateway killed": 15,
    "broker killed": 3,
}
CUTS = sum(KINDS.values())


@pytest.mark.chaos
@pytest.mark.timeout(600)
async def test_a_client_cut_off_200_times_has_exactly_the_rooms_entries(tmp_path: Path) -> None:
    with running_stack(tmp_path) as stack:
        async with Talk(stack.gateways, members=10, rooms=1, rate=20, changes=0.3) as talk:
            victim = Victim(stack, talk, random.Random(f"{SEED} cuts"))
            await victim.suffer(CUTS, KINDS)
            print(dict(victim.suffered), len(talk.received[0]), "entries")  # noqa: T201 - shown with -s
