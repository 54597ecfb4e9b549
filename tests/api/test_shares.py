from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from tests.api.face import Face

SHARES = "/api/environments/staging/share"
pytestmark = pytest.mark.usefixtures("environment")


async def _create(owner: httpx2.AsyncClient, **fields: Any) -> dict[str, Any]:
    answer = await owner.post(SHARES, json=fields)
    assert answer.status_code == 201, answer.text
    item: dict[str, Any] = answer.json()
    return item


def _errors(answer: httpx2.Response) -> dict[str, str]:
    assert answer.status_code == 422, answer.text
    return {error["field"]: error["message"] for error in answer.json()["errors"]}


async def test_a_link_needs_no_field_at_all(owner: httpx2.AsyncClient) -> None:
    answer = await owner.post(SHARES)

    assert answer.status_code == 201
    item = answer.json()
    assert re.fullmatch(r"https://share\.example\.com/share/gp_[0-9A-Za-z]{49}", item.pop("url"))
    assert re.fullmatch(r"[a-z0-9]{16}", item.pop("id"))
    assert item == {
        "environmentId": "staging",
        "shareType": "token",
        "label": None,
        "status": "active",
        "createdAt": "2026-03-04T05:06:07Z",
        "createdBy": "olga",
        "expiresAt": "2026-03-11T05:06:07Z",
        "deactivatedAt": None,
        "lastOpenedAt": None,
        "visits": 0,
        "visitors": 0,
        "visitorsNow": 0,
        "note": None,
        "startPath": None,
        "maxVisitors": None,
        "placesTaken": None,
        "allowedIPs": [],
        "access": "full",
        "signInAs": None,
        "allowReports": False,
        "allowExports": False,
        "warnings": [],
    }


@pytest.mark.parametrize("nothing", [None, ""])
async def test_null_and_empty_text_mean_not_given(owner: httpx2.AsyncClient, nothing: str | None) -> None:
    document = (await owner.get("/api/openapi.json")).json()
    fields = document["components"]["schemas"]["LinkRequest"]["properties"]
    assert {"expiresIn", "label", "password", "shareType"} < fields.keys()

    item = await _create(owner, **dict.fromkeys(fields, nothing))

    assert (item["shareType"], item["label"], item["expiresAt"]) == ("token", None, "2026-03-11T05:06:07Z")
    assert (item["status"], item["maxVisitors"], item["allowedIPs"]) == ("active", None, [])


async def test_a_password_makes_a_password_link_and_is_never_shown(owner: httpx2.AsyncClient) -> None:
    answer = await owner.post(SHARES, json={"password": "correct horse", "label": "Audit", "expiresIn": "1h30m"})

    assert answer.json()["shareType"] == "password"
    assert answer.json()["label"] == "Audit"
    assert answer.json()["expiresAt"] == "2026-03-04T06:36:07Z"
    assert "horse" not in answer.text
    assert "horse" not in (await owner.get(SHARES)).text


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"shareType": "password"}, "password"),
        ({"shareType": "token", "password": "correct horse"}, "shareType"),
        ({"shareType": "public"}, "shareType"),
        ({"password": "1234567"}, "password"),
        ({"password": "é" * 513}, "password"),
        ({"password": 12345678}, "password"),
        ({"label": "x" * 201}, "label"),
        ({"label": "two\nlines"}, "label"),
        ({"label": "\x00"}, "label"),
        ({"label": ["x"]}, "label"),
        ({"expiresIn": "-1h"}, "expiresIn"),
        ({"expiresIn": "0s"}, "expiresIn"),
        ({"expiresIn": "8760h1s"}, "expiresIn"),
        ({"expiresIn": "99999999999d"}, "expiresIn"),
        ({"expiresIn": "tomorrow"}, "expiresIn"),
        ({"expiresIn": 24}, "expiresIn"),
        ({"expires_in": "24h"}, "expires_in"),
        ({"remark": "x"}, "remark"),
        ({"access": "none"}, "access"),
        ({"access": True}, "access"),
        ({"signInAs": 5}, "signInAs"),
        ({"signInAs": ["demo"]}, "signInAs"),
        ({"signInAs": "nobody"}, "signInAs"),
        ({"signInAs": {"login": "demo"}}, "signInAs.password"),
        ({"signInAs": {"login": "demo", "password": ["1234567"]}}, "signInAs.password"),
        ({"signInAs": {"login": "demo", "password": "1234567"}}, "signInAs.password"),
        ({"signInAs": {"login": "", "password": "1234567"}}, "signInAs.login"),
        ({"signInAs": {"login": "demo", "password": "1234567", "name": "demo"}}, "signInAs.name"),
        ({"signInAs": {"login": "admin", "password": "admin's own"}}, "signInAs.allowAdmin"),
        ([], "body"),
        ("text", "body"),
        (None, "body"),
    ],
)
async def test_what_cannot_be_accepted_is_named_and_not_repeated(
    owner: httpx2.AsyncClient, body: object, field: str
) -> None:
    answer = await owner.post(SHARES, content=json.dumps(body), headers={"Content-Type": "application/json"})

    assert list(_errors(answer)) == [field]
    for secret in ("correct horse", "1234567", "éé", "admin's own"):
        assert secret not in answer.text
    assert (await owner.get(SHARES)).json()["total"] == 0


