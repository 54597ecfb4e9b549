from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.storage.samples import (
    KEY,
    LINK_ID,
    NOON,
    changes_after,
    history_of,
    keep,
    make_environment,
    make_link,
    token_hash_of,
)

from guestpass.app.ports import ChangeKind, Store
from guestpass.domain.environment import BusPlace, Environment, EnvironmentKey, Kind
from guestpass.domain.errors import AlreadyExists
from guestpass.domain.finding import Finding
from guestpass.domain.link import EventKind, LinkEvent
from guestpass.storage.database import Database

ABSENT = EnvironmentKey("default", "absent")


async def stored(store: Store, key: EnvironmentKey = KEY) -> Environment | None:
    async with store.reading() as work:
        return await work.environments.get(key)


async def cookies(store: Store, key: EnvironmentKey = KEY) -> frozenset[str]:
    async with store.reading() as work:
        return await work.environments.http_only_cookies(key)


async def learn(store: Store, *names: str, key: EnvironmentKey = KEY) -> None:
    async with store.writing() as work:
        await work.environments.learn_http_only_cookies(key, names)


async def changed(store: Store) -> list[tuple[ChangeKind, str]]:
    async with store.reading() as work:
        return [(change.kind, change.id) for change in await changes_after(work)]


@pytest.mark.parametrize(
    "environment",
    [
        make_environment(),
        make_environment(websocket_url=None, description=None, tls_verify=True, maintenance="Back at 14:00 ☕"),
        make_environment(kind=Kind.WEB, body_limit=2**50, response_timeout=timedelta(hours=24)),
        make_environment(
            public_url=None,
            database=None,
            allow_paths=(),
            max_concurrent=1,
            read_only_allow=(),
            odoo_version=None,
            canonical_url=None,
            websocket_on=None,
            found_websocket_url=None,
            checked_at=None,
        ),
        make_environment(allow_paths=("/jsonrpc",), websocket_on=BusPlace.NONE),
    ],
)
async def test_an_environment_comes_back_as_it_was_given(database: Database, environment: Environment) -> None:
    await keep(database, environment)
    assert await stored(database) == environment


async def test_an_absent_environment_is_none(database: Database) -> None:
    await keep(database, make_environment())
    assert await stored(database, ABSENT) is None
    assert await stored(database, EnvironmentKey("other", "staging")) is None


async def test_a_taken_key_is_refused_and_what_is_there_stays(database: Database) -> None:
    await keep(database, make_environment())
    with pytest.raises(AlreadyExists, match="'staging'"):
        await keep(database, make_environment(name="Another"))
    assert await stored(database) == make_environment()


async def test_the_same_id_in_two_organisations_is_two_environments(database: Database) -> None:
    theirs = make_environment(EnvironmentKey("other", "staging"), name="Theirs")
    await keep(database, make_environment(), theirs)
    assert await stored(database) == make_environment()
    assert await stored(database, theirs.key) == theirs


async def test_all_are_one_organisations_by_name_and_then_id(database: Database) -> None:
    def named(id: str, name: str, org: str = "default") -> Environment:
        return make_environment(EnvironmentKey(org, id), name=name)

    await keep(
        database, named("c", "Beta"), named("b", "Beta"), named("z", "Alpha"), named("a", "Aardvark", org="other")
    )
    async with database.reading() as work:
        assert [environment.id for environment in await work.environments.all("default")] == ["z", "b", "c"]
        assert await work.environments.all("nobody") == []
        assert [await work.environments.count(up_to=most) for most in (1, 4, 5)] == [1, 4, 4]


async def test_an_update_changes_all_but_origin(database: Database) -> None:
    await keep(database, make_environment())
    after = make_environment(
        name="Production copy",
        url="https://10.0.0.6",
        websocket_url=None,
        kind=Kind.WEB,
        description=None,
        tls_verify=True,
        body_limit=1,
        response_timeout=timedelta(seconds=1),
        maintenance="Soon",
        revision=5,
        created_at=NOON + timedelta(days=1),
        created_by="somebody else",
        public_url="https://other.example.com",
        database="other",
        allow_paths=("/json",),
        max_concurrent=1000,
        read_only_allow=("res.partner/get_totals",),
        odoo_version="17.0",
        canonical_url=None,
        websocket_on=BusPlace.SAME,
        found_websocket_url=None,
        checked_at=NOON + timedelta(days=2),
    )
    async with database.writing() as work:
        assert await work.environments.update(after)
        assert not await work.environments.update(replace(after, key=ABSENT))
    assert await stored(database) == replace(after, created_at=NOON, created_by="olga")


FOUND = (Finding("b", "Second by name,", "first in rank."), Finding("a", "Æ", "Ø"))


async def findings(store: Store, org: str = "default", id: str | None = None) -> dict[EnvironmentKey, object]:
    async with store.reading() as work:
        return dict(await work.environments.findings(org, id=id))


