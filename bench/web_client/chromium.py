"""How long a person waits: a click on Log in, until the web client shows its first action."""

from __future__ import annotations

from playwright.async_api import Browser, Response

from bench.processes import NotReady
from bench.web_client.step import SCRIPT
from bench.web_client.ways import Way

_MEGABIT = 1_000_000 / 8
LINE = {
    "offline": False,
    "latency": 40,
    "downloadThroughput": 20 * _MEGABIT,
    "uploadThroughput": 20 * _MEGABIT,
}
"""What Chromium makes of the loopback line: milliseconds from a request to its answer, and bytes a second."""

# Both ends of the wait are noted inside the page, so that the way to this process costs nothing.
_NOTE_TIMES = """
addEventListener("submit", () => sessionStorage.setItem("bench.clicked", Date.now()), true);
new MutationObserver(() => {
    if (document.body?.dataset.ready && !window.benchReady) window.benchReady = Date.now();
}).observe(document, {subtree: true, attributes: true, attributeFilter: ["data-ready"]});
"""
_WAITED = "window.benchReady - Number(sessionStorage.getItem('bench.clicked'))"


async def load_cold(browser: Browser, way: Way, *, coding: str) -> float:
    """Milliseconds from the click to the first action, with nothing in the browser's cache.

    Raises NotReady where the web client's script does not come in that `coding`: another one would be measured.
    """
    context = await browser.new_context()
    try:
        await context.add_init_script(_NOTE_TIMES)
        page = await context.new_page()
        await page.goto(way.entrance)
        await page.goto(f"{way.origin}/web/login")
        await page.fill("#login", "admin")
        await page.fill("#password", "admin")
        developer = await context.new_cdp_session(page)
        await developer.send("Network.enable")
        await developer.send("Network.clearBrowserCache")
        await developer.send("Network.emulateNetworkConditions", LINE)

        def is_script(answer: Response) -> bool:
            return answer.url == way.origin + SCRIPT

        async with page.expect_response(is_script, timeout=60_000) as script:
            await page.click("button[type=submit]")
        await page.wait_for_selector("body[data-ready=discuss]", timeout=60_000)
        waited: float = await page.evaluate(_WAITED)
        got = (await (await script.value).all_headers()).get("content-encoding", "")
    finally:
        await context.close()
    if got != coding:
        raise NotReady(f"{way.origin}{SCRIPT} came as {got or 'plain'} instead of {coding or 'plain'}")
    return waited
