from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from tests.authenticators import FakeAuthenticator
from tests.storage.samples import KEY, NOON, SetClock
from tests.unit.app.announcer import NotingAnnouncer
from tests.unit.app.link_service import (
    ADMIN,
    DEMO,
    HOUR,
    OLGA,
    STRANGER,
    VAULT,
    PlainHasher,
    history,
    make,
    refused,
)

from guestpass.app.accounts import AccountService
from guestpass.app.links import LinkChange, LinkService, ManyDeactivated, NewLink, OwnedLink
from guestpass.domain.access import Principal, Scope
from guestpass.domain.environment import EnvironmentKey, Kind
from guestpass.domain.errors import Forbidden, Invalid, NotFound
from guestpass.domain.link import Access, EventKind, ShareType, Status
from guestpass.storage.database import Database

OTTO = Principal("otto")


async def change(links: LinkService, id: str, environment_id: str = "staging", **given: Any) -> OwnedLink:
    return await links.change(OTTO, environment_id, id, LinkChange(**given))


async def told(database: Database, id: str) -> list[tuple[EventKind, str, str | None]]:
    """What the history says after the creation."""
    return [(event.kind, event.actor, event.detail) for event in (await history(database, id))[1:]]


@pytest.mark.parametrize(
    ("given", "attributes", "name"),
    [
        ({"label": " For Anna "}, {"label": "For Anna"}, "label"),
        ({"note": " One\r\nTwo\t3 "}, {"note": "One\nTwo\t3"}, "note"),
        ({"expires_in": 2 * HOUR}, {"expires_at": NOON + 3 * HOUR}, "expiresAt"),
        ({"expires_at": NOON + 5 * HOUR}, {"expires_at": NOON + 5 * HOUR}, "expiresAt"),
        ({"access": Access.READ_ONLY}, {"access": Access.READ_ONLY}, "access"),
        ({"start_path": "/odoo/crm?a=1#b"}, {"start_path": "/odoo/crm?a=1#b"}, "startPath"),
        ({"max_visitors": 3}, {"max_visitors": 3}, "maxVisitors"),
        ({"allowed_ips": ["192.0.2.7/32"]}, {"allowed_ips": ("192.0.2.7",)}, "allowedIPs"),
        ({"sign_in_as": "demo"}, {"account": "demo"}, "signInAs"),
        ({"sign_in_as": ADMIN}, {"account": "admin"}, "signInAs"),
    ],
)
async def test_a_change_is_kept_written_down_and_announced(
    links: LinkService,
    accounts: AccountService,
    database: Database,
    announcer: NotingAnnouncer,
    clock: SetClock,
    given: dict[str, Any],
    attributes: dict[str, Any],
    name: str,
) -> None:
    await accounts.put(OLGA, "staging", DEMO)
    made = await make(links)
    clock.advance(HOUR)
    changed = await change(links, made.link.id, **given)
    assert changed.link == replace(made.link, **attributes)
    assert changed.url == made.url
    assert await links.get(OLGA, "staging", made.link.id) == changed
    assert await told(database, made.link.id) == [(EventKind.CHANGED, "otto", name)]
    assert (await history(database, made.link.id))[1].at == NOON + HOUR
    assert announcer.announced[-1] == [f"link:{made.link.id}"]
    # The same once more changes nothing, and nobody is told.
    if "expires_in" not in given:
        again = await change(links, made.link.id, **(given if given.get("sign_in_as") != ADMIN else {}))
        assert again == changed
        assert len(await told(database, made.link.id)) == 1
        assert announcer.announced[-1] == []


async def test_what_is_given_to_a_change_can_be_given_at_creation(links: LinkService) -> None:
    made = await make(
        links,
        note="Asked for by Anna",
        expires_at=NOON + 3 * HOUR,
        start_path="/odoo",
        max_visitors=1,
        allowed_ips=["2001:DB8::/32", "192.0.2.7", "192.0.2.7"],
        active=False,
    )
    link = made.link
    assert (link.note, link.expires_at, link.start_path) == ("Asked for by Anna", NOON + 3 * HOUR, "/odoo")
    assert (link.max_visitors, link.allowed_ips) == (1, ("2001:db8::/32", "192.0.2.7"))
    assert (made.status, link.deactivated_at) == (Status.DEACTIVATED, NOON)


