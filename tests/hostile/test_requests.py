"""Every request of the corpus is refused, or arrives as exactly one request, and costs nobody else an answer."""

from __future__ import annotations

import pytest
from tests.hostile.case import RequestCase
from tests.hostile.requests import FAMILIES
from tests.hostile.world import Form, World, together

pytestmark = pytest.mark.asyncio(loop_scope="session")

CASES = [
    pytest.param(case, kind, id=f"{family.name}: {case.name}, {kind}")
    for family in FAMILIES
    for kind in family.kinds
    for case in family.cases
]


@pytest.mark.parametrize(("case", "kind"), CASES)
async def test_a_request_has_one_meaning_or_none(world: World, case: RequestCase, kind: str) -> None:
    await together(
        *(world.attack(case, kind, form, reused=reused) for form in Form for reused in (False, True)),
        *(world.live_beside(kind) for _ in Form),
    )
