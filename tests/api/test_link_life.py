"""Links as owners change, find and look into them over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import httpx2
import pytest
from tests.api.face import REQUEST_ID, Face

from guestpass.app.ports import Activity, Origin
from guestpass.domain.access import Scope
from guestpass.domain.visit import Refusal
from guestpass.storage.database import Database

SHARES = "/api/environments/staging/share"
NOW = "2026-03-04T05:06:07Z"
MINUTE = timedelta(minutes=1)
pytestmark = pytest.mark.usefixtures("environment")


@pytest.fixture
async def link(owner: httpx2.AsyncClient, environment: str) -> dict[str, Any]:
    assert f"/api/environments/{environment}/share" == SHARES
    return await create(owner, label="For the auditors")


@pytest.fixture
async def database(face: Face) -> AsyncIterator[Database]:
    async with face.database() as database:
        yield database


async def create(owner: httpx2.AsyncClient, path: str = SHARES, **fields: Any) -> dict[str, Any]:
    answer = await owner.post(path, json=fields)
    assert answer.status_code == 201, answer.text
    item: dict[str, Any] = answer.json()
    return item


def of(link: dict[str, Any]) -> str:
    return f"{SHARES}/{link['id']}"


async def change(owner: httpx2.AsyncClient, link: dict[str, Any], **fields: Any) -> dict[str, Any]:
    answer = await owner.patch(of(link), json=fields)
    assert answer.status_code == 200, answer.text
    assert (await owner.get(of(link))).json() == answer.json()
    item: dict[str, Any] = answer.json()
    return item


def errors(answer: httpx2.Response) -> dict[str, str]:
    assert answer.status_code == 422, answer.text
    return {error["field"]: error["message"] for error in answer.json()["errors"]}


async def opened(database: Database, link: dict[str, Any], visitor: str, *moments: datetime) -> None:
    async with database.writing() as work:
        origin = Origin("192.0.2.0/24", "Firefox 142", "Linux")
        starts = tuple((at, True) for at in moments)
        await work.visits.record([Activity(link["id"], visitor, starts, moments[-1], origin=origin)])


async def test_a_link_is_shown(owner: httpx2.AsyncClient, link: dict[str, Any]) -> None:
    answer = await owner.get(of(link))
    assert (answer.status_code, answer.json()) == (200, link)


async def test_everything_can_be_given_at_creation(owner: httpx2.AsyncClient) -> None:
    fields: dict[str, Any] = {
        "label": "For the auditors",
        "note": "Asked for by Anna.\nUntil the audit is over.",
        "expiresAt": "2026-03-31T20:00:00+02:00",
        "startPath": "/odoo/crm?view_type=list#top",
        "maxVisitors": 3,
        "allowedIPs": ["192.0.2.7/32", "2001:DB8::/32"],
        "active": False,
    }
    item = await create(owner, **fields)
    shown = fields | {"expiresAt": "2026-03-31T18:00:00Z", "allowedIPs": ["192.0.2.7", "2001:db8::/32"]}
    assert shown.pop("active") is False
    assert {name: item[name] for name in shown} == shown
    assert item["status"] == "deactivated"


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ({"label": "Other"}, {"label": "Other"}),
        ({"label": None}, {"label": None}),
        ({"note": "A note"}, {"note": "A note"}),
        ({"expiresIn": "2h"}, {"expiresAt": "2026-03-04T07:06:07Z"}),
        ({"expiresAt": "2026-03-05T01:00:00+01:00"}, {"expiresAt": "2026-03-05T00:00:00Z"}),
        ({"password": "correct horse"}, {"shareType": "password"}),
        ({"active": False}, {"status": "deactivated", "deactivatedAt": NOW}),
        ({"startPath": "/odoo/crm"}, {"startPath": "/odoo/crm"}),
        ({"startPath": ""}, {}),
        ({"maxVisitors": 100_000}, {"maxVisitors": 100_000, "placesTaken": 0}),
        ({"allowedIPs": ["::1"]}, {"allowedIPs": ["::1"]}),
        ({"allowedIPs": None}, {}),
        ({"access": "readOnly", "signInAs": {"login": "demo", "password": "demo's own"}}, {
            "access": "readOnly", "signInAs": {"account": "demo", "login": "demo"},
        }),
        ({}, {}),
    ],
)  # fmt: skip
async def test_a_change_is_answered_with_the_link_as_it_is(
    owner: httpx2.AsyncClient, link: dict[str, Any], given: dict[str, Any], shown: dict[str, Any]
) -> None:
    assert await change(owner, link, **given) == link | shown


async def test_null_takes_away_and_what_is_left_out_stays(owner: httpx2.AsyncClient) -> None:
    link = await create(
        owner, label="A", note="B", password="correct horse", startPath="/odoo", maxVisitors=1, allowedIPs=["::1"],
        signInAs={"login": "demo", "password": "demo's own"},
    )  # fmt: skip
    assert await change(owner, link, label="C") == link | {"label": "C"}
    cleared = await change(
        owner, link, label=None, note=None, password=None, startPath=None, maxVisitors=None, allowedIPs=None,
        signInAs=None,
    )  # fmt: skip
    assert cleared == link | {
        "label": None, "note": None, "shareType": "token", "startPath": None, "maxVisitors": None,
        "placesTaken": None, "allowedIPs": [],
        "signInAs": None,
    }  # fmt: skip


async def test_pausing_and_resuming_keeps_the_url(owner: httpx2.AsyncClient, link: dict[str, Any], face: Face) -> None:
    await change(owner, link, active=False)
    assert await change(owner, link, active=True) == link
    face.clock.time += timedelta(days=8)
    assert (await owner.get(of(link))).json()["status"] == "expired"
    answer = await owner.patch(of(link), json={"active": True})
    assert errors(answer) == {
        "expiresIn": "is needed too: the link has expired, so give it a new lifetime, such as 24h"
    }
    renewed = await change(owner, link, active=True, expiresIn="1h")
    assert (renewed["status"], renewed["url"]) == ("active", link["url"])


WRONG: list[tuple[Any, list[str]]] = [
    ({"expiresIn": "1h", "expiresAt": "2026-03-05T00:00:00Z"}, ["expiresAt"]),
    ({"expiresIn": None}, ["expiresIn"]),
    ({"expiresIn": ""}, ["expiresIn"]),
    ({"expiresIn": "8761h"}, ["expiresIn"]),
    ({"expiresAt": None}, ["expiresAt"]),
    ({"expiresAt": "2026-03-05"}, ["expiresAt"]),
    ({"expiresAt": "2026-03-05T00:00:00"}, ["expiresAt"]),
    ({"expiresAt": 1772668800}, ["expiresAt"]),
    ({"expiresAt": "2026-03-04T05:06:07Z"}, ["expiresAt"]),
    ({"expiresAt": "0001-01-01T00:00:00+23:59"}, ["expiresAt"]),
    ({"expiresAt": "9999-12-31T23:59:59-23:59"}, ["expiresAt"]),
    ({"active": None}, ["active"]),
    ({"active": "yes"}, ["active"]),
    ({"access": None}, ["access"]),
    ({"access": "write"}, ["access"]),
    ({"label": "x" * 201}, ["label"]),
    ({"note": "x" * 2001}, ["note"]),
    ({"note": "\x00"}, ["note"]),
    ({"password": ""}, ["password"]),
    ({"password": "s3cret!"}, ["password"]),
    ({"password": 12345678}, ["password"]),
    ({"startPath": "https://evil.example/"}, ["startPath"]),
    ({"startPath": "//evil.example"}, ["startPath"]),
    ({"startPath": "/web/database/manager"}, ["startPath"]),
    ({"startPath": 5}, ["startPath"]),
    ({"maxVisitors": 0}, ["maxVisitors"]),
    ({"maxVisitors": 100_001}, ["maxVisitors"]),
    ({"maxVisitors": 2**70}, ["maxVisitors"]),
    ({"maxVisitors": 1.5}, ["maxVisitors"]),
    ({"maxVisitors": "3"}, ["maxVisitors"]),
    ({"maxVisitors": True}, ["maxVisitors"]),
    ({"allowedIPs": "192.0.2.7"}, ["allowedIPs"]),
    ({"allowedIPs": ["192.0.2.7/24"]}, ["allowedIPs"]),
    ({"allowedIPs": ["::1"] * 51}, ["allowedIPs"]),
    ({"allowedIPs": ["1" * 51]}, ["allowedIPs.0"]),
    ({"allowedIPs": [None]}, ["allowedIPs.0"]),
    ({"signInAs": "nobody"}, ["signInAs"]),
    ({"signInAs": {"login": "demo", "password": "s3cret!"}}, ["signInAs.password"]),
    ({"shareType": "token"}, ["shareType"]),
    ({"status": "active"}, ["status"]),
    ({"url": "x"}, ["url"]),
    ({"maxVisitors": 0, "note": "\x00", "label": "\x00"}, ["label", "note", "maxVisitors"]),
    ([], ["body"]),
]


async def test_what_cannot_be_accepted_is_named_and_changes_nothing(
    owner: httpx2.AsyncClient, link: dict[str, Any]
) -> None:
    for body, fields in WRONG:
        answer = await owner.patch(of(link), json=body)
        assert list(errors(answer)) == fields, body
        assert "s3cret!" not in answer.text
    assert (await owner.get(of(link))).json() == link
    assert len((await owner.get(f"{of(link)}/history")).json()["events"]) == 1


async def test_every_wrong_field_of_a_change_is_named_at_once(owner: httpx2.AsyncClient, link: dict[str, Any]) -> None:
    answer = await owner.patch(
        of(link), json={"expiresIn": "9999h", "label": 5, "note": None, "password": "short", "startPath": "x"}
    )

    assert set(errors(answer)) == {"expiresIn", "label", "password", "startPath"}


async def test_a_rotation_gives_a_new_url_and_the_old_one_says_that_it_was_replaced(
    owner: httpx2.AsyncClient, face: Face
) -> None:
    link = await create(owner, password="correct horse")
    rotated = (await owner.post(f"{of(link)}/rotate")).json()
    assert rotated | {"url": link["url"]} == link
    assert rotated["url"] != link["url"]
    async with face.client() as visitor:
        for url, status, code in ((link["url"], 410, "link_replaced"), (rotated["url"], 401, "password_wrong")):
            answer = await visitor.post(f"/share/{url.rpartition('/')[2]}/login", json={"password": "wrong horse"})
            assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_a_history_names_who_when_and_what_and_no_value(
    owner: httpx2.AsyncClient, face: Face, link: dict[str, Any], database: Database
) -> None:
    face.clock.time += MINUTE
    await opened(database, link, "anna", face.clock.now())
    face.clock.time += MINUTE
    async with face.owner(sub="otto") as otto:
        await change(otto, link, password="correct horse", note="Hush", active=False)
    answer = await owner.get(f"{of(link)}/history")
    assert answer.json() == {
        "events": [
            {"at": "2026-03-04T05:08:07Z", "kind": "deactivated", "actor": "otto", "fields": [], "visitor": None},
            {
                "at": "2026-03-04T05:08:07Z", "kind": "changed", "actor": "otto", "fields": ["note", "password"],
                "visitor": None,
            },
            {"at": "2026-03-04T05:07:07Z", "kind": "opened", "actor": "anna", "fields": [], "visitor": "anna"},
            {"at": NOW, "kind": "created", "actor": "olga", "fields": [], "visitor": None},
        ],
        "nextCursor": None,
    }  # fmt: skip
    assert "horse" not in answer.text
    assert "Hush" not in answer.text
    path = f"{of(link)}/history?kind=created&kind=changed&limit=1"
    first = (await owner.get(path)).json()
    second = (await owner.get(f"{path}&cursor={first['nextCursor']}")).json()
    kinds = [[event["kind"] for event in page["events"]] for page in (first, second)]
    assert kinds == [["changed"], ["created"]]
    assert second["nextCursor"] is None


async def test_visits_are_counted(
    owner: httpx2.AsyncClient, face: Face, link: dict[str, Any], database: Database
) -> None:
    now = face.clock.now()
    await opened(database, link, "anna", now, now + MINUTE)
    face.clock.time += timedelta(hours=1)
    hours = {"by": "hour", "visits": [
        {"at": "2026-03-04T05:00:00Z", "visits": 2}, {"at": "2026-03-04T06:00:00Z", "visits": 0},
    ]}  # fmt: skip
    days = {"by": "day", "visits": [{"at": "2026-03-04T00:00:00Z", "visits": 2}]}
    assert (await owner.get(f"{of(link)}/visits?by=hour")).json() == hours
    assert (await owner.get(f"{of(link)}/visits?by=day")).json() == days
    assert (await owner.get(f"{of(link)}/visits")).json() == days
    assert errors(await owner.get(f"{of(link)}/visits?by=week")) == {"by": "must be 'hour' or 'day'"}


async def test_visitors_are_shown_and_one_visit_is_ended(
    owner: httpx2.AsyncClient, face: Face, link: dict[str, Any], database: Database
) -> None:
    await opened(database, link, "anna-1", face.clock.now())
    face.clock.time += 2 * MINUTE
    await opened(database, link, "bert_2", face.clock.now())
    bert = {
        "id": "bert_2", "number": 2, "firstSeenAt": "2026-03-04T05:08:07Z", "lastSeenAt": "2026-03-04T05:08:07Z",
        "visits": 1, "browser": "Firefox 142", "system": "Linux", "address": "192.0.2.0/24", "live": True,
        "endedAt": None,
    }  # fmt: skip
    anna = bert | {"id": "anna-1", "number": 1, "firstSeenAt": NOW, "lastSeenAt": NOW, "live": False}
    shown = await owner.get(f"{of(link)}/visitors")
    assert shown.json() == {"visitors": [bert, anna], "total": 2, "nextCursor": None}
    counted = (await owner.get(of(link))).json()
    assert [counted[name] for name in ("visits", "visitors", "visitorsNow")] == [2, 2, 1]
    for _ in range(2):
        answer = await owner.delete(f"{of(link)}/visitors/bert_2")
        assert (answer.status_code, answer.content) == (204, b"")
    ended = bert | {"live": False, "endedAt": "2026-03-04T05:08:07Z"}
    assert (await owner.get(f"{of(link)}/visitors")).json()["visitors"] == [ended, anna]
    assert (await owner.get(of(link))).json()["visitorsNow"] == 0
    assert (await owner.delete(f"{of(link)}/visitors/carl")).status_code == 404
    page = (await owner.get(f"{of(link)}/visitors?limit=1")).json()
    rest = (await owner.get(f"{of(link)}/visitors?limit=1&cursor={page['nextCursor']}")).json()
    assert [visitor["id"] for visitor in page["visitors"] + rest["visitors"]] == ["bert_2", "anna-1"]


async def test_refusals_are_shown_newest_first(
    owner: httpx2.AsyncClient, face: Face, link: dict[str, Any], database: Database
) -> None:
    now = face.clock.now()
    async with database.writing() as work:
        await work.refusals.add(
            [
                Refusal(link["id"], now, "link_full", "a1-7", "Firefox 142", "Linux", "2001:db8::/48"),
                Refusal(link["id"], now + MINUTE, "link_expired"),
            ]
        )
    assert (await owner.get(f"{of(link)}/refusals")).json() == {
        "refusals": [
            {"at": "2026-03-04T05:07:07Z", "reason": "link_expired", "requestId": None, "browser": None,
             "system": None, "address": None},
            {"at": NOW, "reason": "link_full", "requestId": "a1-7", "browser": "Firefox 142", "system": "Linux",
             "address": "2001:db8::/48"},
        ]
    }  # fmt: skip


async def test_a_wrong_query_is_named(owner: httpx2.AsyncClient, link: dict[str, Any]) -> None:
    for query, field in (
        ("/history?limit=0", "limit"),
        ("/history?limit=501", "limit"),
        ("/history?limit=x", "limit"),
        ("/history?limit=99999999999999999999999", "limit"),
        ("/history?cursor=x", "cursor"),
        ("/history?cursor=" + "x" * 3000, "cursor"),
        ("/history?kind=nothing", "kind.0"),
        ("/history?page=2", "page"),
        ("/visitors?limit=0", "limit"),
        ("/visitors?cursor=", "cursor"),
        ("/visits?unit=day", "unit"),
    ):
        assert list(errors(await owner.get(of(link) + query))) == [field], query


@pytest.fixture
async def links(owner: httpx2.AsyncClient, face: Face, environment: str) -> list[dict[str, Any]]:
    """Four links to two environments."""
    assert f"/api/environments/{environment}/share" == SHARES
    await owner.post("/api/environments", json={"id": "wiki", "name": "Das Wiki", "url": "http://10.0.0.6"})
    made = []
    for path, fields in (
        (SHARES, {"label": "Delta", "expiresIn": "3h"}),
        ("/api/environments/wiki/share", {"label": "alpha", "expiresIn": "2h", "password": "correct horse"}),
        (SHARES, {"note": "Über alles", "expiresIn": "1h"}),
        ("/api/environments/wiki/share", {"label": "Charlie", "active": False}),
    ):
        made.append(await create(owner, path, **fields))
        face.clock.time += MINUTE
    return made


async def test_all_links_are_found_page_by_page(owner: httpx2.AsyncClient, links: list[dict[str, Any]]) -> None:
    whole = (await owner.get("/api/share-links")).json()
    assert whole == {"shareLinks": list(reversed(links)), "total": 4, "nextCursor": None}
    params = {"sort": "expires", "limit": "3"}
    first = (await owner.get("/api/share-links", params=params)).json()
    second = (await owner.get("/api/share-links", params=params | {"cursor": first["nextCursor"]})).json()
    found = [*first["shareLinks"], *second["shareLinks"]]
    assert [link["label"] for link in found] == [None, "alpha", "Delta", "Charlie"]
    assert (first["total"], second["total"], second["nextCursor"]) == (4, 4, None)


@pytest.mark.usefixtures("links")
async def test_links_are_filtered_and_sorted(owner: httpx2.AsyncClient) -> None:
    params: dict[str, str]
    for params, labels in (
        ({"search": "ALPHA"}, ["alpha"]),
        ({"search": "über"}, [None]),
        ({"search": "wiki"}, ["Charlie", "alpha"]),
        ({"search": ""}, ["Charlie", None, "alpha", "Delta"]),
        ({"environmentId": "wiki"}, ["Charlie", "alpha"]),
        ({"environmentId": "absent"}, []),
        ({"status": "deactivated"}, ["Charlie"]),
        ({"shareType": "password"}, ["alpha"]),
        ({"createdBy": "olga", "status": "active"}, [None, "alpha", "Delta"]),
        ({"createdBy": "otto"}, []),
        ({"expiringWithin": "2h"}, [None, "alpha"]),
        ({"sort": "label"}, ["alpha", "Charlie", "Delta", None]),
        ({"sort": "label", "order": "desc"}, [None, "Delta", "Charlie", "alpha"]),
        ({"sort": "created", "order": "asc", "limit": "1"}, ["Delta"]),
    ):
        answer = await owner.get("/api/share-links", params=params)
        assert [link["label"] for link in answer.json()["shareLinks"]] == labels, params


async def test_a_wrong_search_is_named(owner: httpx2.AsyncClient) -> None:
    params: dict[str, str]
    for params, field in (
        ({"status": "gone"}, "status"),
        ({"shareType": ""}, "shareType"),
        ({"sort": "name"}, "sort"),
        ({"order": "up"}, "order"),
        ({"limit": "501"}, "limit"),
        ({"cursor": "AAAA"}, "cursor"),
        ({"expiringWithin": "soon"}, "expiringWithin"),
        ({"expiringWithin": "0s"}, "expiringWithin"),
        ({"search": "x" * 201}, "search"),
        ({"environment": "wiki"}, "environment"),
    ):
        assert list(errors(await owner.get("/api/share-links", params=params))) == [field]


async def test_many_links_are_deactivated_in_one_call(owner: httpx2.AsyncClient, links: list[dict[str, Any]]) -> None:
    ids = [link["id"] for link in links]
    answer = await owner.post("/api/share-links/deactivate", json={"ids": [ids[1], ids[3], "absent", ids[0]]})
    assert (answer.status_code, answer.json()) == (
        200,
        {"deactivated": [ids[1], ids[0]], "alreadyDeactivated": [ids[3]], "notFound": ["absent"]},
    )
    whole = (await owner.get("/api/share-links", params={"status": "active"})).json()
    assert [link["id"] for link in whole["shareLinks"]] == [ids[2]]


async def test_what_names_no_links_is_refused(owner: httpx2.AsyncClient) -> None:
    for ids in ([], None, ["x"] * 501, "x", [5], ["x" * 65]):
        answer = await owner.post("/api/share-links/deactivate", json={"ids": ids})
        assert all(field.startswith("ids") for field in errors(answer))
    assert list(errors(await owner.post("/api/share-links/deactivate", json={}))) == ["ids"]


async def test_links_of_another_organisation_are_not_there(
    owner: httpx2.AsyncClient, face: Face, link: dict[str, Any]
) -> None:
    async with face.owner(org="acme") as stranger:
        assert (await stranger.get("/api/share-links")).json() == {"shareLinks": [], "total": 0, "nextCursor": None}
        answer = await stranger.post("/api/share-links/deactivate", json={"ids": [link["id"]]})
        assert answer.json()["notFound"] == [link["id"]]
        for method, path in (("GET", ""), ("PATCH", ""), ("POST", "/rotate"), ("GET", "/history"), ("GET", "/visits"),
                             ("GET", "/visitors"), ("DELETE", "/visitors/anna"), ("GET", "/refusals")):  # fmt: skip
            refused = await stranger.request(method, of(link) + path, json={} if method == "PATCH" else None)
            assert refused.status_code == 404
            assert refused.json()["requestId"] == REQUEST_ID
    assert (await owner.get(of(link))).json() == link


async def test_credentials_in_a_change_need_the_scope_for_accounts_too(face: Face, link: dict[str, Any]) -> None:
    scopes = frozenset({Scope.SHARES_READ, Scope.SHARES_WRITE})
    async with face.client(Authorization=f"Bearer {face.token(scopes=scopes)}") as sharer:
        body = {"signInAs": {"login": "demo", "password": "demo's own"}}
        assert (await sharer.patch(of(link), json=body)).json()["code"] == "insufficient_scope"
