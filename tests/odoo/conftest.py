from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from tests.doubles.odoo.handle import Odoo
from tests.installation import Installation, installation
from tests.odoo.running import running_odoo
from tests.odoo.visitor import Visitor, opened
from tests.real_odoo.handle import chosen


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what the Odoo that tests run on can't show."""
    instance = chosen()
    other = "real_only" if instance is None else "double_only"
    major = 18 if instance is None else instance.major
    left_out = [each for each in items if each.get_closest_marker(other) or not _is_about(each, major)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [each for each in items if each not in left_out]


def _is_about(item: pytest.Item, major: int) -> bool:
    marker = item.get_closest_marker("versions")
    if marker is not None and chosen() is None and marker.kwargs.get("double"):
        return True
    first, last = (*marker.args, 99)[:2] if marker is not None else (0, 99)
    return bool(first <= major <= last)


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
