from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx2
import pytest
from tests.api.face import Face, running_face


@pytest.fixture
def face(tmp_path: Path) -> Iterator[Face]:
    with running_face(tmp_path) as running:
        yield running


@pytest.fixture
async def owner(face: Face) -> AsyncIterator[httpx2.AsyncClient]:
    async with face.owner() as client:
        yield client


@pytest.fixture
async def environment(owner: httpx2.AsyncClient) -> str:
    """The id of a registered environment."""
    answer = await owner.post(
        "/api/environments", json={"id": "staging", "name": "Staging", "url": "http://10.0.0.5:8069"}
    )
    assert answer.status_code == 201, answer.text
    return "staging"
