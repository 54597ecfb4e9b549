"""One installation for all tests that don't change its settings, and a raw upstream for each test."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from tests.gateway.raw_upstream import RawUpstream, raw_upstream
from tests.gateway.shared import Share, sharing
from tests.installation import Installation, installation
from tests.operate.certificates import write_pair


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def server() -> AsyncIterator[Installation]:
    async with installation() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def upstream() -> AsyncIterator[RawUpstream]:
    async with raw_upstream() as listening:
        yield listening


@pytest.fixture(scope="session")
def speaks_tls(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """For an upstream whose certificate nobody vouches for: its environment has ``tlsVerify=False``."""
    folder = tmp_path_factory.mktemp("certificate")
    write_pair(folder / "certificate.pem", folder / "key.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    return context


@pytest_asyncio.fixture(loop_scope="session")
async def tls_upstream(speaks_tls: ssl.SSLContext) -> AsyncIterator[RawUpstream]:
    async with raw_upstream(speaks_tls) as listening:
        yield listening


@pytest_asyncio.fixture(loop_scope="session")
async def share(server: Installation) -> AsyncIterator[Share]:
    async with sharing(server) as making:
        yield making