async def test_null_clears(links: LinkService, database: Database) -> None:
    made = await make(
        links, label="A", note="B", start_path="/odoo", max_visitors=1, allowed_ips=["192.0.2.7"], sign_in_as=DEMO
    )
    cleared = await change(
        links,
        made.link.id,
        label=None,
        note=None,
        start_path=None,
        max_visitors=None,
        allowed_ips=(),
        sign_in_as=None,
    )
    assert cleared.link == replace(
        made.link, label=None, note=None, start_path=None, max_visitors=None, allowed_ips=(), account=None
    )
    [(kind, _, fields)] = await told(database, made.link.id)
    assert (kind, fields) == (EventKind.CHANGED, "label,note,signInAs,startPath,maxVisitors,allowedIPs")


async def test_what_is_left_out_stays(links: LinkService, announcer: NotingAnnouncer, database: Database) -> None:
    made = await make(links, label="A", password="eight!!!", max_visitors=1)
    assert await change(links, made.link.id) == made
    assert await told(database, made.link.id) == []
    assert announcer.announced[-1] == []


async def test_a_new_password_ends_the_passes_from_before_and_its_removal_does_not(
    links: LinkService, database: Database
) -> None:
    made = await make(links)
    for password in ("eight!!!", "eight!!!", "another one"):
        before = (await links.get(OLGA, "staging", made.link.id)).link
        after = (await change(links, made.link.id, password=password)).link
        assert (after.share_type, after.password_hash) == (ShareType.PASSWORD, f"hash of {len(password)} characters")
        assert after.version == before.version + 1
    opened = (await change(links, made.link.id, password=None)).link
    assert (opened.share_type, opened.password_hash, opened.version) == (ShareType.TOKEN, None, 4)
    assert (await change(links, made.link.id, password=None)).link == opened
    events = await told(database, made.link.id)
    assert {event[2] for event in events} == {"password"}
    assert "another" not in str(events)


async def test_a_password_is_hashed_outside_of_the_write_lock(links: LinkService, hasher: PlainHasher) -> None:
    made = await make(links)
    hasher.may_go_on.clear()
    async with asyncio.TaskGroup() as group:
        changing = group.create_task(change(links, made.link.id, password="eight!!!"))
        await hasher.begun.wait()
        async with asyncio.timeout(60):
            await change(links, made.link.id, label="Meanwhile")
        hasher.may_go_on.set()
    assert (changing.result().link.label, changing.result().link.share_type) == ("Meanwhile", ShareType.PASSWORD)


async def test_a_link_is_paused_and_resumed_with_the_same_url(
    links: LinkService, database: Database, clock: SetClock
) -> None:
    made = await make(links)
    clock.advance(HOUR)
    paused = await change(links, made.link.id, active=False)
    assert (paused.status, paused.link.deactivated_at, paused.url) == (Status.DEACTIVATED, NOON + HOUR, made.url)
    clock.advance(HOUR)
    assert await change(links, made.link.id, active=False) == paused
    resumed = await change(links, made.link.id, active=True)
    assert resumed == made
    assert await change(links, made.link.id, active=True) == made
    assert await told(database, made.link.id) == [
        (EventKind.DEACTIVATED, "otto", None),
        (EventKind.ACTIVATED, "otto", None),
    ]


async def test_a_change_and_a_pause_at_once_are_two_lines(links: LinkService, database: Database) -> None:
    made = await make(links)
    await change(links, made.link.id, active=False, label="Over")
    assert await told(database, made.link.id) == [
        (EventKind.CHANGED, "otto", "label"),
        (EventKind.DEACTIVATED, "otto", None),
    ]


