from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from tests.api.face import REQUEST_ID, Face

from guestpass.signing.keys import Keys
from guestpass.signing.passes import PassSigner
from guestpass.system import SystemEntropy

SHARES = "/api/environments/staging/share"
PASSWORD = "correct hörse & battery=staple"
pytestmark = pytest.mark.usefixtures("environment")


@pytest.fixture
async def visitor(face: Face) -> AsyncIterator[httpx2.AsyncClient]:
    """A client that is no browser."""
    async with face.client() as client:
        yield client


@pytest.fixture
async def page_client(face: Face) -> AsyncIterator[httpx2.AsyncClient]:
    async with face.browser() as client:
        yield client


@pytest.fixture
async def link(owner: httpx2.AsyncClient) -> dict[str, Any]:
    answer = await owner.post(SHARES, json={"password": PASSWORD})
    return {**answer.json(), "token": answer.json()["url"].rpartition("/")[2]}


def _visitor_of(answer: httpx2.Response, link: dict[str, Any]) -> str:
    """Check the whole answer of a login that went well."""
    assert answer.status_code == 303, answer.text
    assert answer.headers["location"] == f"/share/{link['token']}"
    assert answer.headers["cache-control"] == "no-store"
    [cookie] = answer.headers.get_list("set-cookie")
    attributes = "Max-Age=34560000; Path=/; HttpOnly; SameSite=Lax; Secure"
    match = re.fullmatch(f"__Host-Http-guestpass=([^;]+); {attributes}", cookie)
    assert match is not None
    keys = Keys.from_secret("another secret of the tests, just as long")
    given = PassSigner(keys, SystemEntropy()).read(match[1])
    assert given is not None
    assert (given.link_id, given.link_version) == (link["id"], 1)
    return given.visitor


@pytest.mark.parametrize("prefix", ["", "/api"])
async def test_the_right_password_opens(visitor: httpx2.AsyncClient, link: dict[str, Any], prefix: str) -> None:
    path = f"{prefix}/share/{link['token']}/login"

    as_json = await visitor.post(path, json={"password": PASSWORD})
    as_form = await visitor.post(path, data={"username": "link-1", "password": PASSWORD})
    as_parts = await visitor.post(path, files={"password": (None, PASSWORD)})

    visitors = {_visitor_of(answer, link) for answer in (as_json, as_form, as_parts)}
    assert len(visitors) == 3, "each login is a new visitor"


async def test_a_wrong_password_does_not_and_is_remembered(
    visitor: httpx2.AsyncClient, link: dict[str, Any], face: Face
) -> None:
    face.clock.time += timedelta(minutes=3)

    firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0"
    answer = await visitor.post(
        f"/share/{link['token']}/login", json={"password": "wrong horse"}, headers={"User-Agent": firefox}
    )

    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "password_wrong"
    assert "set-cookie" not in answer.headers
    assert "wrong horse" not in answer.text
    async with face.owner() as owner, asyncio.timeout(20):
        path = f"/api/environments/staging/share/{link['id']}/refusals"
        while not (refusals := (await owner.get(path)).json()["refusals"]):  # noqa: ASYNC110 -- the log sets no event
            await asyncio.sleep(0.05)
    assert refusals == [
        {
            "at": "2026-03-04T05:09:07Z",
            "reason": "password_wrong",
            "requestId": REQUEST_ID,
            "browser": "Firefox 142",
            "system": "Linux",
            "address": "192.0.2.0/24",
        }
    ]


async def test_a_browser_is_shown_the_form_again(page_client: httpx2.AsyncClient, link: dict[str, Any]) -> None:
    path = f"/share/{link['token']}/login"

    wrong = await page_client.post(path, data={"password": "wrong horse"})
    missing = await page_client.post(path, data={"username": "x"})

    assert (wrong.status_code, missing.status_code) == (401, 422)
    for answer in (wrong, missing):
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert f'action="{path}"' in answer.text
        assert 'role="alert"' in answer.text
        assert REQUEST_ID in answer.text
        assert "horse" not in answer.text


