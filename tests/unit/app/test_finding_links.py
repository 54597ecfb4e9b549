from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from tests.storage.samples import NOON, SetClock
from tests.unit.app.link_service import HOUR, OLGA, STRANGER, make, refused

from guestpass.app.links import LinkSearch, LinkService, NewLink, OwnedLink
from guestpass.app.paging import Page
from guestpass.app.ports import Activity, LinkSort
from guestpass.domain.link import ShareType, Status
from guestpass.storage.database import Database

SECOND = timedelta(seconds=1)


async def find(links: LinkService, **given: Any) -> Page[OwnedLink]:
    return await links.find(OLGA, LinkSearch(**given))


async def labels(links: LinkService, **given: Any) -> list[str | None]:
    return [owned.link.label for owned in (await find(links, **given)).items]


@pytest.fixture
async def made(links: LinkService, database: Database, clock: SetClock) -> list[OwnedLink]:
    """Five links of two environments, and somebody else's."""
    made = []
    for environment_id, given in (
        ("staging", {"label": "Delta", "expires_in": 9 * HOUR}),
        ("other", {"label": "alpha", "password": "eight!!!", "expires_in": 3 * HOUR}),
        ("staging", {"label": None, "note": "Über alles", "expires_in": 5 * HOUR}),
        ("site", {"label": "Charlie", "start_path": "/x", "expires_in": 7 * HOUR}),
        ("other", {"label": "bravo", "expires_in": HOUR, "active": False}),
    ):
        made.append(await make(links, environment_id, **given))
        clock.advance(SECOND)
    await links.create(STRANGER, "theirs", NewLink(label="theirs"))
    async with database.writing() as work:
        await work.visits.record(
            [
                Activity(made[1].link.id, "anna", ((clock.now(), True),), clock.now()),
                Activity(made[1].link.id, "bert", ((clock.now(), True),), clock.now()),
                Activity(made[3].link.id, "anna", ((NOON, True),), NOON),
            ]
        )
    return [await links.get(OLGA, owned.link.environment.id, owned.link.id) for owned in made]


async def test_all_links_of_the_organisation_are_found_newest_first(links: LinkService, made: list[OwnedLink]) -> None:
    page = await find(links)
    assert list(page.items) == list(reversed(made))
    assert (page.total, page.next_cursor) == (5, None)


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"sort": LinkSort.CREATED}, ["bravo", "Charlie", None, "alpha", "Delta"]),
        ({"sort": LinkSort.CREATED, "descending": False}, ["Delta", "alpha", None, "Charlie", "bravo"]),
        ({"sort": LinkSort.LABEL}, ["alpha", "bravo", "Charlie", "Delta", None]),
        ({"sort": LinkSort.EXPIRES}, ["bravo", "alpha", None, "Charlie", "Delta"]),
        ({"sort": LinkSort.VISITS, "limit": 2}, ["alpha", "Charlie"]),
        ({"sort": LinkSort.LAST_OPENED, "limit": 2}, ["alpha", "Charlie"]),
        ({"environment_id": "other"}, ["bravo", "alpha"]),
        ({"environment_id": "theirs"}, []),
        ({"text": " ALPHA "}, ["alpha"]),
        ({"text": "über"}, [None]),
        ({"text": ""}, ["bravo", "Charlie", None, "alpha", "Delta"]),
        ({"text": "theirs"}, []),
        ({"status": Status.DEACTIVATED}, ["bravo"]),
        ({"share_type": ShareType.PASSWORD}, ["alpha"]),
        ({"created_by": "otto"}, []),
        ({"expiring_within": 4 * HOUR}, ["alpha"]),
    ],
)
@pytest.mark.usefixtures("made")
async def test_links_are_sorted_and_filtered(
    links: LinkService, given: dict[str, Any], found: list[str | None]
) -> None:
    assert await labels(links, **given) == found


@pytest.mark.parametrize("descending", [None, False, True])
@pytest.mark.parametrize("sort", list(LinkSort))
@pytest.mark.usefixtures("made")
async def test_pages_follow_each_other_and_the_total_stays(
    links: LinkService, sort: LinkSort, *, descending: bool | None
) -> None:
    whole = (await find(links, sort=sort, descending=descending)).items
    for size in (1, 2, 3, 5):
        pages: list[OwnedLink] = []
        cursor = None
        while True:
            page = await find(links, sort=sort, descending=descending, limit=size, cursor=cursor)
            assert page.total == 5
            assert len(page.items) <= size
            pages += page.items
            cursor = page.next_cursor
            if cursor is None:
                break
        assert tuple(pages) == whole


async def test_what_is_made_meanwhile_moves_no_page(links: LinkService, made: list[OwnedLink]) -> None:
    first = await find(links, limit=2)
    await make(links, label="late")
    await links.remove(OLGA, "site", made[3].link.id)
    second = await find(links, limit=2, cursor=first.next_cursor)
    assert [owned.link.label for owned in second.items] == [None, "alpha"]


async def test_who_is_there_now_is_counted(links: LinkService, made: list[OwnedLink], clock: SetClock) -> None:
    assert [owned.visitors_now for owned in made] == [0, 2, 0, 1, 0]
    clock.advance(timedelta(seconds=57))
    assert {owned.link.label: owned.visitors_now for owned in (await find(links)).items if owned.visitors_now} == {
        "alpha": 2
    }
    clock.advance(timedelta(seconds=10))
    assert [owned.visitors_now for owned in (await find(links)).items] == [0] * 5


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": 501}, "limit"),
        ({"text": "x" * 201}, "search"),
        ({"expiring_within": timedelta(0)}, "expiringWithin"),
        ({"cursor": "nonsense"}, "cursor"),
        ({"cursor": ""}, "cursor"),
    ],
)
async def test_what_cannot_be_searched_is_named(links: LinkService, given: dict[str, Any], field: str) -> None:
    assert list(await refused(find(links, **given))) == [field]


@pytest.mark.usefixtures("made")
async def test_a_cursor_belongs_to_its_order(links: LinkService) -> None:
    cursor = (await find(links, limit=1)).next_cursor
    for given in ({"sort": LinkSort.LABEL}, {"descending": False}):
        assert list(await refused(find(links, cursor=cursor, **given))) == ["cursor"]
    assert len((await find(links, cursor=cursor, status=Status.ACTIVE)).items) == 4, "filters are another matter"
