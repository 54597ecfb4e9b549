from __future__ import annotations

from typing import Any

import httpx2
import pytest
from tests.api.face import Face

from guestpass.app.ports import RefusedCall
from guestpass.domain.account import SignInRefusal
from guestpass.domain.environment import EnvironmentKey

STAGING = "/api/environments/staging"
ACCOUNTS, SHARES = f"{STAGING}/accounts", f"{STAGING}/share"
KEY = EnvironmentKey("default", "staging")
DEMO = {"login": "demo", "password": "demo's own"}
ADMIN = {"login": "admin", "password": "admin's own", "allowAdmin": True}
SHOWN = {
    "name": "demo",
    "login": "demo",
    "isAdmin": False,
    "createdAt": "2026-03-04T05:06:07Z",
    "createdBy": "olga",
    "refusedAt": None,
    "refusal": None,
    "warnings": [],
}
pytestmark = pytest.mark.usefixtures("environment")


async def _create(owner: httpx2.AsyncClient, **fields: Any) -> dict[str, Any]:
    answer = await owner.post(SHARES, json=fields)
    assert answer.status_code == 201, answer.text
    item: dict[str, Any] = answer.json()
    return item


def _errors(answer: httpx2.Response) -> dict[str, str]:
    assert answer.status_code == 422, answer.text
    return {error["field"]: error["message"] for error in answer.json()["errors"]}


async def test_an_account_from_its_first_day_to_its_last(owner: httpx2.AsyncClient, face: Face) -> None:
    assert (await owner.get(ACCOUNTS)).json() == {"accounts": [], "total": 0}
    added = await owner.post(ACCOUNTS, json=DEMO)
    assert (added.status_code, added.json()) == (201, SHOWN)
    listed = await owner.get(ACCOUNTS)
    assert listed.json() == {"accounts": [SHOWN], "total": 1}
    face.authenticator.passwords["demo"] = "a new one"
    renewed = await owner.post(ACCOUNTS, json={"name": "demo", "login": "demo", "password": "a new one"})
    assert (renewed.status_code, renewed.json()) == (200, SHOWN)
    for answer in (added, listed, renewed):
        assert "own" not in answer.text
        assert "a new one" not in answer.text
    removed = await owner.delete(f"{ACCOUNTS}/demo")
    assert (removed.status_code, removed.content) == (204, b"")
    assert (await owner.delete(f"{ACCOUNTS}/demo")).status_code == 404
    assert (await owner.get(ACCOUNTS)).json()["total"] == 0


@pytest.mark.parametrize("nothing", [None, ""])
async def test_null_and_empty_text_mean_not_given(owner: httpx2.AsyncClient, nothing: str | None) -> None:
    answer = await owner.post(ACCOUNTS, json={**DEMO, "name": nothing, "allowAdmin": None})
    assert (answer.status_code, answer.json()["name"]) == (201, "demo")


async def test_an_administrator_needs_a_word_and_is_warned_about(owner: httpx2.AsyncClient) -> None:
    assert list(_errors(await owner.post(ACCOUNTS, json={**ADMIN, "allowAdmin": False}))) == ["allowAdmin"]
    answer = await owner.post(ACCOUNTS, json=ADMIN)
    assert answer.json()["isAdmin"] is True
    [warning] = answer.json()["warnings"]
    assert warning["code"] == "admin_account"
    assert "run code" in warning["detail"]
    link = await _create(owner, signInAs="admin")
    assert link["warnings"] == [warning]


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"login", "password"}),
        ({"login": "demo", "password": "wrong"}, {"password"}),
        ({"login": 5, "password": "x"}, {"login"}),
        ({"login": "x" * 201, "password": "x"}, {"login"}),
        ({"login": "demo", "password": "x" * 1025}, {"password"}),
        ({"login": "demo", "password": ""}, {"password"}),
        ({**DEMO, "name": "De mo"}, {"name"}),
        ({**DEMO, "allowAdmin": "yes"}, {"allowAdmin"}),
        ({**DEMO, "role": "x"}, {"role"}),
    ],
)
async def test_what_cannot_be_accepted_is_named_and_not_kept(
    owner: httpx2.AsyncClient, body: dict[str, Any], fields: set[str]
) -> None:
    assert set(_errors(await owner.post(ACCOUNTS, json=body))) == fields
    assert (await owner.get(ACCOUNTS)).json()["total"] == 0


async def test_the_way_in_is_named_where_it_is_what_is_wrong(owner: httpx2.AsyncClient, face: Face) -> None:
    for refusal, field in ((SignInRefusal.DATABASE, "database"), (SignInRefusal.UNREACHABLE, "url")):
        face.authenticator.refusal = refusal
        assert list(_errors(await owner.post(ACCOUNTS, json=DEMO))) == [field]
        assert list(_errors(await owner.post(SHARES, json={"signInAs": DEMO}))) == [field]


