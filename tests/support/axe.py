"""axe-core, which finds what keeps people with disabilities out of a page: https://github.com/dequelabs/axe-core."""

from __future__ import annotations

from importlib.resources import files
from typing import Any, Literal

from playwright.async_api import Page

_AXE = (files("axe_playwright_python") / "axe.min.js").read_text()
_RUN = """async (only) => {
  const options = {resultTypes: ['violations'], ...(only && {runOnly: only})};
  return (await axe.run(options)).violations.flatMap(({impact, id, help, nodes}) =>
    nodes.map(({target, html}) => `${impact} ${id}: ${help}: ${target.join(' ')} ${html.slice(0, 200)}`));
}"""


async def findings(page: Page) -> list[str]:
    """Everything axe finds in a page as it is now, whatever its weight: in light colours, and of colours in dark ones.

    The script comes in through the browser's own debugging, so the page's Content-Security-Policy stays as it is.
    """
    if not await page.evaluate("() => 'axe' in window"):
        await page.evaluate(_AXE)
    return [*await _run(page, "light", None), *await _run(page, "dark", ["color-contrast"])]


async def _run(page: Page, scheme: Literal["light", "dark"], only: list[str] | None) -> list[str]:
    await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    found: list[Any] = await page.evaluate(_RUN, only)
    return [f"{scheme}: {line}" for line in found]
