"""Chromium as the tests drive it."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, ConsoleMessage, Page, async_playwright, expect
from tests.markers import starts

# Chromium keeps two pages ready in each window for what is typed into its address bar, which cost more than most pages
# of ours. Of two such options it reads the last, so that what Playwright turns off stands here once more.
_FEATURES_OFF = (
    "WebUIOmniboxPopup", "WebUIOmniboxAimPopup",
    "AvoidUnnecessaryBeforeUnloadCheckSync", "DestroyProfileOnBrowserClose", "HttpsUpgrades",
    "HttpsFirstBalancedModeAutoEnable", "LensOverlay", "MediaRouter", "PaintHolding", "ThirdPartyStoragePartitioning",
    "AvoidCorsURLLoaderRestartOnRedirect", "OptimizationHints", "NetworkTimeServiceQuerying", "AimEnabled",
    "PreconnectToSearch",
)  # fmt: skip
# Tests may run as root, where Chromium's sandbox can't; the rest keeps it from calling home.
_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    f"--disable-features={','.join(_FEATURES_OFF)}",
]
# As patient as everything else that a page is asked: how fast a busy machine is, is nothing that these tests are about.
expect.set_options(timeout=30_000)


@starts("browser")
@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """A headless Chromium with a profile of its own."""
    executable = shutil.which("chromium")
    if executable is None:
        raise RuntimeError("There is no chromium; `python tests/install_applications.py` installs it.")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable, args=_ARGUMENTS)
        try:
            yield browser
        finally:
            await browser.close()


def collect_errors(page: Page) -> list[str]:
    """A list that grows by each error that the page's scripts raise or write to the console."""
    errors: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type == "error":
            errors.append(f"{message.text} ({message.location.get('url')})")

    page.on("console", note)
    page.on("pageerror", lambda error: errors.append(str(error)))
    return errors
