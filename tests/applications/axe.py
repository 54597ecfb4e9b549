"""What axe-core finds on a page that keeps people from using it."""

from __future__ import annotations

from functools import cache
from typing import Any

from playwright.async_api import Page
from tests.install_applications import AXE


@cache
def _script() -> str:
    if not AXE.exists():
        raise RuntimeError(f"There is no {AXE}; `python tests/install_applications.py` installs it.")
    return AXE.read_text()


async def find_barriers(page: Page) -> list[str]:
    """Each violation of any of axe-core's rules, and what it could not decide about contrast; empty for a good page.

    The script is evaluated from outside, so a page's Content-Security-Policy stays in force.
    """
    await page.evaluate(_script())
    found: dict[str, Any] = await page.evaluate("axe.run(document, {resultTypes: ['violations', 'incomplete']})")
    undecided = [each for each in found["incomplete"] if each["id"] == "color-contrast"]
    return [
        f"{each['id']}: {each['help']} {node['target']} {node['failureSummary']}"
        for each in [*found["violations"], *undecided]
        for node in each["nodes"]
    ]
