from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.environment_checks import RecordingCheck
from tests.storage.samples import (
    KEY,
    LINK_ID,
    NOON,
    CountedEntropy,
    SetClock,
    keep,
    make_account,
    make_link,
    make_session,
    sign_in,
)
from tests.unit.app.announcer import NotingAnnouncer

from guestpass.app.environment_check import CheckReport
from guestpass.app.environments import EnvironmentChange, EnvironmentService, NewEnvironment
from guestpass.app.findings import Findings
from guestpass.app.ports import RefusedCall
from guestpass.app.public_urls import PublicUrls
from guestpass.domain.access import Principal, Scope
from guestpass.domain.account import Account, SignInRefusal
from guestpass.domain.environment import BusPlace, Environment, EnvironmentKey, Kind
from guestpass.domain.errors import AlreadyExists, Forbidden, Invalid, NotFound
from guestpass.domain.finding import Finding
from guestpass.domain.link import Access
from guestpass.storage.database import Database

OLGA, STRANGER = Principal("olga"), Principal("sam", "acme")
URL = "http://10.0.0.5:8069"


FINDING = Finding("websocket_not_found", "No bus.", "Set websocketUrl.")
REPORT = CheckReport(
    odoo_version="18.0",
    canonical_url="https://www.example.com",
    websocket=BusPlace.GEVENT,
    found_websocket_url="http://10.0.0.5:8072",
    findings=(FINDING,),
)


@pytest.fixture
def checker() -> RecordingCheck:
    return RecordingCheck()


@pytest.fixture
def service(
    database: Database, announcer: NotingAnnouncer, clock: SetClock, checker: RecordingCheck
) -> EnvironmentService:
    return EnvironmentService(database, announcer, clock, CountedEntropy(), checker)


@pytest.fixture
def findings(database: Database) -> Findings:
    return Findings(database, PublicUrls("https://share.example.com", "links.example.com"))


def new(**given: Any) -> NewEnvironment:
    return NewEnvironment(**{"name": "Staging", "url": URL, **given})


async def refused(call: Awaitable[object]) -> dict[str, str]:
    with pytest.raises(Invalid) as caught:
        await call
    return {error.field: error.message for error in caught.value.errors}


async def test_an_environment_is_registered_with_the_defaults(
    service: EnvironmentService, announcer: NotingAnnouncer
) -> None:
    added = await service.add(OLGA, new(url="HTTP://Odoo:8069/", name="  Staging "))
    assert added == Environment(
        key=EnvironmentKey("default", "staging"),
        name="Staging",
        url="http://odoo:8069",
        websocket_url=None,
        kind=Kind.ODOO,
        description=None,
        tls_verify=True,
        body_limit=256 * 1024**2,
        response_timeout=timedelta(seconds=720),
        maintenance=None,
        revision=1,
        created_at=NOON,
        created_by="olga",
        public_url=None,
        database=None,
        allow_paths=(),
        max_concurrent=8,
        checked_at=NOON,
    )
    assert await service.get(OLGA, "staging") == added
    assert await service.list_all(OLGA) == [added]
    # Once as it was given, and once with what was found.
    assert announcer.announced == [["environment:default/staging"]] * 2


async def test_everything_that_can_be_given_is_kept(service: EnvironmentService) -> None:
    given = {
        "id": "erp",
        "websocket_url": "https://10.0.0.5:8072",
        "kind": Kind.WEB,
        "description": "Two\nlines\r\nand a tab\t",
        "tls_verify": False,
        "body_limit": 1,
        "response_timeout": timedelta(hours=24),
        "maintenance": "Back soon",
        "public_url": "https://odoo.example.com",
        "database": "live",
        "allow_paths": ("/jsonrpc", "/json"),
        "max_concurrent": 1000,
        "read_only_allow": ("res.partner/get_totals",),
    }
    await service.add(OLGA, new(**given))
    kept = await service.get(OLGA, "erp")
    assert {name: getattr(kept, name) for name in given} == given | {"description": "Two\nlines\r\nand a tab"}


async def test_an_id_is_made_of_the_name_where_none_is_given(service: EnvironmentService) -> None:
    ids = [(await service.add(OLGA, new(name="Müller & Söhne"))).id for _ in range(3)]
    assert ids[0] == "muller-sohne"
    assert len(set(ids)) == 3
    assert all(id.startswith("muller-sohne") for id in ids)
    assert (await service.add(OLGA, new(name="日本"))).id == "environment"