async def test_an_account_that_links_use_can_not_be_removed(owner: httpx2.AsyncClient) -> None:
    link = await _create(owner, signInAs=DEMO)
    assert link["signInAs"] == {"account": "demo", "login": "demo"}
    answer = await owner.delete(f"{ACCOUNTS}/demo")
    assert (answer.status_code, answer.json()["code"]) == (409, "in_use")
    assert answer.json()["detail"] == "1 active share link signs visitors in as this account; deactivate it first."
    await owner.delete(f"{SHARES}/{link['id']}")
    assert (await owner.delete(f"{ACCOUNTS}/demo")).status_code == 204
    [after] = (await owner.get(SHARES)).json()["shareLinks"]
    assert after["signInAs"] == {"account": "demo", "login": None}


async def test_a_link_by_an_accounts_name_or_by_credentials(owner: httpx2.AsyncClient) -> None:
    await owner.post(ACCOUNTS, json={**DEMO, "name": "auditor"})
    expected = {"account": "auditor", "login": "demo"}
    assert (await _create(owner, signInAs="auditor"))["signInAs"] == expected
    assert (await _create(owner, signInAs=DEMO))["signInAs"] == expected
    assert (await owner.get(ACCOUNTS)).json()["total"] == 1
    assert [link["signInAs"] for link in (await owner.get(SHARES)).json()["shareLinks"]] == [expected, expected]
    assert "known are auditor" in _errors(await owner.post(SHARES, json={"signInAs": "demo"}))["signInAs"]


async def test_a_view_only_link_without_an_account_says_what_guards_it(owner: httpx2.AsyncClient) -> None:
    alone = await _create(owner, access="readOnly")
    assert alone["access"] == "readOnly"
    [warning] = alone["warnings"]
    assert set(warning) == {"code", "detail", "remedy"}
    assert warning["code"] == "view_only_unsigned"
    assert "access rights are the boundary" in warning["detail"]
    assert (await _create(owner, access="readOnly", signInAs=DEMO))["warnings"] == []


async def test_what_only_an_odoo_has_is_refused_elsewhere(owner: httpx2.AsyncClient) -> None:
    await owner.post("/api/environments", json={"id": "site", "name": "Site", "url": "http://10.0.0.6", "kind": "web"})
    both = {"access": "readOnly", "signInAs": "demo"}
    assert set(_errors(await owner.post("/api/environments/site/share", json=both))) == {"access", "signInAs"}
    assert set(_errors(await owner.post("/api/environments/site/accounts", json=DEMO))) == {"kind"}
    await _create(owner, access="readOnly")
    assert set(_errors(await owner.patch(STAGING, json={"kind": "web"}))) == {"kind"}


async def test_a_refused_account_is_a_finding_with_its_time(owner: httpx2.AsyncClient, face: Face) -> None:
    await owner.post(ACCOUNTS, json=DEMO)
    async with face.database() as database, database.writing() as work:
        await work.accounts.refuse(KEY, "demo", 1, face.clock.now(), SignInRefusal.SECOND_FACTOR)
    [account] = (await owner.get(ACCOUNTS)).json()["accounts"]
    assert (account["refusedAt"], account["refusal"]) == ("2026-03-04T05:06:07Z", "second_factor")
    [finding] = (await owner.get(STAGING)).json()["findings"]
    assert (finding["code"], finding["at"]) == ("account_refused", "2026-03-04T05:06:07Z")
    assert "demo (demo)" in finding["detail"]
    assert "Switch two-factor authentication off" in finding["remedy"]
    await owner.post(ACCOUNTS, json=DEMO)
    assert (await owner.get(STAGING)).json()["findings"] == []


async def test_refused_methods_are_listed_and_can_be_opened(owner: httpx2.AsyncClient, face: Face) -> None:
    refused = f"{STAGING}/refused-calls"
    assert (await owner.get(refused)).json() == {"refusedCalls": [], "total": 0}
    async with face.database() as database, database.writing() as work:
        await work.environments.add_refused_calls(
            {KEY: [RefusedCall("sale.order", "get_figures", 3, face.clock.now())]}
        )
    listed = (await owner.get(refused)).json()
    assert listed == {
        "refusedCalls": [
            {"model": "sale.order", "method": "get_figures", "count": 3, "lastAt": "2026-03-04T05:06:07Z"}
        ],
        "total": 1,
    }
    [call] = listed["refusedCalls"]
    opened = await owner.patch(STAGING, json={"readOnlyAllow": [f"{call['model']}/{call['method']}"]})
    assert opened.json()["readOnlyAllow"] == ["sale.order/get_figures"]
