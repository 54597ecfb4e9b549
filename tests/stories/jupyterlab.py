"""What a visitor does in JupyterLab."""

from __future__ import annotations

import re

from playwright.async_api import Locator, Page, expect
from tests.applications.jupyterlab import JupyterLab


async def log_in(page: Page, jupyterlab: JupyterLab) -> None:
    """Type the token on the login page that is open, and wait for the file list."""
    await page.locator("#password_input").fill(jupyterlab.token)
    await page.get_by_role("button", name="Log in", exact=True).click()
    await expect(_file(page, jupyterlab.notebook)).to_be_visible()


async def open_notebook(page: Page, jupyterlab: JupyterLab) -> None:
    """Open the notebook from the file list and wait until its kernel is ready."""
    await _file(page, jupyterlab.notebook).dblclick()
    await expect_kernel(page, "Idle")


async def run_cell(page: Page, source: str) -> str:
    """Write `source` (one line) into the notebook's last cell, run it, and return what it printed."""
    await page.bring_to_front()
    cells = page.locator(".jp-Notebook .jp-CodeCell")
    count = await cells.count()
    cell = cells.nth(count - 1)
    editor = cell.locator(".cm-content")
    await editor.fill(source)
    await expect(editor).to_have_text(source)
    await editor.press("Shift+Enter")
    # Running the last cell adds an empty one behind it.
    await expect(cells).to_have_count(count + 1)
    await expect(cell.locator(".jp-InputPrompt")).to_have_text(re.compile(r"\[\d+\]:"))
    output = cell.locator(".jp-OutputArea-output")
    await expect(output).to_have_text(re.compile(r"\S"))
    return (await output.inner_text()).strip()


async def expect_kernel(page: Page, state: str) -> None:
    """Wait until the status bar tells that the notebook's kernel is in `state`, a pattern such as ``Idle``."""
    # The notebook's own indicator already says idle while there is no kernel at all.
    text = re.compile(rf"Python 3 \(ipykernel\) \| (?:{state})")
    await expect(page.locator("#jp-main-statusbar")).to_contain_text(text)


def _file(page: Page, name: str) -> Locator:
    return page.locator(".jp-DirListing-item", has_text=name)
