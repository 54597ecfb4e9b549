"""What the bench of the web client counts and refuses to count; its speeds are no test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from bench.processes import NotReady
from bench.web_client.chromium import LINE, load_cold
from bench.web_client.report import BEST, NGINX, Results, verdicts
from bench.web_client.step import BUNDLES, STEP
from bench.web_client.ways import direct, new_link
from bench.web_client.wire import Visitor, count_bytes
from tests.applications.browser import chromium
from tests.doubles.odoo import Odoo, running_odoo
from tests.installation import Installation, installation

# Bodies of the step, as measured on a real Odoo.
_BODIES = 8_023_150


@pytest.fixture
def odoo() -> Iterator[Odoo]:
    with running_odoo() as running:
        yield running


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Installation]:
    async with installation() as running:
        yield running


def test_the_step_is_the_one_that_was_measured() -> None:
    assert len(STEP) == 20
    assert sum(exchange.size for exchange in STEP) == _BODIES
    assert len(BUNDLES) == 3


def test_everything_that_odoo_sends_is_counted_on_however_many_connections(odoo: Odoo) -> None:
    received = count_bytes(direct(odoo))
    connections = len(STEP) + len(("the entrance", "the form"))
    assert odoo.state()["connections"] >= connections
    heads = received - _BODIES
    assert 150 * len(STEP) < heads < 1000 * len(STEP)


async def test_a_visitor_of_a_link_receives_everything_compressed(odoo: Odoo, server: Installation) -> None:
    link = await new_link(server, odoo, "Counted")
    assert await asyncio.to_thread(count_bytes, link) < 1_600_000


def test_an_answer_that_was_not_measured_is_not_counted(odoo: Odoo) -> None:
    (menus,) = (exchange.path for exchange in STEP if "load_menus" in exchange.path)
    odoo.trouble(menus, status=500, body="no menus")
    with pytest.raises(NotReady, match=r"load_menus.* answered 500 with 8 bytes instead of 200 with 79024"):
        count_bytes(direct(odoo))


def test_a_door_that_shows_no_login_form_is_not_counted(odoo: Odoo) -> None:
    odoo.trouble("/web/login", status=503, body="busy")
    with pytest.raises(NotReady, match="shows no login form: b'busy'"):
        Visitor(direct(odoo)).find_login_form()


async def test_the_browser_waits_for_a_slow_line_and_for_the_coding_that_is_compared(odoo: Odoo) -> None:
    async with chromium() as browser:
        waited = await load_cold(browser, direct(odoo), coding="")
        # Nothing comes faster than the line lets it through.
        assert waited / 1000 > _BODIES / LINE["downloadThroughput"] * 0.9
        with pytest.raises(NotReady, match="came as plain instead of br"):
            await load_cold(browser, direct(odoo), coding="br")


@pytest.mark.parametrize(
    ("received", "waited", "holds"),
    [
        (1_250_000, [850.0, 850.0], [True, True]),
        (1_250_001, [850.0, 852.0], [False, False]),
        # One slow load among several decides nothing.
        (1_100_000, [800.0, 9000.0, 700.0], [True, True]),
    ],
)
def test_guestpass_is_held_to_bytes_and_to_a_share_of_nginxs_time(
    received: int, waited: list[float], holds: list[bool]
) -> None:
    results = Results(received={BEST.name: received})
    results.waited |= {BEST.name: waited, NGINX.name: [1000.0, 990.0, 1010.0]}
    assert [verdict.holds for verdict in verdicts(results)] == holds
