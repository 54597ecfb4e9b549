"""Four installations for all tests of links, and the sample application twice. All tests share one event loop."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from tests.applications.processes import running_sample
from tests.installation import Installation, installation
from tests.links.played_upstream import PlayedUpstream, played_upstream

FORMER = "http://old.example.com:8080,old-links.example.net"


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a running sample application."""
    with running_sample(tmp_path_factory.mktemp("harbour"), name="Harbour") as url:
        yield url


@pytest.fixture(scope="session")
def other_sample(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a second one."""
    with running_sample(tmp_path_factory.mktemp("mill"), name="Mill") as url:
        yield url


@pytest_asyncio.fixture(loop_scope="session")
async def upstream() -> AsyncIterator[PlayedUpstream]:
    """An application that answers as the test says."""
    async with played_upstream() as playing:
        yield playing


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def one_origin() -> AsyncIterator[Installation]:
    """Links share one origin, plain http."""
    async with installation() as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def own_origins() -> AsyncIterator[Installation]:
    """Each link has an origin below localhost."""
    async with installation(link_domain="localhost") as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def https_one_origin() -> AsyncIterator[Installation]:
    """One origin, https behind a trusted proxy on this machine; the API is not on the public listener."""
    async with installation(
        public_url="https://share.example.com",
        trusted_proxies="127.0.0.1/32",
        former_urls=FORMER,
        api_on_public="false",
    ) as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def https_own_origins() -> AsyncIterator[Installation]:
    """Own origins, https behind a trusted proxy on this machine; the API is not on the public listener."""
    async with installation(
        link_domain="links.example.net",
        public_url="https://share.example.com",
        trusted_proxies="127.0.0.1/32",
        former_urls=FORMER,
        api_on_public="false",
    ) as running:
        yield running


@pytest.fixture(params=["one_origin", "own_origins"])
def server(request: pytest.FixtureRequest) -> Installation:
    """Each mode in turn."""
    running: Installation = request.getfixturevalue(request.param)
    return running


@pytest.fixture(params=["https_one_origin", "https_own_origins"])
def https_server(request: pytest.FixtureRequest) -> Installation:
    """Each mode in turn, on https."""
    running: Installation = request.getfixturevalue(request.param)
    return running
