from __future__ import annotations

import asyncio

import pytest

from warren.recent import Recent


class Asked:
    """Answers with how often it was asked, and takes its time."""

    def __init__(self) -> None:
        self.now = 0.0
        self.times = 0
        self.takes = 0.0
        self.fails = False

    async def __call__(self) -> int:
        self.times += 1
        await asyncio.sleep(0)
        self.now += self.takes
        if self.fails:
            raise ConnectionError("away")
        return self.times


async def test_all_who_want_to_know_meanwhile_get_one_answer() -> None:
    asked = Asked()
    recent = Recent(asked, lambda: asked.now)
    assert await asyncio.gather(*[recent() for _ in range(50)]) == [1] * 50


async def test_an_answer_is_good_for_a_moment_and_one_that_took_long_for_longer() -> None:
    asked = Asked()
    recent = Recent(asked, lambda: asked.now)
    answers = []
    for now, takes in ((0.0, 0.0), (0.4, 0.0), (0.6, 2.0), (22.0, 0.0), (22.7, 60.0), (110.0, 0.0), (113.0, 0.0)):
        asked.now, asked.takes = now, takes
        answers.append(await recent())
    assert answers == [1, 1, 2, 2, 3, 3, 4]


async def test_a_failure_is_not_kept_and_one_who_goes_away_takes_no_answer_from_others() -> None:
    asked = Asked()
    recent = Recent(asked, lambda: asked.now)
    asked.fails = True
    with pytest.raises(ConnectionError):
        await recent()
    asked.fails = False
    gone, stays = asyncio.ensure_future(recent()), asyncio.ensure_future(recent())
    await asyncio.sleep(0)
    gone.cancel()
    assert await stays == 2
