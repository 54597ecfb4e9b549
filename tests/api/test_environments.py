from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import httpx2
import pytest
from tests.api.face import Face, running_face

from guestpass.app.environment_check import CheckReport
from guestpass.domain.finding import Finding

WHOLE = {
    "id": "live-copy",
    "name": "Copy of live",
    "url": "https://odoo.internal:8443",
    "websocketUrl": "http://odoo.internal:8072",
    "kind": "web",
    "description": "Restored each night.",
    "tlsVerify": False,
    "bodyLimit": 1048576,
    "responseTimeout": "1m30s",
    "maintenance": {"message": "Back at 14:00."},
    "publicUrl": "https://odoo.example.com",
    "database": "live",
    "allowPaths": ["/jsonrpc", "/json"],
    "maxConcurrent": 4,
    "readOnlyAllow": ["sale.order/get_figures"],
}


def _fields(answer: httpx2.Response) -> set[str]:
    assert answer.status_code == 422, answer.text
    return {error["field"] for error in answer.json()["errors"]}


async def test_registering_gives_back_what_was_given_with_who_and_when(owner: httpx2.AsyncClient) -> None:
    answer = await owner.post("/api/environments", json=WHOLE)

    assert answer.status_code == 201
    assert answer.headers["location"] == "/api/environments/live-copy"
    assert answer.headers["cache-control"] == "no-store"
    expected = WHOLE | {
        "responseTimeout": "90s",
        "createdAt": "2026-03-04T05:06:07Z",
        "createdBy": "olga",
        "odooVersion": None,
        "checkedAt": "2026-03-04T05:06:07Z",
        "findings": [],
    }
    assert answer.json() == expected
    assert (await owner.get("/api/environments/live-copy")).json() == expected
    assert (await owner.get("/api/environments")).json() == {"environments": [expected], "total": 1, "nextCursor": None}


async def test_only_name_and_url_are_needed_and_null_is_as_good_as_nothing(owner: httpx2.AsyncClient) -> None:
    short = await owner.post("/api/environments", json={"name": "Müller Staging", "url": "http://10.0.0.5:8069/"})
    nulls = dict.fromkeys(WHOLE) | {"name": "Other", "url": "http://10.0.0.6"}
    padded = await owner.post("/api/environments", json=nulls)

    assert short.status_code == 201
    assert padded.status_code == 201
    assert short.json() == {
        "id": "muller-staging",
        "name": "Müller Staging",
        "url": "http://10.0.0.5:8069",
        "websocketUrl": None,
        "kind": "odoo",
        "description": None,
        "tlsVerify": True,
        "bodyLimit": 268435456,
        "responseTimeout": "720s",
        "maintenance": None,
        "createdAt": "2026-03-04T05:06:07Z",
        "createdBy": "olga",
        "publicUrl": None,
        "database": None,
        "allowPaths": [],
        "maxConcurrent": 8,
        "readOnlyAllow": [],
        "odooVersion": None,
        "checkedAt": "2026-03-04T05:06:07Z",
        "findings": [],
    }


async def test_a_web_environment_may_be_sent_more_than_an_odoo_by_default(owner: httpx2.AsyncClient) -> None:
    answer = await owner.post("/api/environments", json={"name": "Web", "url": "http://10.0.0.5", "kind": "web"})

    assert answer.json()["bodyLimit"] == 2 * 1024**3


async def test_every_wrong_field_is_named_at_once(owner: httpx2.AsyncClient) -> None:
    answer = await owner.post(
        "/api/environments",
        json={
            "id": "Not An Id",
            "name": "",
            "url": "http://host/path",
            "websocketUrl": "ftp://host",
            "kind": "php",
            "tlsVerify": "yes",
            "bodyLimit": "1",
            "responseTimeout": "soon",
            "maintenance": {"until": "noon"},
            "publicUrl": "https://odoo.example.com/web",
            "database": "",
            "allowPaths": "/jsonrpc",
            "maxConcurrent": 0,
            "readOnlyAllow": "sale.order/figures",
            "colour": "red",
        },
    )

    assert _fields(answer) == {
        "id", "name", "url", "websocketUrl", "kind", "tlsVerify", "bodyLimit", "responseTimeout",
        "maintenance.message", "maintenance.until", "publicUrl", "database", "allowPaths", "maxConcurrent",
        "readOnlyAllow", "colour",
    }  # fmt: skip


async def test_empty_text_is_called_empty(owner: httpx2.AsyncClient) -> None:
    answer = await owner.post("/api/environments", json={"name": "", "url": "http://10.0.0.5", "description": ""})

    assert answer.json()["errors"] == [
        {"field": "name", "message": "must not be empty"},
        {"field": "description", "message": "must not be empty"},
    ]