async def test_a_chosen_id_that_is_taken_is_refused(service: EnvironmentService, announcer: NotingAnnouncer) -> None:
    added = await service.add(OLGA, new(id="staging"))
    with pytest.raises(AlreadyExists, match="'staging' exists already; choose another id"):
        await service.add(OLGA, new(id="staging", name="Another"))
    assert await service.list_all(OLGA) == [added]
    assert len(announcer.announced) == 2
    await service.add(STRANGER, new(id="staging"))


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"id": "Staging"}, "id"),
        ({"id": ""}, "id"),
        ({"id": "x" * 64}, "id"),
        ({"id": "a/b"}, "id"),
        ({"id": "stäging"}, "id"),
        ({"id": "staging\n"}, "id"),
        ({"name": " "}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"name": "two\nlines"}, "name"),
        ({"name": "tab\tbed"}, "name"),
        ({"url": "odoo:8069"}, "url"),
        ({"url": "http://odoo/web"}, "url"),
        ({"websocket_url": "ws://odoo:8072"}, "websocketUrl"),
        ({"description": ""}, "description"),
        ({"description": "x" * 2001}, "description"),
        ({"description": "bell\x07"}, "description"),
        ({"description": "old mac\rline"}, "description"),
        ({"maintenance": " "}, "maintenance"),
        ({"maintenance": "x" * 2001}, "maintenance"),
        ({"body_limit": 0}, "bodyLimit"),
        ({"body_limit": 2**50 + 1}, "bodyLimit"),
        ({"response_timeout": timedelta(milliseconds=999)}, "responseTimeout"),
        ({"response_timeout": timedelta(hours=24, microseconds=1)}, "responseTimeout"),
        ({"public_url": "https://odoo.example.com/web"}, "publicUrl"),
        ({"database": ""}, "database"),
        ({"database": "x" * 64}, "database"),
        ({"database": "two\nlines"}, "database"),
        ({"allow_paths": ["jsonrpc"]}, "allowPaths"),
        ({"allow_paths": ["/web/database"]}, "allowPaths"),
        ({"max_concurrent": 0}, "maxConcurrent"),
        ({"max_concurrent": 1001}, "maxConcurrent"),
        ({"read_only_allow": ["res.partner/_get_totals"]}, "readOnlyAllow"),
        ({"read_only_allow": ["res.partner"]}, "readOnlyAllow"),
    ],
)
async def test_what_cannot_be_is_named(
    service: EnvironmentService, announcer: NotingAnnouncer, given: dict[str, Any], field: str
) -> None:
    assert set(await refused(service.add(OLGA, new(**given)))) == {field}
    assert await service.list_all(OLGA) == []
    if field != "id":
        await service.add(OLGA, new())
        assert set(await refused(service.change(OLGA, "staging", EnvironmentChange(**given)))) == {field}
        assert await service.get(OLGA, "staging") == (await service.list_all(OLGA))[0]
        assert len(announcer.announced) == 2


async def test_every_wrong_field_is_named_at_once(service: EnvironmentService) -> None:
    errors = await refused(service.add(OLGA, new(id="?", name="", url="x", websocket_url="y", body_limit=-1)))
    assert list(errors) == ["id", "name", "url", "websocketUrl", "bodyLimit"]
    assert errors["url"] == "must begin with http:// or https://"


@pytest.mark.parametrize(
    ("given", "closes_streams"),
    [
        ({"url": "http://10.0.0.6:8069"}, True),
        ({"websocket_url": "http://10.0.0.5:8072"}, True),
        ({"tls_verify": False}, True),
        ({"url": URL + "/"}, False),
        ({"name": "Another"}, False),
        ({"description": "Acceptance"}, False),
        ({"maintenance": "Back soon"}, False),
        ({"body_limit": 1024, "response_timeout": timedelta(seconds=5)}, False),
        ({"public_url": "https://odoo.example.com"}, True),
        ({"public_url": URL}, False),
        ({"database": "live"}, True),
        ({"allow_paths": ("/jsonrpc",)}, False),
        ({"max_concurrent": 3}, False),
        ({"read_only_allow": ("res.partner/get_totals",)}, False),
        ({}, False),
    ],
)
async def test_what_is_given_changes_and_the_rest_stays(
    service: EnvironmentService, announcer: NotingAnnouncer, given: dict[str, Any], closes_streams: bool
) -> None:
    before = await service.add(OLGA, new())
    changed = await service.change(OLGA, "staging", EnvironmentChange(**given))
    assert changed == await service.get(OLGA, "staging")
    assert changed.revision == before.revision + closes_streams
    for field in (
        "name", "url", "websocket_url", "kind", "description", "tls_verify", "maintenance", "body_limit", "public_url",
        "database", "allow_paths", "max_concurrent",
    ):  # fmt: skip
        expected = URL if field == "url" and given.get("url") == URL + "/" else given.get(field, getattr(before, field))
        assert getattr(changed, field) == expected
    assert (changed.key, changed.created_at, changed.created_by) == (before.key, NOON, "olga")
    looked_again = closes_streams or bool({"public_url", "database"} & set(given))
    # What is as it was before is no change.
    is_other = any(getattr(changed, field) != getattr(before, field) for field in given)
    assert announcer.announced[2:] == [["environment:default/staging"] * is_other] * (1 + looked_again)


