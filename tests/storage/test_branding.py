from __future__ import annotations

import pytest
from tests.storage.samples import NOON

from guestpass.domain.branding import Branding, Logo
from guestpass.storage.database import Database

WHOLE = Branding(
    name="Hafen & Söhne",
    logo=Logo("image/webp", bytes(range(256))),
    colour="#ffd400",
    contact="mailto:it@hafen.example",
)


async def stored(database: Database, org: str = "default") -> Branding | None:
    async with database.reading() as work:
        return await work.brandings.get(org)


async def keep(database: Database, branding: Branding, org: str = "default") -> None:
    async with database.writing() as work:
        await work.brandings.put(org, branding, at=NOON, by="olga")


@pytest.mark.parametrize("branding", [WHOLE, Branding(name="Hafen"), Branding(logo=Logo("image/webp", b""))])
async def test_a_branding_comes_back_as_it_was_given(database: Database, branding: Branding) -> None:
    await keep(database, branding)

    assert await stored(database) == branding
    assert await stored(database, "other") is None


async def test_a_branding_takes_the_place_of_the_former_as_a_whole(database: Database) -> None:
    await keep(database, WHOLE)
    await keep(database, WHOLE, "other")
    await keep(database, Branding(contact="Ask Anna"))

    assert await stored(database) == Branding(contact="Ask Anna")
    assert await stored(database, "other") == WHOLE


async def test_a_branding_is_removed_once(database: Database) -> None:
    await keep(database, WHOLE)
    await keep(database, WHOLE, "other")

    async with database.writing() as work:
        assert await work.brandings.remove("default")
        assert not await work.brandings.remove("default")

    assert await stored(database) is None
    assert await stored(database, "other") == WHOLE