async def test_every_wrong_field_is_named_at_once(owner: httpx2.AsyncClient) -> None:
    """Whether the shape of a field is wrong or only its value, and whatever else is."""
    answer = await owner.post(
        SHARES,
        json={
            "expiresIn": "9999h",
            "label": "x" * 201,
            "note": "\x07",
            "password": "1234567",
            "shareType": "pin",
            "startPath": "odoo",
            "maxVisitors": None,
            "allowedIPs": ["192.0.2.7/8"],
            "colour": "red",
        },
    )

    wrong = _errors(answer)
    assert set(wrong) == {"expiresIn", "label", "note", "password", "shareType", "startPath", "allowedIPs", "colour"}
    assert wrong["expiresIn"] == "must be more than 0s and at most 365d"
    assert len(answer.json()["errors"]) == len(wrong)
    assert "1234567" not in answer.text


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"expiresIn": "soon", "shareType": "password"}, {"expiresIn", "password"}),
        ({"label": 5, "shareType": "token", "password": "correct horse"}, {"label", "shareType"}),
        ({"shareType": "password", "password": 5}, {"password"}),
        ({"note": 5, "expiresIn": "24h", "expiresAt": "2026-03-05T00:00:00Z"}, {"note", "expiresAt"}),
        ({"expiresIn": 5, "expiresAt": "2026-03-05T00:00:00Z"}, {"expiresIn"}),
    ],
)
async def test_fields_that_do_not_go_together_are_named_beside_others(
    owner: httpx2.AsyncClient, body: dict[str, Any], fields: set[str]
) -> None:
    assert set(_errors(await owner.post(SHARES, json=body))) == fields


@pytest.mark.parametrize("password", ["12345678", "éééé", "x" * 1024, "p\x00ss\nword"])
async def test_passwords_are_measured_in_bytes(owner: httpx2.AsyncClient, password: str) -> None:
    assert (await _create(owner, password=password))["shareType"] == "password"


@pytest.mark.parametrize(("text", "lifetime"), [("7d", timedelta(days=7)), ("8760h", timedelta(hours=8760))])
async def test_lifetimes(owner: httpx2.AsyncClient, face: Face, text: str, lifetime: timedelta) -> None:
    item = await _create(owner, expiresIn=text)

    assert item["expiresAt"] == (face.clock.now() + lifetime).isoformat().replace("+00:00", "Z")


async def test_links_are_listed_newest_first_and_by_status(owner: httpx2.AsyncClient, face: Face) -> None:
    short = await _create(owner, expiresIn="1h")
    face.clock.time += timedelta(minutes=1)
    off = await _create(owner)
    face.clock.time += timedelta(minutes=1)
    live = await _create(owner)
    await owner.delete(f"{SHARES}/{off['id']}")
    face.clock.time += timedelta(hours=2)

    whole = (await owner.get(SHARES)).json()

    assert [link["id"] for link in whole["shareLinks"]] == [live["id"], off["id"], short["id"]]
    assert [link["status"] for link in whole["shareLinks"]] == ["active", "deactivated", "expired"]
    assert whole["shareLinks"][0] == live
    assert whole["total"] == 3
    for status, link in (("active", live), ("deactivated", off), ("expired", short)):
        listed = (await owner.get(SHARES, params={"status": status})).json()
        assert [each["id"] for each in listed["shareLinks"]] == [link["id"]]
        assert listed["total"] == 1
    for wrong in ("gone", ""):
        assert _errors(await owner.get(SHARES, params={"status": wrong})) == {
            "status": "must be 'active', 'deactivated' or 'expired'"
        }


