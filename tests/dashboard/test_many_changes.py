"""How often one owner may change something: through the API and the dashboard together."""

from __future__ import annotations

import pytest
from tests.dashboard.owner import signed_in, words
from tests.installation import installation

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_changes_of_one_owner_are_counted_wherever_they_are_made(sample: str) -> None:
    async with installation(owner_writes="5/hour") as server:
        environment = {"id": "staging", "name": "Staging", "url": sample}
        await server.add_environment(**environment)
        for _ in range(3):
            await server.create_link("staging")
        async with signed_in(server, "--sub", "owner@example.com") as owner:
            refused = await owner.send("/environments/staging/check")
            assert refused.status_code == 429, words(refused)
            assert "Nothing was changed" in words(refused)
            assert 0 < int(refused.headers["retry-after"]) <= 3600
            # Looking is no change.
            assert "Staging" in await owner.see("/environments")
        answer = await server.client.post("/api/environments/staging/share")
        assert answer.status_code == 429
        assert answer.json()["code"] == "too_many_changes"
        assert 0 < int(answer.headers["retry-after"]) <= 3600
        assert len(await server.links("staging")) == 3
        # Another owner has changes of their own.
        async with signed_in(server, "--sub", "anna") as another:
            assert (await another.send("/environments/staging/check")).status_code != 429
