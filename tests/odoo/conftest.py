from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from tests.doubles.odoo.handle import Odoo, running_odoo
from tests.installation import Installation, installation
from tests.odoo.visitor import Visitor, opened


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def server() -> AsyncIterator[Installation]:
    async with installation() as running:
        yield running


@pytest.fixture
def odoo() -> Iterator[Odoo]:
    """An Odoo of the test's own: its workers, journal and sessions are nobody else's."""
    with running_odoo() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def visitor(server: Installation, odoo: Odoo, tmp_path: Path) -> AsyncIterator[Visitor]:
    """A visitor who has opened a link to that Odoo."""
    async with opened(server, odoo, name=tmp_path.name) as someone:
        yield someone
