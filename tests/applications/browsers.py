"""Chromium for all tests of one of pytest's processes: to start one takes longer than much of what is done in it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio
from playwright.async_api import Browser
from tests.applications.browser import chromium


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def _running() -> AsyncIterator[Browser]:
    async with chromium() as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="session")
async def browser(_running: Browser) -> AsyncIterator[Browser]:
    """A browser in which nothing is open. Each context has a profile of its own, and ends with the test."""
    yield _running
    for context in _running.contexts:
        await context.close()