async def test_wrong_values_are_named_beside_wrong_shapes(owner: httpx2.AsyncClient, environment: str) -> None:
    values = {
        "description": "\x07",
        "responseTimeout": "25h",
        "allowPaths": ["jsonrpc"],
        "readOnlyAllow": ["res.partner/write"],
        "database": "\x07",
        "maintenance": {"message": " "},
    }
    shapes = {"name": 5, "kind": "php", "colour": "red"}

    posted = await owner.post("/api/environments", json=values | shapes | {"id": "new", "publicUrl": None})
    patched = await owner.patch(f"/api/environments/{environment}", json=values | shapes)

    assert _fields(posted) == values.keys() | shapes.keys() | {"url"}
    assert _fields(patched) == values.keys() | shapes.keys()


@pytest.mark.parametrize(
    ("paths", "said"),
    [
        (["/jsonrpc", "/web/database/manager"], "number 2 leads there"),
        (["/xmlrpc/2/db"], "hand out whole databases"),
        (["/web"], "hand out whole databases"),
        (["jsonrpc"], "must be paths such as /jsonrpc"),
        (["/json?x"], "no query"),
        (["/" + "x" * 200], "at most 200 characters"),
        (["/x"] * 51, "at most 50"),
        ("/jsonrpc", "must be a list"),
    ],
)
async def test_paths_that_can_not_be_opened_are_refused_with_the_reason(
    owner: httpx2.AsyncClient, environment: str, paths: object, said: str
) -> None:
    for answer in (
        await owner.post("/api/environments", json={"name": "E", "url": "http://10.0.0.5", "allowPaths": paths}),
        await owner.patch(f"/api/environments/{environment}", json={"allowPaths": paths}),
    ):
        assert _fields(answer) == {"allowPaths"}
        assert said in answer.json()["errors"][0]["message"]
    assert (await owner.get(f"/api/environments/{environment}")).json()["allowPaths"] == []


async def test_what_a_look_found_is_shown_and_looked_for_again(face: Face, owner: httpx2.AsyncClient) -> None:
    first = Finding("unreachable", "Nothing answers.", "Start it.")
    second = Finding("base_url_unknown", "Nobody knows.", "Say it.")
    face.checker.report = CheckReport(findings=(first,))
    added = await owner.post("/api/environments", json={"id": "odoo", "name": "Odoo", "url": "http://10.0.0.5"})
    face.clock.time += timedelta(hours=1)
    face.checker.report = CheckReport(odoo_version="18.0", findings=(second, first))
    checked = await owner.post("/api/environments/odoo/check")

    assert added.status_code == 201
    assert added.json()["findings"] == [
        {"code": "unreachable", "detail": "Nothing answers.", "remedy": "Start it.", "at": None}
    ]
    assert checked.status_code == 200
    assert checked.json()["odooVersion"] == "18.0"
    assert checked.json()["checkedAt"] == "2026-03-04T06:06:07Z"
    assert [each["code"] for each in checked.json()["findings"]] == ["base_url_unknown", "unreachable"]
    assert (await owner.get("/api/environments/odoo")).json() == checked.json()
    assert (await owner.get("/api/environments")).json()["environments"] == [checked.json()]


@pytest.mark.parametrize(
    ("methods", "said"),
    [
        (["res.partner/read_all", "res.partner"], "number 2 is none"),
        (["res.partner/_read_all"], "doesn't begin with an underscore"),
        (["res.partner/*"], "the exact name of a method"),
        (["a/b"] * 201, "at most 200"),
    ],
)
async def test_methods_that_can_not_be_opened_are_refused_with_the_reason(
    owner: httpx2.AsyncClient, environment: str, methods: list[str], said: str
) -> None:
    answer = await owner.patch(f"/api/environments/{environment}", json={"readOnlyAllow": methods})
    assert _fields(answer) == {"readOnlyAllow"}
    assert said in answer.json()["errors"][0]["message"]
    assert (await owner.get(f"/api/environments/{environment}")).json()["readOnlyAllow"] == []


async def test_a_taken_id_is_a_conflict(owner: httpx2.AsyncClient, environment: str) -> None:
    answer = await owner.post("/api/environments", json={"id": environment, "name": "Again", "url": "http://h"})

    assert answer.status_code == 409
    assert answer.json()["code"] == "already_exists"


