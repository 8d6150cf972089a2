from __future__ import annotations

import asyncio

import pytest

from chat.listing import RoomList, Row


class Looking:
    """A store that takes its time."""

    def __init__(self) -> None:
        self.now = 0.0
        self.looks = 0
        self.takes = 0.0
        self.fails = False

    async def __call__(self) -> list[Row]:
        self.looks += 1
        await asyncio.sleep(0)
        self.now += self.takes
        if self.fails:
            raise ConnectionError("away")
        return [(f"room {n}", self.looks, None) for n in range(3)]  # type: ignore[list-item]


async def test_all_who_ask_meanwhile_get_one_look() -> None:
    look = Looking()
    rooms = RoomList(look, lambda: look.now)
    found = await asyncio.gather(*[rooms.newest(2) for _ in range(50)])
    assert look.looks == 1
    assert all([room for room, *_ in rows] == ["room 0", "room 1"] for rows in found)


async def test_a_look_is_good_for_a_moment_and_a_long_one_for_longer() -> None:
    look = Looking()
    rooms = RoomList(look, lambda: look.now)
    looks = []
    for now, takes in ((0.0, 0.0), (0.4, 0.0), (0.6, 2.0), (22.0, 0.0), (22.7, 60.0), (110.0, 0.0), (113.0, 0.0)):
        look.now, look.takes = now, takes
        await rooms.newest(1)
        looks.append(look.looks)
    assert looks == [1, 1, 2, 2, 3, 3, 4]


async def test_a_failure_is_not_kept_and_one_who_goes_away_ends_no_look_of_others() -> None:
    look = Looking()
    rooms = RoomList(look, lambda: look.now)
    look.fails = True
    with pytest.raises(ConnectionError):
        await rooms.newest(1)
    look.fails = False
    gone, stays = asyncio.ensure_future(rooms.newest(1)), asyncio.ensure_future(rooms.newest(1))
    await asyncio.sleep(0)
    gone.cancel()
    assert await stays == [("room 0", 2, None)]
