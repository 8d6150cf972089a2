"""A consumer whose process dies of the sample number -1: `python -m tests.support.victim URL`.

Prints the numbers it has handled. After a death the next life begins, until there have been no deaths and nothing to
do for a while; it forks for each life, because importing everything again would take most of the time.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence

from tests.support.lab import Lab, number
from warren.envelope import Event

POISON = -1
KILLED = 42


async def _live(url: str) -> None:
    lab = Lab(url)

    async def handle(events: Sequence[Event]) -> None:
        for one in events:
            if number(one) == POISON:
                os._exit(KILLED)
        sys.stdout.write("".join(f"{number(e)}\n" for e in events))
        sys.stdout.flush()

    lab.consume(handle)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)  # until the test closes it
    os._exit(0)


def main(url: str) -> None:
    """Live again and again."""
    while True:
        child = os.fork()
        if child == 0:
            asyncio.run(_live(url))
        if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != KILLED:
            return
        sys.stdout.write("died\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
