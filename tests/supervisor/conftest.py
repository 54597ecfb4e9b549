from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio
from tests.installation import SERVE, Installation, installation
from tests.supervisor.processes import until_said


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def server() -> AsyncIterator[Installation]:
    """Two workers; what they have no time for is cut after eight seconds."""
    async with installation(workers=2, drain="8s", program=SERVE) as running:
        await until_said(running, "serving")
        yield running
