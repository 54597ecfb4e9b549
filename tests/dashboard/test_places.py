"""Owners read how many places are taken now; who was there before holds none."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from tests.dashboard.in_process import ANNA, Dashboard, dashboard
from tests.dashboard.owner import words

from guestpass.app.environments import NewEnvironment
from guestpass.app.links import LinkChange, NewLink
from guestpass.app.ports import SlotResult


@pytest.fixture
async def shown(tmp_path: Path) -> AsyncIterator[Dashboard]:
    async with dashboard(f"sqlite:///{tmp_path}/guestpass.db", tmp_path) as running:
        yield running


async def test_a_link_is_full_while_its_places_are_taken(shown: Dashboard) -> None:
    core = shown.core
    await core.environments.add(ANNA, NewEnvironment(id="fair", name="Fair", url="http://10.0.0.5:8069"))
    link = (await core.links.create(ANNA, "fair", NewLink(max_visitors=2, label="Stand"))).link

    async def enter(*visitors: str) -> None:
        version, now = (await core.links.get(ANNA, "fair", link.id)).link.version, core.clock.now()
        async with core.database.writing() as work:
            for visitor in visitors:
                until = now + timedelta(minutes=1)
                taken = await work.places.take_place(link.id, visitor, version, now, reserved_until=until)
                assert taken is SlotResult.TAKEN

    async with shown.signed_in() as web:

        async def said() -> tuple[str, str]:
            page, table = await web.get(f"/environments/fair/links/{link.id}"), await web.get("/environments/fair")
            head = words(page).partition("Places taken ")[2].partition(" Visitors ever")[0]
            return head, words(table).partition(" ever ")[2].partition(" places")[0]

        assert await said() == ("0 of 2", "0 of 2")
        await enter("a" * 16, "b" * 16)
        assert await said() == ("2 of 2: full", "2 of 2")
        assert (await core.links.get(ANNA, "fair", link.id)).is_full
        # A visit that was ended, and passes of a former URL, hold no place.
        await core.records.end_visit(ANNA, "fair", link.id, "a" * 16)
        assert await said() == ("1 of 2", "1 of 2")
        await core.links.rotate(ANNA, "fair", link.id)
        assert await said() == ("0 of 2", "0 of 2")
        await enter("c" * 16)
        await core.links.change(ANNA, "fair", link.id, LinkChange(max_visitors=1))
        assert await said() == ("1 of 1: full", "1 of 1")
