"""The web client in Chromium: what a visit brings, when it shows, and how it scrolls through a long room.

    .venv/bin/python -m bench.page                   # 10,000 messages
    .venv/bin/python -m bench.page --messages 2000

starts a stack of its own and fills a room. The page is opened twice, for the second visit is what people see: the first
paints the welcome page. Then it scrolls up to the very first message, so fast that no one could read, and the time
between frames is taken. Chromium runs headless and draws on the CPU, beside the stack.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import sys
from typing import Any

from playwright.async_api import Page, async_playwright
from rich.console import Console
from rich.table import Table

from bench.stack import running
from warren.client import Client

CHROMIUM = "/usr/bin/chromium"
ROOM = "long"
AT_ONCE = 200
PIXELS = 200
"""Scrolled at each frame: at 60 frames/s 12,000 pixels, some 400 messages, in a second."""

STUTTER = 50
"""Milliseconds between two frames that people see as a hitch."""

_SHOWN = """async () => {
  while (!document.querySelector('#log .row')) await new Promise(requestAnimationFrame);
  const [page] = performance.getEntriesByType('navigation');
  const files = performance.getEntriesByType('resource').filter((file) => file.initiatorType !== 'fetch');
  return {
    painted: performance.getEntriesByName('first-contentful-paint')[0].startTime,
    shown: performance.now(),
    files: files.length + 1,
    bytes: [page, ...files].reduce((sum, {transferSize}) => sum + transferSize, 0),
  };
}"""

_SCROLLED = """async (pixels) => {
  const [scroller, log] = [document.getElementById('scroller'), document.getElementById('log')];
  const frame = () => new Promise(requestAnimationFrame);
  const [times, began] = [[], await frame()];
  const seq = (row) => Number(row.dataset.seq);
  let [last, most, still, holes, reached] = [began, 0, 0, 0, seq(log.lastChild)];
  while (!document.querySelector('#log [data-seq="1"]') || scroller.scrollTop > 0) {
    const before = scroller.scrollTop;
    scroller.scrollTop -= pixels;
    if (before === 0) still += 1;
    const [count, first, end] = [log.childElementCount, seq(log.firstChild), seq(log.lastChild)];
    most = Math.max(most, count);
    if (end - first + 1 !== count || end < reached - 1) holes += 1; // every row is there once, and none is passed over
    reached = Math.min(reached, first);
    const now = await frame();
    times.push(now - last);
    last = now;
  }
  return {times, most, still, holes, seconds: (last - began) / 1000, heap: performance.memory.usedJSHeapSize};
}"""


async def fill(base: str, count: int) -> None:
    """Say `count` messages of the lengths people write in the room."""
    room_for = asyncio.Semaphore(AT_ONCE)
    words = itertools.cycle(["Yes.", "I can bring the long cable, five metres should do.", "See you at seven 👋 " * 4])

    async with Client(base, name="Clerk", history=0) as clerk:
        await clerk.join(ROOM)

        async def say(number: int, text: str) -> None:
            async with room_for:
                await clerk.send(ROOM, f"{number}: {text}", deadline=120)

        await asyncio.gather(*[say(n, next(words)) for n in range(1, count + 1)])


async def measure(base: str, count: int) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Return a first visit, a second one, and the scrolling."""
    await fill(base, count)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--enable-precise-memory-info"])
        page = await browser.new_page()
        await page.goto(f"{base}/#/room/{ROOM}")
        await page.locator("#welcome-enter").click()
        first = await page.evaluate(_SHOWN)
        second = await _again(page, base)
        scrolled = await page.evaluate(_SCROLLED, PIXELS)
        await browser.close()
        return first, second, scrolled


async def _again(page: Page, base: str) -> dict[str, Any]:
    await page.goto("about:blank")
    await page.goto(f"{base}/#/room/{ROOM}")
    shown: dict[str, Any] = await page.evaluate(_SHOWN)
    return shown


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description="The web client: size, first paint, frames while scrolling.")
    parser.add_argument("--messages", type=int, default=10_000, help="in the room (default: %(default)s)")
    count = parser.parse_args().messages
    with running() as stack:
        first, second, scrolled = asyncio.run(measure(stack["gateways"][0], count))
    times = sorted(scrolled["times"])
    table = Table("what", "measured", show_header=False)
    table.add_row("a first visit", f"{first['files']} files, {first['bytes'] / 1000:.1f} KB over the wire")
    table.add_row("first contentful paint", f"{first['painted']:.0f} ms at first, {second['painted']:.0f} ms again")
    table.add_row("the newest messages", f"{second['shown']:.0f} ms after a second visit began")
    table.add_row("scrolled", f"{count} messages in {scrolled['seconds']:.1f} s, {len(times)} frames")
    quantiles = [times[int(q * (len(times) - 1))] for q in (0.5, 0.95, 1)]
    table.add_row("frame, p50 / p95 / longest", " / ".join(f"{q:.0f}" for q in quantiles) + " ms")
    table.add_row(f"frames over {STUTTER} ms", f"{sum(t > STUTTER for t in times) / len(times):.2%}")
    table.add_row("frames at the top, waiting", str(scrolled["still"]))
    table.add_row("frames with a hole in the order", str(scrolled["holes"]))
    table.add_row("rows in the page at the most", str(scrolled["most"]))
    table.add_row("JavaScript's memory", f"{scrolled['heap'] / 1e6:.0f} MB")
    Console().print(table)
    sys.exit(1 if scrolled["holes"] else 0)


if __name__ == "__main__":
    main()
