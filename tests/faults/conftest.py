from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio
from tests.installation import Installation, installation
from tests.supervisor.processes import until_said


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def pair() -> AsyncIterator[Installation]:
    """Two workers over one SQLite file."""
    async with installation(workers=2) as running:
        await until_said(running, "serving")
        yield running
