"""Every answer of a hostile environment reaches one visitor alone, once, as what it is or not at all."""

from __future__ import annotations

import pytest
from tests.hostile.case import ResponseCase
from tests.hostile.responses import FAMILIES
from tests.hostile.world import Form, World, together

pytestmark = pytest.mark.asyncio(loop_scope="session")

CASES = [
    pytest.param(case, kind, id=f"{family.name}: {case.name}, {kind}")
    for family in FAMILIES
    for kind in family.kinds
    for case in family.cases
]


@pytest.mark.parametrize(("case", "kind"), CASES)
async def test_an_answer_has_one_meaning_or_none(world: World, case: ResponseCase, kind: str) -> None:
    if case.trails:
        # Whoever is given a connection before its late bytes have come can't tell them from their answer; see README.
        for form in Form:
            await world.suffer(case, kind, form)
            await world.live_beside(kind)
    else:
        await together(*(world.suffer(case, kind, form) for form in Form), *(world.live_beside(kind) for _ in Form))
