from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from tests.applications.processes import running_sample
from tests.dashboard.owner import Owner, signed_in
from tests.doubles.odoo.handle import Odoo, running_odoo
from tests.installation import Installation, installation


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def server() -> AsyncIterator[Installation]:
    async with installation() as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def owner(server: Installation) -> AsyncIterator[Owner]:
    """An owner who may do everything."""
    async with signed_in(server, "--sub", "anna") as someone:
        yield someone


@pytest.fixture(scope="session")
def odoo() -> Iterator[Odoo]:
    with running_odoo() as running:
        yield running


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a running web application."""
    with running_sample(Path(tmp_path_factory.mktemp("sample"))) as url:
        yield url
