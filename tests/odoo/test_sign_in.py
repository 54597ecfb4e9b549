"""Visitors who arrive signed in: as whom, under which session, and what they never get."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from tests.doubles.odoo.handle import Odoo, running_odoo
from tests.installation import Installation
from tests.odoo.visitor import NAVIGATION, Visitor, opened
from tests.storage.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="session")
AS_DEMO = {"signInAs": {"login": "demo", "password": "demo"}}


@pytest_asyncio.fixture(loop_scope="session")
async def guest(server: Installation, odoo: Odoo) -> AsyncIterator[Visitor]:
    """A visitor of a link that signs in as demo."""
    async with opened(server, odoo, link_fields=AS_DEMO) as someone:
        odoo.forget()
        yield someone


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def lasting(server: Installation) -> AsyncIterator[Visitor]:
    """The same for tests that leave no trace: nothing of them reaches Odoo."""
    with running_odoo() as odoo:
        async with opened(server, odoo, link_fields=AS_DEMO) as someone:
            yield someone


async def whoami(visitor: Visitor) -> str:
    """The login as which Odoo knows the visitor."""
    answer = (await visitor.call("/web/session/get_session_info")).json()
    assert "result" in answer, answer
    return str(answer["result"]["username"])


async def another(visitor: Visitor) -> Visitor:
    """A second browser that opens the same link."""
    web = httpx2.AsyncClient(base_url=visitor.server.public_url, timeout=30)
    assert (await web.get(visitor.link["url"], headers=NAVIGATION)).status_code == 303
    return Visitor(visitor.server, visitor.odoo, visitor.environment, visitor.link, web)


def sessions_of(odoo: Odoo, login: str) -> list[str]:
    return [each["sid"] for each in odoo.state()["sessions"] if each["login"] == login]


async def test_a_visitor_is_signed_in_on_first_sight_and_holds_no_session(guest: Visitor) -> None:
    page = await guest.navigate("/odoo")
    assert page.status_code == 200
    assert "Set-Cookie" not in page.headers or "session_id" not in page.headers["Set-Cookie"]
    assert await whoami(guest) == "demo"
    assert not [name for name in guest.web.cookies if "session_id" in name]
    sent = guest.odoo.requests("/odoo")[-1]
    assert dict(sent["fields"])["Cookie"].startswith("session_id=")


async def test_what_the_visitor_has_as_a_session_does_not_go_up(guest: Visitor) -> None:
    await guest.navigate("/odoo")
    guest.web.cookies.set("session_id", "x" * 84)
    guest.odoo.forget()
    assert await whoami(guest) == "demo"
    cookies = [value for name, value in guest.odoo.requests()[-1]["fields"] if name == "Cookie"]
    assert "x" * 84 not in " ".join(cookies)
    assert " ".join(cookies).count("session_id") == 1


async def test_two_visitors_have_two_sessions_and_logout_of_one_leaves_the_other(guest: Visitor) -> None:
    second = await another(guest)
    assert await whoami(guest) == await whoami(second) == "demo"
    assert len(sessions_of(guest.odoo, "demo")) == 2
    guest.odoo.forget()
    left = await guest.navigate("/web/session/logout")
    assert left.status_code == 200
    assert "You have left" in left.text
    await until(lambda: len(sessions_of(guest.odoo, "demo")) == 1)
    assert await whoami(second) == "demo"
    again = await guest.navigate("/odoo")
    assert again.status_code == 401
    await second.web.aclose()


async def test_who_left_can_open_the_link_again(guest: Visitor) -> None:
    assert await whoami(guest) == "demo"
    await guest.navigate("/web/session/logout")
    assert (await guest.web.get(guest.link["url"], headers=NAVIGATION)).status_code == 303
    assert await whoami(guest) == "demo"


async def test_a_session_that_odoo_ended_is_renewed_before_the_visitor_notices(guest: Visitor) -> None:
    assert await whoami(guest) == "demo"
    assert guest.odoo.expire_sessions("demo") == 1
    assert await whoami(guest) == "demo"
    guest.odoo.expire_sessions("demo")
    assert (await guest.navigate("/odoo")).status_code == 200
    guest.odoo.expire_sessions("demo")
    created = await guest.call(
        "/web/dataset/call_kw/res.partner/create",
        model="res.partner",
        method="create",
        args=[{"name": "Once"}],
        kwargs={},
    )
    assert isinstance(created.json()["result"], int)
    assert [each["name"] for each in guest.odoo.records("res.partner")].count("Once") == 1


async def test_many_requests_at_once_make_one_session(guest: Visitor) -> None:
    names = await asyncio.gather(*(whoami(guest) for _ in range(8)))
    assert set(names) == {"demo"}
    assert len(guest.odoo.requests("/web/session/authenticate")) == 1


async def test_sessions_survive_a_restart_of_ours(server: Installation, odoo: Odoo) -> None:
    async with opened(server, odoo, link_fields=AS_DEMO) as guest:
        assert await whoami(guest) == "demo"
        before = sessions_of(odoo, "demo")
        await server.stop()
        await server.start()
        odoo.forget()
        assert await whoami(guest) == "demo"
        assert odoo.requests("/web/session/authenticate") == []
        assert sessions_of(odoo, "demo") == before


async def test_odoo_is_told_when_the_link_ends(guest: Visitor) -> None:
    assert await whoami(guest) == "demo"
    assert len(sessions_of(guest.odoo, "demo")) == 1
    await guest.server.client.delete(f"/api/environments/{guest.environment['id']}/share/{guest.link['id']}")
    await until(lambda: sessions_of(guest.odoo, "demo") == [])


async def test_odoo_is_told_when_the_link_is_removed(guest: Visitor) -> None:
    assert await whoami(guest) == "demo"
    path = f"/api/environments/{guest.environment['id']}/share/{guest.link['id']}/permanent"
    assert (await guest.server.client.delete(path)).status_code == 204
    await until(lambda: sessions_of(guest.odoo, "demo") == [])


async def test_neither_head_nor_a_preview_signs_in(guest: Visitor) -> None:
    await guest.web.head("/odoo", headers=NAVIGATION)
    await guest.web.get("/odoo", headers={**NAVIGATION, "User-Agent": "Slackbot-LinkExpanding 1.0"})
    assert guest.odoo.requests("/web/session/authenticate") == []


async def test_an_account_that_odoo_refuses_is_a_page_and_a_finding_and_tried_once_a_minute(guest: Visitor) -> None:
    guest.odoo.set_password("demo", "changed")
    page = await guest.navigate("/odoo")
    assert page.status_code == 503
    assert "be signed in right now" in page.text
    for _ in range(3):
        assert (await guest.navigate("/odoo")).status_code == 503
    assert len(guest.odoo.requests("/web/session/authenticate")) == 1
    path = f"/api/environments/{guest.environment['id']}"
    (finding,) = [
        each for each in (await guest.server.client.get(path)).json()["findings"] if each["code"] == "account_refused"
    ]
    assert finding["at"]
    # The owner gives the new password, and the same link works again.
    mended = await guest.server.client.post(
        f"{path}/accounts", json={"name": guest.link["signInAs"]["account"], "login": "demo", "password": "changed"}
    )
    assert mended.status_code == 200, mended.text
    assert await whoami(guest) == "demo"
    assert "account_refused" not in (await guest.server.client.get(path)).text


@pytest.mark.parametrize(
    ("credentials", "field", "words"),
    [
        ({"login": "demo", "password": "wrong"}, "password", "does not accept"),
        ({"login": "second", "password": "second"}, "login", "two-factor"),
        ({"login": "admin", "password": "admin"}, "allowAdmin", "run code"),
    ],
)
async def test_what_can_not_sign_in_is_refused_at_once(
    lasting: Visitor, credentials: dict[str, str], field: str, words: str
) -> None:
    path = f"/api/environments/{lasting.environment['id']}/share"
    answer = await lasting.server.client.post(path, json={"signInAs": credentials})
    assert answer.status_code == 422
    assert field in answer.text
    assert words in answer.text


async def test_an_unknown_database_is_said(server: Installation, odoo: Odoo) -> None:
    environment = await server.add_environment(name="Odoo", url=odoo.url, kind="odoo", database="nowhere")
    answer = await server.client.post(f"/api/environments/{environment['id']}/share", json=AS_DEMO)
    assert answer.status_code == 422
    assert "database" in answer.text
    await server.client.delete(f"/api/environments/{environment['id']}")


REFUSED_REQUESTS: list[tuple[str, dict[str, Any] | None]] = [
    ("/web/session/authenticate", {"db": "demo18", "login": "admin", "password": "admin"}),
    ("/en/web/session/authenticate", {"db": "demo18", "login": "admin", "password": "admin"}),
    ("/web/session/%61uthenticate", {"db": "demo18", "login": "admin", "password": "admin"}),
    ("/web/session/authenticate/", {"db": "demo18", "login": "admin", "password": "admin"}),
    ("/web/session/change_password", {"fields": []}),
    ("/en_US/web/session/change_password", {"fields": []}),
    ("/web/reset_password", None),
    ("/web/signup", None),
    ("/web/login/totp", None),
    ("/web/login", {"login": "admin", "password": "admin"}),
    ("/web/login/", {"login": "admin", "password": "admin"}),
    ("/web/%6Cogin", {"login": "admin", "password": "admin"}),
    ("/en/web/login", {"login": "admin", "password": "admin"}),
    ("/auth_oauth/signin?state=x", None),
    ("/my/security", None),
]


@pytest.mark.parametrize(("path", "params"), REFUSED_REQUESTS)
async def test_nobody_becomes_somebody_else(lasting: Visitor, path: str, params: dict[str, Any] | None) -> None:
    assert await whoami(lasting) == "demo"
    lasting.odoo.forget()
    if params is None:
        answer = await lasting.navigate(path)
        assert answer.status_code == 403
    else:
        answer = await lasting.call(path, **params)
        assert answer.status_code == 200 if "error" in answer.text else 403
    assert lasting.odoo.requests() == []
    assert await whoami(lasting) == "demo"


REFUSED_CALLS: list[dict[str, Any]] = [
    {"model": "res.users", "method": "change_password", "args": ["demo", "new"]},
    {"model": "res.users", "method": "preference_change_password", "args": [[6]]},
    {"model": "res.users", "method": "write", "args": [[6], {"password": "new"}]},
    {"model": "res.users", "method": "write", "args": [[6]], "kwargs": {"vals": {"new_password": "new"}}},
    {"model": "res.users", "method": "web_save", "args": [[6], {"login": "me@evil.example"}]},
    {"model": "res.users", "method": "write", "args": [[6], {"email": "me@evil.example"}]},
    {"model": "res.users", "method": "write", "args": [[6], {"totp_secret": "x"}]},
    {"model": "res.users", "method": "create", "args": [{"name": "x", "password": "x"}]},
    {"model": "res.users", "method": "api_key_wizard", "args": [[6]]},
    {"model": "res.users", "method": "action_totp_enable_wizard", "args": [[6]]},
    {"model": "res.users", "method": "totp_disable", "args": [[6]]},
    {"model": "res.users", "method": "action_reset_password", "args": [[6]]},
    {"model": "res.users.apikeys.description", "method": "create", "args": [{"name": "k"}]},
    {"model": "res.users.apikeys.description", "method": "make_key", "args": [[1]]},
    {"model": "res.users.apikeys", "method": "search_read", "args": []},
    {"model": "res.users.identitycheck", "method": "create", "args": [{"password": "demo"}]},
    {"model": "change.password.own", "method": "create", "args": [{"new_password": "x"}]},
    {"model": "change.password.wizard", "method": "web_save", "args": [[], {}]},
    {"model": "auth_totp.wizard", "method": "enable", "args": [[1]]},
    {"model": "auth.passkey.key", "method": "create", "args": [{}]},
    {"model": "res.partner", "method": "write", "args": [[7], {"user_ids": [[1, 6, {"password": "new"}]]}]},
]


@pytest.mark.parametrize("call", REFUSED_CALLS, ids=lambda call: f"{call['model']}.{call['method']}")
async def test_no_call_reaches_a_credential(lasting: Visitor, call: dict[str, Any]) -> None:
    assert await whoami(lasting) == "demo"
    lasting.odoo.forget()
    answer = (await lasting.call("/web/dataset/call_kw/res.partner/read", **{"kwargs": {}, **call})).json()
    assert "Your link signs you in" in answer["error"]["data"]["message"] or "isn't shared" in str(answer)
    assert lasting.odoo.requests() == []


@pytest.mark.parametrize(
    "body",
    [
        b'{"params":{"model":"res.partner","model":"res.users.apikeys","method":"read","args":[]}}',
        b'{"params":{"model":"res.users.apikeys","method":"read","args":[]},"params":{}}',
        '{"params":{"model":"res.users.apikeys","method":"read","args":[]}}'.encode("utf-16"),
        b'\xef\xbb\xbf{"params":{"model":"res.users.apikeys","method":"read"}}',
        b'[{"params":{"model":"res.users.apikeys","method":"read","args":[]}}]',
        b'{"params":{"model":"res.users.\\u0061pikeys","method":"read","args":[]}}',
        b'{"params":{"model":"res.partner","method":"write","args":[[7],{"user_ids":[[1,6,{"p\\u0061ssword":"x"}]]}]}}',
        b'{"params":{"model":"res.partner","method":"write","args":[[7],' + b"[" * 90 + b"]" * 90 + b"]}}",
        b'{"params":{"model":"res.users","method":"write","args":[[6],{"password":"x"}],"pad":"'
        + b"x" * 2**21
        + b'"}}',
    ],
)
async def test_no_spelling_of_a_body_hides_a_credential(lasting: Visitor, body: bytes) -> None:
    assert await whoami(lasting) == "demo"
    lasting.odoo.forget()
    answer = await lasting.web.post(
        "/web/dataset/call_kw", content=body, headers={"Content-Type": "application/json", "Origin": lasting.origin}
    )
    assert "error" in answer.json() or answer.status_code == 400
    assert lasting.odoo.requests() == []


async def test_an_account_that_became_an_administrator_is_not_used(guest: Visitor) -> None:
    guest.odoo.set_groups("demo", "base.group_user", "base.group_system")
    page = await guest.navigate("/odoo")
    assert page.status_code == 503
    assert sessions_of(guest.odoo, "demo") == []
    findings = (await guest.server.client.get(f"/api/environments/{guest.environment['id']}")).json()["findings"]
    assert "It administers Odoo by now" in str(findings)
