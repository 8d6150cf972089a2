"""Questions that come together go out together, and nobody gets an answer that is older than the question."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from gateway.batching import Batching


class Neighbour:
    """Answers in capitals when told to."""

    def __init__(self) -> None:
        self.asked: list[Sequence[str]] = []
        self.may = asyncio.Semaphore(0)
        self.error: Exception | None = None

    async def ask(self, questions: Sequence[str]) -> list[str]:
        self.asked.append(questions)
        await self.may.acquire()
        if self.error:
            raise self.error
        return [f"{q} {len(self.asked)}" for q in questions]


@pytest.fixture
def neighbour() -> Neighbour:
    return Neighbour()


async def begun(*_: asyncio.Task[str]) -> None:
    """Let tasks run until they wait."""
    for _ in range(3):
        await asyncio.sleep(0)


async def test_what_comes_meanwhile_goes_out_together(neighbour: Neighbour) -> None:
    batching = Batching(neighbour.ask, most=3)
    first = asyncio.create_task(batching("a"))
    await begun(first)
    rest = [asyncio.create_task(batching(q)) for q in "bcdbe"]
    await begun(*rest)
    assert neighbour.asked == [("a",)], "a lone question leaves at once, the others wait for its answer"
    for _ in range(3):
        neighbour.may.release()
    assert [await t for t in (first, *rest)] == ["a 1", "b 2", "c 2", "d 2", "b 2", "e 3"]
    assert neighbour.asked == [("a",), ("b", "c", "d"), ("e",)]


async def test_an_answer_is_never_older_than_the_question(neighbour: Neighbour) -> None:
    batching = Batching(neighbour.ask, most=3)
    first = asyncio.create_task(batching("a"))
    await begun(first)
    second = asyncio.create_task(batching("a"))
    await begun(second)
    neighbour.may.release()
    neighbour.may.release()
    assert (await first, await second) == ("a 1", "a 2")


async def test_one_who_gives_up_takes_it_from_no_other(neighbour: Neighbour) -> None:
    batching = Batching(neighbour.ask, most=3)
    patient, hasty = asyncio.create_task(batching("a")), asyncio.create_task(batching("a"))
    await begun(patient, hasty)
    hasty.cancel()
    neighbour.may.release()
    assert await patient == "a 1"


async def test_a_failure_is_told_to_all_who_asked_and_the_next_question_is_asked(neighbour: Neighbour) -> None:
    batching = Batching(neighbour.ask, most=3)
    neighbour.error = ConnectionError("away")
    both = [asyncio.create_task(batching(q)) for q in "ab"]
    await begun(*both)
    neighbour.may.release()
    assert [str(e) for e in await asyncio.gather(*both, return_exceptions=True)] == ["away", "away"]
    neighbour.error = None
    neighbour.may.release()
    assert await batching("a") == "a 2"


async def test_too_few_answers_are_a_failure_and_keep_nobody_waiting() -> None:
    async def ask(questions: Sequence[str]) -> list[str]:
        return list(questions[:1])

    batching = Batching(ask, most=3)
    async with asyncio.timeout(5):
        found = await asyncio.gather(*[batching(q) for q in "ab"], return_exceptions=True)
    assert [type(e) for e in found] == [ValueError, ValueError]


async def test_all_questions_about_one_thing_go_out_together(neighbour: Neighbour) -> None:
    batching = Batching(neighbour.ask, most=2, together=lambda question: question[0])
    questions = ["x", "a1", "b1", "c1", "a2", "c2", "b2"]
    first = asyncio.create_task(batching(questions[0]))
    await begun(first)
    rest = [asyncio.create_task(batching(q)) for q in questions[1:]]
    await begun(*rest)
    for _ in range(3):
        neighbour.may.release()
    await asyncio.gather(first, *rest)
    assert [list(asked) for asked in neighbour.asked] == [["x"], ["a1", "b1", "a2", "b2"], ["c1", "c2"]]


async def test_between_an_answer_and_the_next_question_it_may_rest(neighbour: Neighbour) -> None:
    ask = Batching(neighbour.ask, most=10, rest=0.2)
    neighbour.may.release()
    assert await ask("a") == "a 1"
    neighbour.may.release()
    came = []
    for name in "bcd":
        came.append(asyncio.create_task(ask(name)))
        await begun(came[-1])
    assert neighbour.asked == [("a",)], "b waits, although nothing else is asked"
    assert await asyncio.gather(*came) == ["b 2", "c 2", "d 2"]
