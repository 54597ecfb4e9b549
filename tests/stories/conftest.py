from __future__ import annotations

from collections.abc import Iterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, expect
from tests.applications.processes import running_sample
from tests.applications.tryton import Tryton, running_tryton

# Bounds for what never comes. Machines that run everything else at the same time need long ones.
PATIENCE = 60_000
expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="session")
def tryton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tryton]:
    with running_tryton(tmp_path_factory.mktemp("tryton")) as tryton:
        yield tryton


@pytest.fixture(scope="session")
def harbour(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a sample application that calls itself Harbour Supplies."""
    with running_sample(tmp_path_factory.mktemp("harbour"), name="Harbour Supplies") as url:
        yield url


@pytest.fixture(scope="session")
def mountain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of another one that calls itself Mountain Outfitters."""
    with running_sample(tmp_path_factory.mktemp("mountain"), name="Mountain Outfitters") as url:
        yield url


@pytest_asyncio.fixture(loop_scope="session")
async def visitor(browser: Browser) -> BrowserContext:
    """A visitor's browser that has never been here before."""
    context = await browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(PATIENCE)
    return context
