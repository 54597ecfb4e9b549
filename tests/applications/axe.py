"""What axe-core finds on a page that keeps people from using it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from playwright.async_api import Page
from tests.install_applications import AXE

# The rules whose answer depends on colours; by night, pages have other colours and are the same for all others.
OF_COLOURS = ("color-contrast", "link-in-text-block")


@cache
def _script() -> str:
    if not AXE.exists():
        raise RuntimeError(f"There is no {AXE}; `python tests/install_applications.py` installs it.")
    return AXE.read_text()


async def find_barriers(page: Page, rules: Sequence[str] = ()) -> list[str]:
    """Each violation of any of axe-core's rules, and what it could not decide about contrast; empty for a good page.

    `rules` are the only ones that are asked, where there are any. The script is evaluated from outside, so a page's
    Content-Security-Policy stays in force.
    """
    if not await page.evaluate("typeof axe == 'object'"):
        await page.evaluate(_script())
    options: dict[str, Any] = {"resultTypes": ["violations", "incomplete"]}
    if rules:
        options["runOnly"] = {"type": "rule", "values": list(rules)}
    # What has passed is the most of it, and takes as long to hand over as the rest took to find.
    asked = "async options => { const {violations, incomplete} = await axe.run(document, options);"
    found: dict[str, Any] = await page.evaluate(f"{asked} return {{violations, incomplete}}; }}", options)
    undecided = [each for each in found["incomplete"] if each["id"] == "color-contrast"]
    return [
        f"{each['id']}: {each['help']} {node['target']} {node['failureSummary']}"
        for each in [*found["violations"], *undecided]
        for node in each["nodes"]
    ]
