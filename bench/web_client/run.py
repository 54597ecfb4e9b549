"""The order of what is measured: bytes once, since they hardly vary; times in rounds, in which the ways take turns."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

from playwright.async_api import Browser
from tests.applications.browser import chromium
from tests.doubles.odoo import Odoo, running_odoo
from tests.installation import Installation, installation

from bench.web_client.chromium import load_cold
from bench.web_client.report import BEST, DIRECT, FIRST, NGINX, Results
from bench.web_client.ways import Way, direct, new_link, nginx
from bench.web_client.wire import count_bytes, wait_for_best_forms

Tell = Callable[[str], None]


async def measure(*, rounds: int, tell: Tell) -> Results:
    """Start everything, measure, end everything; raises NotReady where something does not do its work."""
    async with AsyncExitStack() as exits:
        folder = Path(exits.enter_context(tempfile.TemporaryDirectory(prefix="guestpass-bench-")))
        tell("starting")
        odoo = exits.enter_context(running_odoo())
        server, by_nginx = nginx(odoo, folder)
        exits.enter_context(server)
        guestpass = await exits.enter_async_context(installation())
        browser = await exits.enter_async_context(chromium())
        bench = _Bench(odoo, guestpass, browser, {DIRECT.name: direct(odoo), NGINX.name: by_nginx}, tell)
        await bench.count()
        for turn in range(rounds):
            await bench.time(turn, rounds)
        return bench.results


class _Bench:
    def __init__(
        self, odoo: Odoo, guestpass: Installation, browser: Browser, fixed: dict[str, Way], tell: Tell
    ) -> None:
        self._odoo = odoo
        self._guestpass = guestpass
        self._browser = browser
        self._fixed = fixed
        self._tell = tell
        self.results = Results()

    async def count(self) -> None:
        """Count bytes on each way, and see to it that nobody is the first whom Odoo serves."""
        for name, way in self._fixed.items():
            self._tell(f"counting bytes: {name}")
            self.results.received[name] = await asyncio.to_thread(count_bytes, way)
        link = await new_link(self._guestpass, self._odoo, "Counted")
        self._tell("counting bytes: Guestpass")
        self.results.received[FIRST.name] = await asyncio.to_thread(count_bytes, link)
        await asyncio.to_thread(wait_for_best_forms, link)
        self.results.received[BEST.name] = await asyncio.to_thread(count_bytes, link)
        await load_cold(self._browser, link, coding=BEST.coding)

    async def time(self, turn: int, rounds: int) -> None:
        """One round; each begins with another way."""
        ways = [self._time_direct, self._time_nginx, self._time_guestpass]
        for position in range(len(ways)):
            self._tell(f"round {turn + 1} of {rounds}")
            await ways[(turn + position) % len(ways)](turn)

    async def _time_direct(self, _: int) -> None:
        way = self._fixed[DIRECT.name]
        self.results.waited[DIRECT.name].append(await load_cold(self._browser, way, coding=DIRECT.coding))

    async def _time_nginx(self, _: int) -> None:
        way = self._fixed[NGINX.name]
        self.results.waited[NGINX.name].append(await load_cold(self._browser, way, coding=NGINX.coding))

    async def _time_guestpass(self, turn: int) -> None:
        link = await new_link(self._guestpass, self._odoo, f"Round {turn + 1}")
        self.results.waited[FIRST.name].append(await load_cold(self._browser, link, coding=FIRST.coding))
        # Nothing else is measured while best forms are made.
        await asyncio.to_thread(wait_for_best_forms, link)
        self.results.waited[BEST.name].append(await load_cold(self._browser, link, coding=BEST.coding))
