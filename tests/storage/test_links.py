from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError
from tests.storage.samples import (
    KEY,
    LINK_ID,
    NOON,
    history_of,
    keep,
    link_of,
    make_environment,
    make_link,
    token_hash_of,
)

from guestpass.app.ports import Activity, TokenRecord
from guestpass.domain.environment import EnvironmentKey
from guestpass.domain.link import Access, EventKind, LinkEvent, ShareLink, ShareType, Status
from guestpass.domain.visit import Refusal
from guestpass.storage.database import Database
from guestpass.storage.tables import link_tokens

OTHER_ID = "bbbbbbbbbbbbbbbb"


@pytest.mark.parametrize(
    "link",
    [
        make_link(),
        make_link(share_type=ShareType.TOKEN, label=None, password_hash=None),
        make_link(deactivated_at=NOON + timedelta(hours=1), last_opened_at=NOON, visits=2**40, visitors=7),
        make_link(access=Access.READ_ONLY),
        make_link(account="anna"),
        make_link(note="Two\nlines", start_path="/odoo/crm?view=list#1", max_visitors=3),
        make_link(allowed_ips=("192.0.2.7", "198.51.100.0/24", "2001:db8::/32")),
    ],
)
async def test_a_link_comes_back_as_it_was_given(database: Database, link: ShareLink) -> None:
    await keep(database, make_environment(), link)
    assert await link_of(database) == link


async def test_an_absent_link_is_none(database: Database) -> None:
    async with database.reading() as work:
        assert await work.links.get(LINK_ID) is None
        assert await work.links.by_token_hash(token_hash_of(LINK_ID)) is None


async def test_a_link_needs_its_environment(database: Database) -> None:
    with pytest.raises(IntegrityError):
        await keep(database, make_link())


async def test_a_link_is_found_by_its_tokens_hash(database: Database) -> None:
    await keep(database, make_environment(), make_link(), make_link(OTHER_ID))
    async with database.reading() as work:
        assert await work.links.by_token_hash(token_hash_of(OTHER_ID)) == TokenRecord(OTHER_ID, None)
        assert await work.links.by_token_hash(bytes(32)) is None


async def test_a_retired_token_is_known_but_no_longer_the_links_own(database: Database) -> None:
    await keep(database, make_environment(), make_link())
    async with database.writing() as work:
        await work.connection.execute(update(link_tokens).values(retired_at=NOON))
    async with database.reading() as work:
        assert await work.links.by_token_hash(token_hash_of(LINK_ID)) == TokenRecord(LINK_ID, NOON)
        assert await work.links.sealed_tokens([LINK_ID]) == {}


async def test_a_link_has_one_current_token(database: Database) -> None:
    await keep(database, make_environment(), make_link())
    second = {"token_hash": bytes(32), "link_id": LINK_ID, "sealed": b"second", "created_at": NOON}
    with pytest.raises(IntegrityError):
        async with database.writing() as work:
            await work.connection.execute(link_tokens.insert().values(second))
    async with database.writing() as work:
        await work.connection.execute(update(link_tokens).values(retired_at=NOON))
        await work.connection.execute(link_tokens.insert().values(second))
    async with database.reading() as work:
        assert await work.links.sealed_tokens([LINK_ID]) == {LINK_ID: b"second"}


async def test_sealed_tokens_of_many_links_come_at_once(database: Database) -> None:
    ids = [f"link{number:012}" for number in range(1_203)]
    await keep(database, make_environment(), *(make_link(id) for id in ids))
    async with database.reading() as work:
        assert await work.links.sealed_tokens([]) == {}
        sealed = await work.links.sealed_tokens([*ids, "absent"])
    assert sealed == {id: b"sealed:" + id.encode() for id in ids}


async def test_links_are_listed_newest_first_to_the_microsecond(database: Database) -> None:
    tick = timedelta(microseconds=1)
    elsewhere = EnvironmentKey("default", "other")
    await keep(
        database,
        make_environment(),
        make_environment(elsewhere),
        make_link("middle", created_at=NOON),
        make_link("newest", created_at=NOON + tick),
        make_link("oldest", created_at=NOON - tick),
        # A whole second is the case that a text of varying width would sort wrongly.
        make_link("second", created_at=NOON.replace(microsecond=0)),
        make_link("foreign", environment=elsewhere),
    )
    async with database.reading() as work:
        listed = await work.links.by_environment(KEY, now=NOON)
        assert [link.id for link in listed] == ["newest", "middle", "oldest", "second"]
        assert await work.links.by_environment(EnvironmentKey("other", "staging"), now=NOON) == []


@pytest.mark.parametrize("status", list(Status))
async def test_a_listing_by_status_agrees_with_each_links_own_word(database: Database, status: Status) -> None:
    tick = timedelta(microseconds=1)
    links = [
        make_link("active", expires_at=NOON + tick),
        make_link("at_its_end", expires_at=NOON),
        make_link("expired", expires_at=NOON.replace(microsecond=0)),
        make_link("deactivated", deactivated_at=NOON - tick),
        make_link("both", deactivated_at=NOON - tick, expires_at=NOON - tick),
    ]
    await keep(database, make_environment(), *links)
    async with database.reading() as work:
        listed = await work.links.by_environment(KEY, now=NOON, status=status)
    expected = {
        Status.ACTIVE: {"active"},
        Status.EXPIRED: {"at_its_end", "expired"},
        Status.DEACTIVATED: {"deactivated", "both"},
    }
    assert {link.id for link in listed} == expected[status]
    assert {link.status(NOON) for link in listed} == {status}


async def test_deactivating_happens_once(database: Database) -> None:
    await keep(database, make_environment(), make_link(), make_link(OTHER_ID))
    later = NOON + timedelta(minutes=5)
    async with database.writing() as work:
        assert await work.links.deactivate(LINK_ID, NOON)
        assert not await work.links.deactivate(LINK_ID, later)
        assert not await work.links.deactivate("absent", later)
    assert await link_of(database) == make_link(deactivated_at=NOON)
    assert await link_of(database, OTHER_ID) == make_link(OTHER_ID)


async def test_removing_a_link_takes_its_tokens_visitors_and_history(database: Database) -> None:
    await keep(database, make_environment(), make_link(), make_link(OTHER_ID))
    activity = Activity(LINK_ID, "visitor", ((NOON, True),), NOON)
    async with database.writing() as work:
        await work.visits.record([activity, replace(activity, link_id=OTHER_ID)])
        await work.visits.add_events([LinkEvent(LINK_ID, NOON, EventKind.CREATED, "olga")])
        await work.refusals.add([Refusal(LINK_ID, NOON, "password_wrong"), Refusal(OTHER_ID, NOON, "password_wrong")])
    async with database.writing() as work:
        assert await work.links.remove(LINK_ID)
        assert not await work.links.remove(LINK_ID)
    async with database.reading() as work:
        assert await work.links.get(LINK_ID) is None
        assert await work.links.by_token_hash(token_hash_of(LINK_ID)) is None
        for id, left in ((LINK_ID, 0), (OTHER_ID, 1)):
            assert len(await history_of(work, id)) == left
            assert len(await work.refusals.of_link(id)) == left
            assert len(await work.visits.hours(id, NOON - timedelta(days=1))) == left
    # A link that is made again under the same id has no visitors left from the one before.
    await keep(database, make_link())
    async with database.writing() as work:
        await work.visits.record([activity])
    assert (await link_of(database)).visitors == 1