async def test_an_expired_link_is_opened_again_by_a_new_end_only(links: LinkService, clock: SetClock) -> None:
    made = await make(links, expires_in=HOUR)
    await change(links, made.link.id, active=False)
    clock.advance(2 * HOUR)
    assert await refused(change(links, made.link.id, active=True)) == {
        "expiresIn": "is needed too: the link has expired, so give it a new lifetime, such as 24h"
    }
    assert (await links.get(OLGA, "staging", made.link.id)).status is Status.DEACTIVATED
    assert (await change(links, made.link.id, expires_in=HOUR)).status is Status.DEACTIVATED
    resumed = await change(links, made.link.id, active=True)
    assert (resumed.status, resumed.link.expires_at) == (Status.ACTIVE, NOON + 3 * HOUR)
    clock.advance(2 * HOUR)
    assert (await change(links, made.link.id, label="Still over")).status is Status.EXPIRED
    assert (await change(links, made.link.id, active=True, expires_in=HOUR)).status is Status.ACTIVE


@pytest.mark.parametrize(
    ("given", "errors"),
    [
        ({"label": "x" * 201}, {"label": "must be at most 200 characters"}),
        ({"label": "\x00"}, {"label": "must not hold control characters"}),
        ({"label": "a\u202eb"}, {"label": "must not hold characters that change the direction of text"}),
        ({"label": "\u200b"}, {"label": "must hold a character that can be seen"}),
        ({"note": "\u2800"}, {"note": "must hold a character that can be seen"}),
        ({"note": "x" * 2001}, {"note": "must be at most 2000 characters"}),
        ({"note": "\x1b[2J"}, {"note": "must not hold control characters, but for line breaks and tabs"}),
        ({"expires_in": timedelta(0)}, {"expiresIn": "must be more than 0s and at most 365d"}),
        ({"expires_at": NOON}, {"expiresAt": "must be in the future, and at most 365d from now"}),
        (
            {"expires_at": NOON + timedelta(days=365, microseconds=1)},
            {"expiresAt": "must be in the future, and at most 365d from now"},
        ),
        (
            {"expires_at": datetime(2026, 3, 2)},  # noqa: DTZ001 -- what is refused
            {"expiresAt": "must say its time zone, such as 2026-03-04T18:00:00Z"},
        ),
        (
            {"expires_in": HOUR, "expires_at": NOON + HOUR},
            {"expiresAt": "can't be given beside expiresIn; choose one of them"},
        ),
        ({"password": ""}, {"password": "must be 8 to 1024 bytes long"}),
        ({"password": "seven!!"}, {"password": "must be 8 to 1024 bytes long"}),
        ({"max_visitors": 0}, {"maxVisitors": "must be from 1 to 100000"}),
        ({"max_visitors": 100_001}, {"maxVisitors": "must be from 1 to 100000"}),
        (
            {"start_path": "odoo"},
            {"startPath": "must begin with a slash, without scheme and host, such as /odoo/crm"},
        ),
        (
            {"start_path": "/web/database/manager"},
            {
                "startPath": "can't be opened by visitors. /web/database is not shared: it is blocked for everybody "
                "who comes by a link. Choose another path"
            },
        ),
        ({"allowed_ips": ["anywhere"]}, ["allowedIPs"]),
        (
            {"allowed_ips": ["10.0.0.1/8"]},
            {
                "allowedIPs": "must hold networks: number 1 is an address inside one; write 10.0.0.0/8 for the "
                "network, or 10.0.0.1 for the address alone"
            },
        ),
        ({"sign_in_as": "nobody"}, ["signInAs"]),
        ({"sign_in_as": replace(DEMO, password="wrong")}, ["signInAs.password"]),
        (
            {"label": "x" * 201, "max_visitors": 0, "start_path": "//evil.example", "allowed_ips": ["x"]},
            ["label", "startPath", "maxVisitors", "allowedIPs"],
        ),
    ],
)
async def test_what_cannot_be_is_named_and_changes_nothing(
    links: LinkService, database: Database, given: dict[str, Any], errors: dict[str, str] | list[str]
) -> None:
    made = await make(links)
    found = await refused(change(links, made.link.id, **given))
    assert (found if isinstance(errors, dict) else list(found)) == errors
    assert await links.get(OLGA, "staging", made.link.id) == made
    assert await told(database, made.link.id) == []
    if given.get("password") != "" and "expires_in" not in given:
        assert list(await refused(make(links, **given))) == list(errors), "creation says the same"