async def test_findings_are_kept_in_order_for_each_environment(database: Database) -> None:
    second, theirs = EnvironmentKey("default", "second"), EnvironmentKey("other", "staging")
    await keep(database, *(make_environment(key) for key in (KEY, second, theirs)))
    async with database.writing() as work:
        await work.environments.set_findings(KEY, FOUND)
        await work.environments.set_findings(second, FOUND[:1])
        await work.environments.set_findings(theirs, FOUND[1:])
    assert await findings(database) == {KEY: FOUND, second: FOUND[:1]}
    assert await findings(database, id="second") == {second: FOUND[:1]}
    assert await findings(database, "other") == {theirs: FOUND[1:]}
    assert await findings(database, id="absent") == {}


async def test_new_findings_replace_the_old_and_none_replace_all(database: Database) -> None:
    await keep(database, make_environment())
    for found in (FOUND, FOUND[::-1], FOUND[:1], ()):
        async with database.writing() as work:
            await work.environments.set_findings(KEY, found)
        assert await findings(database) == ({KEY: found} if found else {})


async def test_what_is_found_on_the_way_comes_behind_the_rest_and_once(database: Database) -> None:
    environment, late = make_environment(), Finding("late", "Found by a visitor,", "not by a look.")
    await keep(database, environment)
    for known in (FOUND, ()):
        for _ in range(2):
            async with database.writing() as work:
                await work.environments.set_findings(KEY, known)
                await work.environments.add_finding(environment, late)
                await work.environments.add_finding(environment, late)
            assert await findings(database) == {KEY: (*known, late)}


@pytest.mark.parametrize(
    "then",
    [
        make_environment(ABSENT),
        make_environment(revision=make_environment().revision + 1),
        make_environment(created_at=NOON - timedelta(days=400)),
    ],
)
async def test_what_was_found_elsewhere_is_no_finding_here(database: Database, then: Environment) -> None:
    await keep(database, make_environment())
    async with database.writing() as work:
        await work.environments.add_finding(then, FOUND[0])
    assert await findings(database) == {}


async def test_removing_takes_everything_that_hangs_on_it_and_nothing_else(database: Database) -> None:
    other_key, other_id = EnvironmentKey("default", "other"), "bbbbbbbbbbbbbbbb"
    await keep(
        database,
        make_environment(),
        make_environment(other_key),
        make_link(),
        make_link(other_id, environment=other_key),
    )
    event = LinkEvent(LINK_ID, NOON, EventKind.CREATED, "olga")
    async with database.writing() as work:
        await work.visits.add_events([event, replace(event, link_id=other_id)])
        await work.environments.learn_http_only_cookies(KEY, ["session_id"])
        await work.environments.learn_http_only_cookies(other_key, ["session_id"])
        await work.environments.set_findings(KEY, FOUND)
        await work.environments.set_findings(other_key, FOUND)
    async with database.writing() as work:
        assert await work.environments.remove(KEY)
        assert not await work.environments.remove(KEY)
    async with database.reading() as work:
        assert await work.links.get(LINK_ID) is None
        assert await work.links.by_token_hash(token_hash_of(LINK_ID)) is None
        assert await work.links.sealed_tokens([LINK_ID, other_id]) == {other_id: b"sealed:" + other_id.encode()}
        assert await history_of(work, LINK_ID) == []
        assert await work.environments.http_only_cookies(KEY) == frozenset()
        assert await work.links.get(other_id) is not None
        assert len(await history_of(work, other_id)) == 1
        assert await work.environments.http_only_cookies(other_key) == {"session_id"}
        assert await work.environments.findings("default") == {other_key: FOUND}


async def test_new_cookie_names_are_kept_and_told_once(database: Database) -> None:
    await keep(database, make_environment())
    await learn(database, "session_id", "session_id", "csrf")
    assert await cookies(database) == {"session_id", "csrf"}
    told = [(ChangeKind.ENVIRONMENT, "default/staging")]
    assert await changed(database) == told

    await learn(database, "csrf", "session_id")
    await learn(database)
    assert await changed(database) == told

    await learn(database, "csrf", "frontend_lang")
    assert await cookies(database) == {"session_id", "csrf", "frontend_lang"}
    assert await changed(database) == told * 2


async def test_at_most_64_cookie_names_are_kept(database: Database) -> None:
    other = EnvironmentKey("default", "other")
    await keep(database, make_environment(), make_environment(other))
    await learn(database, *(f"first{number}" for number in range(60)))
    await learn(database, *(f"second{number}" for number in range(60)))
    kept = await cookies(database)
    assert len(kept) == 64
    assert sum(name.startswith("first") for name in kept) == 60
    before = await changed(database)
    await learn(database, "one_more")
    assert await cookies(database) == kept
    assert await changed(database) == before
    await learn(database, "one_more", key=other)
    assert await cookies(database, other) == {"one_more"}


async def test_cookie_names_of_an_environment_that_is_gone_are_dropped(database: Database) -> None:
    await learn(database, "session_id")
    assert await cookies(database) == frozenset()
    assert await changed(database) == []
