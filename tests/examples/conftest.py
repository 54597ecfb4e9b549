from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.applications.processes import running_sample


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a running sample application."""
    with running_sample(tmp_path_factory.mktemp("sample")) as url:
        yield url