async def test_ends_may_be_given_in_any_zone(links: LinkService) -> None:
    made = await make(links, expires_at=datetime(2026, 3, 1, 20, tzinfo=timezone(timedelta(hours=5))))
    kept = (await links.get(OLGA, "staging", made.link.id)).link.expires_at
    assert kept == datetime(2026, 3, 1, 15, tzinfo=UTC)
    assert kept.tzinfo is UTC


async def test_a_start_path_may_lead_through_a_door_that_the_owner_opened(
    links: LinkService, database: Database
) -> None:
    made = await make(links)
    assert (await change(links, made.link.id, start_path="/jsonrpc")).link.start_path == "/jsonrpc"
    async with database.writing() as work:
        environment = await work.environments.get(KEY)
        assert environment is not None
        await work.environments.update(replace(environment, allow_paths=()))
    assert list(await refused(change(links, made.link.id, start_path="/jsonrpc"))) == ["startPath"]
    # It says nothing of what else is changed.
    assert (await change(links, made.link.id, label="New")).link.start_path == "/jsonrpc"


async def test_a_site_that_is_no_odoo_has_no_shut_doors_and_no_accounts(links: LinkService) -> None:
    made = await make(links, "site")
    changed = await change(links, made.link.id, "site", start_path="/web/database/manager")
    assert changed.link.start_path == "/web/database/manager"
    for given, field in (({"access": Access.READ_ONLY}, "access"), ({"sign_in_as": "demo"}, "signInAs")):
        assert list(await refused(change(links, made.link.id, "site", **given))) == [field]


async def test_a_link_does_not_open_again_as_an_account_that_is_gone(
    links: LinkService, accounts: AccountService
) -> None:
    made = await make(links, sign_in_as=DEMO)
    await change(links, made.link.id, active=False)
    await accounts.remove(OLGA, "staging", "demo")
    assert list(await refused(change(links, made.link.id, active=True))) == ["signInAs"]
    assert (await change(links, made.link.id, label="Kept for the record")).link.account == "demo"
    assert (await change(links, made.link.id, active=True, sign_in_as=None)).status is Status.ACTIVE


async def test_a_view_only_link_does_not_open_again_where_nobody_keeps_it_to_that(
    links: LinkService, database: Database, clock: SetClock
) -> None:
    made = await make(links, access=Access.READ_ONLY, expires_in=HOUR)
    clock.advance(HOUR)
    async with database.writing() as work:
        environment = await work.environments.get(KEY)
        assert environment is not None
        await work.environments.update(replace(environment, kind=Kind.WEB))
    assert list(await refused(change(links, made.link.id, expires_in=HOUR))) == ["access"]
    assert (await change(links, made.link.id, expires_in=HOUR, access=Access.FULL)).status is Status.ACTIVE


async def test_only_credentials_need_the_scope_for_accounts_too(
    links: LinkService, accounts: AccountService, authenticator: FakeAuthenticator
) -> None:
    made = await make(links)
    await accounts.put(OLGA, "staging", DEMO)
    sharer = Principal("sue", scopes=frozenset({Scope.SHARES_WRITE}))
    with pytest.raises(Forbidden, match=Scope.ENVIRONMENTS_WRITE):
        await links.change(sharer, "staging", made.link.id, LinkChange(sign_in_as=ADMIN))
    assert len(authenticator.tried) == 1
    changed = await links.change(sharer, "staging", made.link.id, LinkChange(sign_in_as="demo"))
    assert changed.link.account == "demo"


async def test_a_rotation_gives_another_url_and_keeps_the_rest(
    links: LinkService, database: Database, announcer: NotingAnnouncer, clock: SetClock
) -> None:
    made = await make(links, label="Kept", password="eight!!!")
    clock.advance(HOUR)
    urls, versions = [made.url], [made.link.version]
    for _ in range(2):
        rotated = await links.rotate(OTTO, "staging", made.link.id)
        assert rotated.link == replace(made.link, version=versions[-1] + 1, version_since=clock.now())
        assert await links.get(OLGA, "staging", made.link.id) == rotated
        assert announcer.announced[-1] == [f"link:{made.link.id}"]
        urls.append(rotated.url)
        versions.append(rotated.link.version)
    assert len(set(urls)) == 3
    async with database.reading() as work:
        records = [await work.links.by_token_hash(VAULT.hash(url.rpartition("/")[2])) for url in urls]
    assert all(record is not None and record.link_id == made.link.id for record in records)
    assert [record.retired_at for record in records if record is not None] == [NOON + HOUR, NOON + HOUR, None]
    assert await told(database, made.link.id) == [(EventKind.ROTATED, "otto", None)] * 2