async def test_what_is_optional_can_be_taken_away(service: EnvironmentService) -> None:
    await service.add(OLGA, new(websocket_url="http://x", description="y", maintenance="z"))
    changed = await service.change(
        OLGA, "staging", EnvironmentChange(websocket_url=None, description=None, maintenance=None)
    )
    assert (changed.websocket_url, changed.description, changed.maintenance) == (None, None, None)


async def test_removing_takes_its_links_and_is_announced(
    service: EnvironmentService, database: Database, announcer: NotingAnnouncer
) -> None:
    await service.add(OLGA, new())
    await keep(database, make_link())
    await service.remove(OLGA, "staging")
    assert announcer.announced[2:] == [["environment:default/staging"]]
    async with database.reading() as work:
        assert await work.links.get("aaaaaaaaaaaaaaaa") is None
    assert await service.list_all(OLGA) == []


async def test_what_is_absent_or_another_organisations_is_not_found(
    service: EnvironmentService, announcer: NotingAnnouncer
) -> None:
    added = await service.add(OLGA, new())
    for who, id in ((OLGA, "absent"), (STRANGER, "staging")):
        calls: list[Awaitable[object]] = [
            service.get(who, id),
            service.change(who, id, EnvironmentChange(name="Mine")),
            service.remove(who, id),
            service.check(who, id),
        ]
        for call in calls:
            with pytest.raises(NotFound, match=f"no environment '{id}'"):
                await call
    assert await service.list_all(STRANGER) == []
    assert await service.list_all(OLGA) == [added]
    assert len(announcer.announced) == 2


async def test_what_a_look_finds_is_kept_with_its_time(
    service: EnvironmentService, checker: RecordingCheck, findings: Findings, clock: SetClock
) -> None:
    checker.report = REPORT
    added = await service.add(OLGA, new())
    assert (added.odoo_version, added.canonical_url) == ("18.0", "https://www.example.com")
    assert (added.websocket_on, added.websocket_upstream) == (BusPlace.GEVENT, "http://10.0.0.5:8072")
    assert added.checked_at == NOON
    assert await service.get(OLGA, "staging") == added
    assert await findings.of([added]) == {added.key: (FINDING,)}

    clock.advance(timedelta(hours=1))
    checker.report = replace(REPORT, odoo_version="19.0", findings=())
    checked = await service.check(OLGA, "staging")
    assert checked == replace(added, odoo_version="19.0", checked_at=NOON + timedelta(hours=1))
    assert await service.get(OLGA, "staging") == checked
    assert await findings.of([checked]) == {checked.key: ()}
    assert [each.key for each in checker.checked] == [added.key] * 2


async def test_a_new_address_is_looked_at_and_nothing_of_the_old_one_is_left(
    database: Database, announcer: NotingAnnouncer, clock: SetClock, findings: Findings
) -> None:
    checker = RecordingCheck()
    service = EnvironmentService(database, announcer, clock, CountedEntropy(), checker)
    checker.report = REPORT
    await service.add(OLGA, new())
    checker.report = CheckReport()
    changed = await service.change(OLGA, "staging", EnvironmentChange(url="http://10.0.0.6:8069"))
    # Already while the new one is looked at.
    assert checker.checked[-1].url == "http://10.0.0.6:8069"
    assert checker.checked[-1].websocket_upstream is None
    assert checker.checked[-1].canonical_url is None
    assert (changed.odoo_version, changed.websocket_on) == (None, None)
    assert await findings.of([changed]) == {changed.key: ()}