@pytest.mark.parametrize("body", [{}, {"password": ""}, {"password": None}])
async def test_a_missing_password_is_named(
    visitor: httpx2.AsyncClient, link: dict[str, Any], body: dict[str, Any]
) -> None:
    path = f"/share/{link['token']}/login"

    for answer in (
        await visitor.post(path, json=body),
        await visitor.post(path, data={key: value or "" for key, value in body.items()} | {"other": "1"}),
        await visitor.post(path),
    ):
        assert answer.status_code == 422
        assert answer.json()["errors"] == [{"field": "password", "message": "is required"}]


async def test_a_file_is_no_password(visitor: httpx2.AsyncClient, link: dict[str, Any]) -> None:
    answer = await visitor.post(f"/share/{link['token']}/login", files={"password": ("p.txt", PASSWORD)})

    assert answer.status_code == 400


@pytest.mark.parametrize(
    ("content", "kind"),
    [(b"broken", "multipart/form-data; boundary=x"), (b"x", "multipart/form-data"),
     (b"&".join(b"a%d=1" % n for n in range(50)), "application/x-www-form-urlencoded")],
)  # fmt: skip
async def test_a_broken_form_is_a_bad_request(
    visitor: httpx2.AsyncClient, link: dict[str, Any], content: bytes, kind: str
) -> None:
    answer = await visitor.post(f"/share/{link['token']}/login", content=content, headers={"Content-Type": kind})

    assert answer.status_code == 400
    assert answer.json()["code"] == "malformed_body"


async def test_limits_and_types(visitor: httpx2.AsyncClient, link: dict[str, Any]) -> None:
    path = f"/share/{link['token']}/login"

    large = await visitor.post(path, data={"password": "x" * 65_536})
    text = await visitor.post(path, content=PASSWORD.encode(), headers={"Content-Type": "text/plain"})
    unknown = await visitor.post(path, json={"password": PASSWORD, "token": "x"})

    assert large.status_code == 413
    assert text.status_code == 415
    assert unknown.status_code == 422
    assert [error["field"] for error in unknown.json()["errors"]] == ["token"]
    assert "horse" not in unknown.text


@pytest.mark.parametrize("token", ["x", "gp_" + "0" * 49, "a%2Fb", "%00"])
async def test_an_unknown_link_is_not_found(visitor: httpx2.AsyncClient, token: str) -> None:
    answer = await visitor.post(f"/share/{token}/login", json={"password": PASSWORD})

    assert answer.status_code == 404


async def test_a_well_formed_token_that_was_never_given_is_not_found(
    visitor: httpx2.AsyncClient, page_client: httpx2.AsyncClient, owner: httpx2.AsyncClient, link: dict[str, Any]
) -> None:
    await owner.delete(f"{SHARES}/{link['id']}/permanent")

    answer = await visitor.post(f"/share/{link['token']}/login", json={"password": PASSWORD})
    page = await page_client.post(f"/share/{link['token']}/login", data={"password": PASSWORD})

    assert (answer.status_code, page.status_code) == (404, 404)
    assert answer.json()["code"] == "unknown_link"
    assert "<h1>" in page.text


async def test_an_ended_link_is_gone(
    visitor: httpx2.AsyncClient, owner: httpx2.AsyncClient, face: Face, link: dict[str, Any]
) -> None:
    path = f"/share/{link['token']}/login"
    face.clock.time += timedelta(hours=168)
    expired = await visitor.post(path, json={"password": PASSWORD})
    await owner.delete(f"{SHARES}/{link['id']}")
    deactivated = await visitor.post(path, json={"password": PASSWORD})

    assert (expired.status_code, expired.json()["code"]) == (410, "link_expired")
    assert (deactivated.status_code, deactivated.json()["code"]) == (410, "link_deactivated")
    assert "set-cookie" not in deactivated.headers


async def test_a_link_without_a_password_opens_with_any(visitor: httpx2.AsyncClient, owner: httpx2.AsyncClient) -> None:
    created = (await owner.post(SHARES)).json()
    created["token"] = created["url"].rpartition("/")[2]

    for body in ({"password": "whatever"}, {}):
        _visitor_of(await visitor.post(f"/share/{created['token']}/login", json=body), created)


async def test_whoever_opens_the_login_by_hand_comes_back_to_the_link(
    page_client: httpx2.AsyncClient, link: dict[str, Any]
) -> None:
    back = await page_client.get(f"/share/{link['token']}/login")

    assert (back.status_code, back.headers["location"]) == (303, f"/share/{link['token']}")
    assert "set-cookie" not in back.headers