async def test_a_mistyped_query_does_not_list_everything(owner: httpx2.AsyncClient) -> None:
    assert _errors(await owner.get(SHARES, params={"state": "active"})) == {"state": "is not a known field"}


async def test_deactivating_keeps_the_record_and_may_be_repeated(owner: httpx2.AsyncClient, face: Face) -> None:
    link = await _create(owner)
    face.clock.time += timedelta(minutes=5)

    first = await owner.delete(f"{SHARES}/{link['id']}")
    face.clock.time += timedelta(minutes=5)
    second = await owner.delete(f"{SHARES}/{link['id']}")

    assert (first.status_code, second.status_code) == (200, 200)
    assert list(first.json()) == list(second.json()) == ["message"]
    assert first.json() != second.json()
    [kept] = (await owner.get(SHARES)).json()["shareLinks"]
    assert kept == link | {"status": "deactivated", "deactivatedAt": "2026-03-04T05:11:07Z"}


async def test_removing_is_for_good(owner: httpx2.AsyncClient) -> None:
    link = await _create(owner)

    first = await owner.delete(f"{SHARES}/{link['id']}/permanent")

    assert (first.status_code, first.content) == (204, b"")
    assert (await owner.get(SHARES)).json() == {"shareLinks": [], "total": 0}
    assert (await owner.delete(f"{SHARES}/{link['id']}/permanent")).status_code == 404
    assert (await owner.delete(f"{SHARES}/{link['id']}")).status_code == 404


async def test_a_link_belongs_to_its_environment(owner: httpx2.AsyncClient, face: Face) -> None:
    link = await _create(owner)
    await owner.post("/api/environments", json={"id": "other", "name": "Other", "url": "http://10.0.0.6"})

    assert (await owner.delete(f"/api/environments/other/share/{link['id']}")).status_code == 404
    async with face.owner(org="elsewhere") as stranger:
        for method, path in (("GET", SHARES), ("POST", SHARES), ("DELETE", f"{SHARES}/{link['id']}")):
            assert (await stranger.request(method, path)).status_code == 404
    assert (await owner.get(SHARES)).json()["shareLinks"] == [link]


@pytest.mark.parametrize("media_type", ["application/merge-patch+json", "Application/Merge-Patch+JSON; charset=utf-8"])
async def test_a_change_may_be_called_the_merge_patch_that_it_is(
    owner: httpx2.AsyncClient, environment: str, media_type: str
) -> None:
    link = await _create(owner, label="x", note="y")
    for path, change in (
        (f"{SHARES}/{link['id']}", {"note": None}),
        (f"/api/environments/{environment}", {"name": "Z"}),
    ):
        answer = await owner.patch(path, content=json.dumps(change), headers={"Content-Type": media_type})
        assert answer.status_code == 200, answer.text
        assert {name: answer.json()[name] for name in change} == change
    # It is nothing that a thing can be made of.
    answer = await owner.post(SHARES, content="{}", headers={"Content-Type": media_type})
    assert answer.status_code == 415


async def test_the_document_names_both_types_of_each_change(owner: httpx2.AsyncClient) -> None:
    paths = (await owner.get("/api/openapi.json")).json()["paths"]
    changes = [item["patch"] for item in paths.values() if "patch" in item and "requestBody" in item["patch"]]
    assert len(changes) >= 2
    for change in changes:
        if change["operationId"].startswith("change"):
            assert set(change["requestBody"]["content"]) == {"application/json", "application/merge-patch+json"}


async def test_a_link_in_another_content_type_is_refused(owner: httpx2.AsyncClient) -> None:
    answer = await owner.post(SHARES, data={"label": "x"})

    assert answer.status_code == 415
    assert "application/json" in answer.json()["detail"]


async def test_an_empty_body_needs_no_content_type(owner: httpx2.AsyncClient) -> None:
    assert (await owner.post(SHARES, headers={"Content-Type": "text/plain"})).status_code == 201
    assert (await owner.post(SHARES, content=b"{}", headers={"Content-Type": "application/json; charset=UTF-8"})
            ).status_code == 201  # fmt: skip
