"""One installation for the whole corpus, with one hostile upstream behind it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio
from tests.hostile.world import World, world
from tests.installation import Installation, installation


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def server() -> AsyncIterator[Installation]:
    # Cases name links that are none from one address, by the hundred.
    async with installation(unknown_tokens="100000/minute") as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session", name="world")
async def hostile_world(server: Installation) -> AsyncIterator[World]:
    async with world(server) as around:
        yield around