async def many(links: LinkService, ids: Sequence[str]) -> ManyDeactivated:
    return await links.deactivate_many(OTTO, ids)


async def test_many_links_are_deactivated_at_once_and_each_is_accounted_for(
    links: LinkService, database: Database, announcer: NotingAnnouncer
) -> None:
    one, two, off = [(await make(links, name)).link.id for name in ("staging", "other", "staging")]
    theirs = (await links.create(STRANGER, "theirs", NewLink())).link.id
    await links.deactivate(OLGA, "staging", off)
    told_before = len(announcer.announced)
    assert await many(links, [two, "absent", off, one, theirs, two]) == ManyDeactivated(
        (two, one), (off,), ("absent", theirs)
    )
    assert announcer.announced[told_before:] == [[f"link:{two}", f"link:{one}"]]
    assert (await links.get(STRANGER, "theirs", theirs)).status is Status.ACTIVE
    for id in (one, two):
        assert await told(database, id) == [(EventKind.DEACTIVATED, "otto", None)]
    assert await many(links, [one]) == ManyDeactivated((), (one,), ())


@pytest.mark.parametrize("count", [0, 501])
async def test_so_many_links_cannot_be_deactivated_at_once(links: LinkService, count: int) -> None:
    with pytest.raises(Invalid) as caught:
        await many(links, [f"link{number}" for number in range(count)])
    assert [(error.field, error.message) for error in caught.value.errors] == [("ids", "must be 1 to 500 ids")]
    assert len((await many(links, [f"link{number}" for number in range(500)])).not_found) == 500


async def test_a_link_is_found_in_its_own_environment_and_organisation_only(links: LinkService) -> None:
    made = await make(links)
    for who, environment_id, what in (
        (OLGA, "other", "share link"),
        (OLGA, "absent", "environment"),
        (STRANGER, "staging", "environment"),
        (STRANGER, "theirs", "share link"),
    ):
        with pytest.raises(NotFound, match=f"no {what}"):
            await links.change(who, environment_id, made.link.id, LinkChange(label="Mine"))
        with pytest.raises(NotFound, match=f"no {what}"):
            await links.rotate(who, environment_id, made.link.id)
    assert await links.get(OLGA, "staging", made.link.id) == made


async def test_an_environment_that_goes_while_a_password_is_hashed_is_not_found(
    links: LinkService, database: Database, hasher: PlainHasher
) -> None:
    made = await make(links)
    hasher.may_go_on.clear()

    async def change_it() -> None:
        with pytest.raises(NotFound):
            await change(links, made.link.id, password="eight!!!")

    async with asyncio.TaskGroup() as group:
        group.create_task(change_it())
        await hasher.begun.wait()
        async with database.writing() as work:
            await work.environments.remove(EnvironmentKey("default", "staging"))
        hasher.may_go_on.set()


async def test_changes_at_once_are_all_kept(links: LinkService, database: Database) -> None:
    made = await make(links)
    async with asyncio.TaskGroup() as group:
        for given in ({"label": "A"}, {"note": "B"}, {"max_visitors": 3}, {"password": "eight!!!"}, {"active": False}):
            group.create_task(change(links, made.link.id, **given))
        group.create_task(links.rotate(OTTO, "staging", made.link.id))
    link = (await links.get(OLGA, "staging", made.link.id)).link
    assert (link.label, link.note, link.max_visitors) == ("A", "B", 3)
    assert (link.share_type, link.deactivated_at, link.version) == (ShareType.PASSWORD, NOON, 3)
    assert len(await told(database, made.link.id)) == 6
