"""One installation for all tests that don't change its settings, and a raw upstream for each test."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator

import pytest_asyncio
from tests.gateway.raw_upstream import RawUpstream, raw_upstream
from tests.gateway.shared import Share, sharing
from tests.installation import Installation, installation


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def server() -> AsyncIterator[Installation]:
    async with installation() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def upstream() -> AsyncIterator[RawUpstream]:
    async with raw_upstream() as listening:
        yield listening


@pytest_asyncio.fixture(loop_scope="session")
async def tls_upstream(speaks_tls: ssl.SSLContext) -> AsyncIterator[RawUpstream]:
    async with raw_upstream(speaks_tls) as listening:
        yield listening


@pytest_asyncio.fixture(loop_scope="session")
async def share(server: Installation) -> AsyncIterator[Share]:
    async with sharing(server) as making:
        yield making