@pytest.mark.parametrize("given", [{"name": "Another"}, {"max_concurrent": 3}, {"allow_paths": ["/jsonrpc"]}, {}])
async def test_nothing_is_looked_at_for_what_a_look_does_not_depend_on(
    service: EnvironmentService, checker: RecordingCheck, findings: Findings, given: dict[str, Any]
) -> None:
    checker.report = REPORT
    added = await service.add(OLGA, new())
    checker.report = CheckReport()
    changed = await service.change(OLGA, "staging", EnvironmentChange(**given))
    assert (changed.websocket_upstream, changed.checked_at) == (added.websocket_upstream, NOON)
    assert await findings.of([changed]) == {changed.key: (FINDING,)}
    assert len(checker.checked) == 1


class Interrupted(RecordingCheck):
    """While it looks, somebody else changes something."""

    def __init__(self) -> None:
        super().__init__()
        self.meanwhile: Callable[[], Awaitable[object]] | None = None

    async def check(self, environment: Environment) -> CheckReport:
        report = await super().check(environment)
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            await meanwhile()
        return report


async def test_a_report_is_not_kept_for_what_changed_during_the_look(
    database: Database, announcer: NotingAnnouncer, clock: SetClock, findings: Findings
) -> None:
    checker = Interrupted()
    service = EnvironmentService(database, announcer, clock, CountedEntropy(), checker)
    await service.add(OLGA, new())

    async def move() -> None:
        checker.report = CheckReport()
        await service.change(OLGA, "staging", EnvironmentChange(url="http://10.0.0.6:8069"))

    checker.report, checker.meanwhile = REPORT, move
    checked = await service.check(OLGA, "staging")
    assert checked == await service.get(OLGA, "staging")
    assert (checked.url, checked.odoo_version) == ("http://10.0.0.6:8069", None)
    assert await findings.of([checked]) == {checked.key: ()}


async def test_other_changes_during_a_look_stay(
    database: Database, announcer: NotingAnnouncer, clock: SetClock
) -> None:
    checker = Interrupted()
    service = EnvironmentService(database, announcer, clock, CountedEntropy(), checker)
    await service.add(OLGA, new())
    checker.report = REPORT
    checker.meanwhile = lambda: service.change(OLGA, "staging", EnvironmentChange(maintenance="Back soon"))
    checked = await service.check(OLGA, "staging")
    assert (checked.maintenance, checked.odoo_version) == ("Back soon", "18.0")
    assert checked == await service.get(OLGA, "staging")


async def test_an_environment_that_is_removed_during_a_look_stays_gone(
    database: Database, announcer: NotingAnnouncer, clock: SetClock, findings: Findings
) -> None:
    checker = Interrupted()
    service = EnvironmentService(database, announcer, clock, CountedEntropy(), checker)
    checker.report = REPORT

    async def replace_it() -> None:
        await service.remove(OLGA, "staging")
        clock.advance(timedelta(seconds=1))
        checker.report = CheckReport()
        await service.add(OLGA, new())

    checker.meanwhile = lambda: service.remove(OLGA, "staging")
    await service.add(OLGA, new())
    assert await service.list_all(OLGA) == []

    checker.meanwhile = replace_it
    checker.report = REPORT
    await service.add(OLGA, new())
    [other] = await service.list_all(OLGA)
    assert (other.odoo_version, await findings.of([other])) == (None, {other.key: ()})


async def test_what_view_only_links_refused_is_told_most_often_first(
    service: EnvironmentService, database: Database
) -> None:
    await service.add(OLGA, new())
    assert await service.refused_calls(OLGA, "staging") == []
    once = RefusedCall("sale.order", "action_confirm", 1, NOON)
    often = RefusedCall("sale.order", "get_figures", 3, NOON + timedelta(minutes=1))
    async with database.writing() as work:
        await work.environments.add_refused_calls({KEY: [once, often]})
    assert await service.refused_calls(OLGA, "staging") == [often, once]
    for who, id in ((STRANGER, "staging"), (OLGA, "absent")):
        with pytest.raises(NotFound, match=f"no environment '{id}'"):
            await service.refused_calls(who, id)


