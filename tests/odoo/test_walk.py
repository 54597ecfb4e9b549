"""Whoever looks through a view-only link sees in a real Odoo what they would see directly, or reads why not."""

from __future__ import annotations

import pytest
from tests.real_odoo.handle import chosen
from tests.real_odoo.walk import Screen, walk

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.real_only("has no menus"),
    # Each screen twice; a busy machine takes an hour.
    pytest.mark.timeout(7200),
]


async def test_each_screen_shows_what_is_seen_directly_or_says_why_not() -> None:
    instance = chosen()
    assert instance is not None
    seen = await walk(instance, lambda _screen: None)
    # A crash, a blank page, or nothing that comes to rest.
    assert _listed(seen.of("broken")) == ""
    assert seen.share >= 0.98, _listed([*seen.of("refused"), *seen.of("differs")])
    # What moves is moved by Odoo, and for those who look directly as well.
    assert _listed([each for each in seen.screens if each.moved and not each.moved_directly]) == ""


def _listed(screens: list[Screen]) -> str:
    return "\n".join(map(str, screens))
