from __future__ import annotations

from pathlib import Path

import httpx2
import pytest
from tests.api.face import Face, running_face

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
        "findings": [],
    }
    assert answer.json() == expected
    assert (await owner.get("/api/environments/live-copy")).json() == expected
    assert (await owner.get("/api/environments")).json() == {"environments": [expected], "total": 1}


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
        "bodyLimit": 2147483648,
        "responseTimeout": "720s",
        "maintenance": None,
        "createdAt": "2026-03-04T05:06:07Z",
        "createdBy": "olga",
        "findings": [],
    }


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
            "colour": "red",
        },
    )

    assert _fields(answer) == {
        "id", "name", "url", "websocketUrl", "kind", "tlsVerify", "bodyLimit", "responseTimeout",
        "maintenance.message", "maintenance.until", "colour",
    }  # fmt: skip


async def test_a_taken_id_is_a_conflict(owner: httpx2.AsyncClient, environment: str) -> None:
    answer = await owner.post("/api/environments", json={"id": environment, "name": "Again", "url": "http://h"})

    assert answer.status_code == 409
    assert answer.json()["code"] == "already_exists"


async def test_patch_changes_what_is_given_and_null_clears(owner: httpx2.AsyncClient) -> None:
    before = (await owner.post("/api/environments", json=WHOLE)).json()

    nothing = await owner.patch("/api/environments/live-copy", json={})
    some = await owner.patch(
        "/api/environments/live-copy",
        json={"maintenance": None, "description": None, "websocketUrl": None, "responseTimeout": "1.5s"},
    )

    assert nothing.json() == before
    assert some.status_code == 200
    assert some.json() == before | {
        "maintenance": None, "description": None, "websocketUrl": None, "responseTimeout": "1.5s",
    }  # fmt: skip
    assert (await owner.get("/api/environments/live-copy")).json() == some.json()


async def test_patch_refuses_null_where_there_must_be_a_value(owner: httpx2.AsyncClient, environment: str) -> None:
    required = ["name", "url", "kind", "tlsVerify", "bodyLimit", "responseTimeout"]

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


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
async def test_another_organisation_sees_nothing(face: Face, environment: str, method: str) -> None:
    async with face.owner(org="other") as stranger:
        answer = await stranger.request(
            method, f"/api/environments/{environment}", json={} if method == "PATCH" else None
        )
        assert answer.status_code == 404
        assert (await stranger.get("/api/environments")).json() == {"environments": [], "total": 0}
        again = await stranger.post("/api/environments", json={"id": environment, "name": "Ours", "url": "http://h"})
        assert again.status_code == 201


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