@pytest.mark.parametrize("bound", [{"access": Access.READ_ONLY}, {"account": "demo"}])
async def test_an_odoo_stays_one_while_links_promise_what_only_an_odoo_keeps(
    service: EnvironmentService, database: Database, clock: SetClock, bound: dict[str, Any]
) -> None:
    await service.add(OLGA, new())
    await keep(
        database, make_link("a" * 16, **bound), make_link("b" * 16), make_link("c" * 16, deactivated_at=NOON, **bound)
    )
    [(field, message)] = (await refused(service.change(OLGA, "staging", EnvironmentChange(kind=Kind.WEB)))).items()
    assert field == "kind"
    assert "there is 1" in message
    assert (await service.get(OLGA, "staging")).kind is Kind.ODOO
    assert (await service.change(OLGA, "staging", EnvironmentChange(kind=Kind.ODOO, name="Erp"))).name == "Erp"
    clock.advance(timedelta(hours=168))
    assert (await service.change(OLGA, "staging", EnvironmentChange(kind=Kind.WEB))).kind is Kind.WEB


async def test_an_account_that_odoo_refused_is_found_until_it_is_accepted(
    service: EnvironmentService, findings: Findings, database: Database, checker: RecordingCheck
) -> None:
    checker.report = REPORT
    staging, other = await service.add(OLGA, new()), await service.add(OLGA, new(id="other"))
    account = Account(KEY, "auditor", "anna", b"sealed", is_admin=False, revision=1, created_at=NOON, created_by="olga")
    async with database.writing() as work:
        await work.accounts.put(account)
        await work.accounts.put(replace(account, name="fine"))
        await work.accounts.refuse(KEY, "auditor", 1, NOON + timedelta(hours=1), SignInRefusal.CREDENTIALS)
    [looked_at, met] = (await findings.of([staging]))[staging.key]
    assert looked_at == FINDING
    assert (met.code, met.at) == ("account_refused", NOON + timedelta(hours=1))
    assert "auditor (anna)" in met.detail
    assert await findings.of([staging, other]) == {staging.key: (FINDING, met), other.key: (FINDING,)}
    assert await findings.of([other]) == {other.key: (FINDING,)}
    async with database.writing() as work:
        await work.accounts.accept(KEY, "auditor", 1)
    assert await findings.of([staging]) == {staging.key: (FINDING,)}


CALLS: list[tuple[Scope, Callable[[EnvironmentService, Principal], Awaitable[object]]]] = [
    (Scope.ENVIRONMENTS_READ, lambda service, who: service.list_all(who)),
    (Scope.ENVIRONMENTS_READ, lambda service, who: service.get(who, "staging")),
    (Scope.ENVIRONMENTS_READ, lambda service, who: service.refused_calls(who, "staging")),
    (Scope.ENVIRONMENTS_WRITE, lambda service, who: service.add(who, new(name="Two"))),
    (Scope.ENVIRONMENTS_WRITE, lambda service, who: service.change(who, "staging", EnvironmentChange(name="x"))),
    (Scope.ENVIRONMENTS_WRITE, lambda service, who: service.check(who, "staging")),
    (Scope.ENVIRONMENTS_WRITE, lambda service, who: service.remove(who, "staging")),
]


@pytest.mark.parametrize(("scope", "call"), CALLS)
async def test_every_use_needs_its_scope_and_no_other(
    service: EnvironmentService, scope: Scope, call: Callable[[EnvironmentService, Principal], Awaitable[object]]
) -> None:
    await service.add(OLGA, new())
    with pytest.raises(Forbidden, match=scope):
        await call(service, Principal("olga", scopes=frozenset(Scope) - {scope}))
    await call(service, Principal("olga", scopes=frozenset({scope})))


@pytest.mark.parametrize(
    ("fields", "ends"),
    [
        ({"url": "http://10.0.0.6:8069"}, True),
        ({"database": "live"}, True),
        ({"public_url": "https://odoo.example.com"}, True),
        ({"public_url": URL}, False),
        ({"websocket_url": "http://10.0.0.5:8072"}, False),
        ({"tls_verify": False}, False),
        ({"maintenance": "Back soon"}, False),
        (None, True),
    ],
)
async def test_who_is_signed_in_is_signed_out_where_they_were(
    service: EnvironmentService, database: Database, fields: dict[str, Any] | None, ends: bool
) -> None:
    before = await service.add(OLGA, new())
    await keep(database, make_account(), make_link(account="anna"))
    await sign_in(database, make_session())
    if fields is None:
        await service.remove(OLGA, "staging")
    else:
        await service.change(OLGA, "staging", EnvironmentChange(**fields))
    async with database.reading() as work:
        assert (await work.odoo_sessions.get(LINK_ID, "bert") is None) is ends
        assert await work.odoo_sign_outs.due(NOON, limit=9) == ([before.odoo_address] if ends else [])