async def test_patch_changes_what_is_given_and_null_clears(owner: httpx2.AsyncClient) -> None:
    before = (await owner.post("/api/environments", json=WHOLE)).json()

    nothing = await owner.patch("/api/environments/live-copy", json={})
    some = await owner.patch(
        "/api/environments/live-copy",
        json={
            "maintenance": None, "description": None, "websocketUrl": None, "responseTimeout": "1.5s",
            "publicUrl": None, "database": None, "allowPaths": [], "maxConcurrent": 1000,
            "readOnlyAllow": ["res.partner/get_totals", "sale.order/get_figures"],
        },
    )  # fmt: skip

    assert nothing.json() == before
    assert some.status_code == 200
    assert some.json() == before | {
        "maintenance": None, "description": None, "websocketUrl": None, "responseTimeout": "1.5s",
        "publicUrl": None, "database": None, "allowPaths": [], "maxConcurrent": 1000,
        "readOnlyAllow": ["res.partner/get_totals", "sale.order/get_figures"],
    }  # fmt: skip
    assert (await owner.get("/api/environments/live-copy")).json() == some.json()


async def test_patch_refuses_null_where_there_must_be_a_value(owner: httpx2.AsyncClient, environment: str) -> None:
    required = [
        "name", "url", "kind", "tlsVerify", "bodyLimit", "responseTimeout", "allowPaths", "maxConcurrent",
        "readOnlyAllow",
    ]  # fmt: skip

    answer = await owner.patch(f"/api/environments/{environment}", json=dict.fromkeys(required))

    assert _fields(answer) == set(required)
    assert {error["message"] for error in answer.json()["errors"]} == {"must not be null"}


async def test_patch_takes_no_id(owner: httpx2.AsyncClient, environment: str) -> None:
    assert _fields(await owner.patch(f"/api/environments/{environment}", json={"id": "other"})) == {"id"}


async def test_a_removed_environment_is_gone_with_its_links(owner: httpx2.AsyncClient, environment: str) -> None:
    await owner.post(f"/api/environments/{environment}/share")

    removed = await owner.delete(f"/api/environments/{environment}")

    assert (removed.status_code, removed.content) == (204, b"")
    assert (await owner.get(f"/api/environments/{environment}")).status_code == 404
    assert (await owner.get(f"/api/environments/{environment}/share")).status_code == 404
    assert (await owner.delete(f"/api/environments/{environment}")).status_code == 404


@pytest.mark.parametrize(("method", "below"), [("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/check")])
async def test_another_organisation_sees_nothing(face: Face, environment: str, method: str, below: str) -> None:
    async with face.owner(org="other") as stranger:
        answer = await stranger.request(
            method, f"/api/environments/{environment}{below}", json={} if method == "PATCH" else None
        )
        assert answer.status_code == 404
        assert (await stranger.get("/api/environments")).json() == {"environments": [], "total": 0, "nextCursor": None}
        again = await stranger.post("/api/environments", json={"id": environment, "name": "Ours", "url": "http://h"})
        assert again.status_code == 201


async def test_what_was_found_and_what_follows_from_the_set_up_are_shown_together(
    face: Face, owner: httpx2.AsyncClient
) -> None:
    await owner.post("/api/environments", json={"id": "one", "name": "One", "url": "http://10.0.0.5"})
    face.checker.report = CheckReport(findings=(Finding("unreachable", "x", "y"),))
    second = await owner.post("/api/environments", json={"id": "two", "name": "Two", "url": "http://10.0.0.6"})

    assert [each["code"] for each in second.json()["findings"]] == ["unreachable", "shared_origin"]


async def test_a_second_environment_on_the_shared_origin_is_told_what_that_means(owner: httpx2.AsyncClient) -> None:
    alone = await owner.post("/api/environments", json={"id": "one", "name": "One", "url": "http://10.0.0.5"})
    second = await owner.post("/api/environments", json={"id": "two", "name": "Two", "url": "http://10.0.0.6"})

    assert alone.json()["findings"] == []
    for shown in (second.json(), (await owner.get("/api/environments/one")).json()):
        (finding,) = shown["findings"]
        assert finding["code"] == "shared_origin"
        assert "write into" in finding["detail"]
        assert "LINK_DOMAIN" in finding["remedy"]
    listed = (await owner.get("/api/environments")).json()["environments"]
    assert [len(each["findings"]) for each in listed] == [1, 1]


async def test_with_own_origins_a_second_environment_is_nothing_to_mention(tmp_path: Path) -> None:
    with running_face(tmp_path, link_domain="links.example.com") as face:
        async with face.owner() as owner:
            for id in ("one", "two"):
                answer = await owner.post("/api/environments", json={"id": id, "name": id, "url": "http://10.0.0.5"})
                assert answer.json()["findings"] == []
