"""Visitors who arrive signed in: as whom, under which session, and what they never get."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from tests.doubles.odoo.handle import Odoo
from tests.installation import Installation
from tests.odoo.burglar import Burglar, Way
from tests.odoo.running import running_odoo
from tests.odoo.versions import VERSIONS
from tests.odoo.visitor import NAVIGATION, Visitor, bus_of, opened
from tests.storage.waiting import until
from websockets.asyncio.client import ClientConnection
from websockets.http11 import Response

pytestmark = pytest.mark.asyncio(loop_scope="session")
AS_DEMO = {"signInAs": {"login": "demo", "password": "demo"}}


@asynccontextmanager
async def guest_of(server: Installation, odoo: Odoo) -> AsyncIterator[Visitor]:
    """A visitor of a link that signs in as demo; the try of its account is forgotten."""
    async with opened(server, odoo, link_fields=AS_DEMO) as someone:
        odoo.forget()
        yield someone


@pytest_asyncio.fixture(loop_scope="session")
async def guest(server: Installation, odoo: Odoo) -> AsyncIterator[Visitor]:
    async with guest_of(server, odoo) as someone:
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
    page = await guest.navigate(guest.client)
    assert page.status_code == 200
    assert "Set-Cookie" not in page.headers or "session_id" not in page.headers["Set-Cookie"]
    assert await whoami(guest) == "demo"
    assert not [name for name in guest.web.cookies if "session_id" in name]
    sent = guest.odoo.requests(guest.client)[-1]
    assert dict(sent["fields"])["Cookie"].startswith("session_id=")


@pytest.mark.parametrize(("login", "landing"), [("demo", "/web"), ("portal", "/")])
async def test_who_works_in_odoo_arrives_there_and_a_customer_at_the_website(
    server: Installation, odoo: Odoo, login: str, landing: str
) -> None:
    async with opened(server, odoo, link_fields={"signInAs": {"login": login, "password": login}}) as guest:
        async with httpx2.AsyncClient(base_url=server.public_url) as another_browser:
            answer = await another_browser.get(guest.link["url"], headers=NAVIGATION)
        assert answer.headers["location"] == landing


@pytest.mark.double_only("up to 16, which does not say who works in Odoo's own pages")
async def test_who_works_in_an_older_odoo_arrives_there_as_well(server: Installation) -> None:
    with running_odoo(version="16.0") as odoo:
        for login, landing in (("demo", "/web"), ("portal", "/")):
            await test_who_works_in_odoo_arrives_there_and_a_customer_at_the_website(server, odoo, login, landing)


async def test_an_owner_reads_which_rights_of_the_account_are_dangerous(guest: Visitor) -> None:
    path = f"/api/environments/{guest.environment['id']}/accounts"
    [account] = (await guest.server.client.get(path)).json()["accounts"]
    assert [each["code"] for each in account["warnings"]] == list(VERSIONS[guest.odoo.major].rights)


async def test_what_the_visitor_has_as_a_session_does_not_go_up(guest: Visitor) -> None:
    await guest.navigate(guest.client)
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
    again = await guest.navigate(guest.client)
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
    assert (await guest.navigate(guest.client)).status_code == 200
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
    await guest.web.head(guest.client, headers=NAVIGATION)
    await guest.web.get(guest.client, headers={**NAVIGATION, "User-Agent": "Slackbot-LinkExpanding 1.0"})
    assert guest.odoo.requests("/web/session/authenticate") == []


async def test_an_account_that_odoo_refuses_is_a_page_and_a_finding_and_tried_once_a_minute(guest: Visitor) -> None:
    guest.odoo.set_password("demo", "changed")
    page = await guest.navigate(guest.client)
    assert page.status_code == 503
    assert "be signed in right now" in page.text
    for _ in range(3):
        assert (await guest.navigate(guest.client)).status_code == 503
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
        pytest.param(
            {"login": "second", "password": "second"},
            "login",
            "two-factor",
            marks=pytest.mark.double_only("has a user with a second factor"),
        ),
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
    page = await guest.navigate(guest.client)
    assert page.status_code == 503
    assert sessions_of(guest.odoo, "demo") == []
    findings = (await guest.server.client.get(f"/api/environments/{guest.environment['id']}")).json()["findings"]
    assert "It administers Odoo by now" in str(findings)


# What Odoo does with its sessions.


@pytest.mark.parametrize("path", ["/web/session/get_session_info", "/odoo", "/contactus", "/web/image/res.partner/7/x"])
@pytest.mark.double_only("moves sessions to other ids as often as it is told")
async def test_a_session_that_odoo_moves_on_every_answer_is_followed(server: Installation, path: str) -> None:
    # The former id is worth nothing as soon as the answer is there.
    with running_odoo(rotate_after_requests=1, rotation_grace=0.0) as odoo:
        async with guest_of(server, odoo) as guest:
            assert await whoami(guest) == "demo"
            for _ in range(4):
                before = sessions_of(odoo, "demo")
                answer = await (guest.call(path) if path.startswith("/web/session") else guest.navigate(path))
                assert answer.status_code == 200
                assert [each for each in sessions_of(odoo, "demo") if each not in before], "it was moved"
            assert await whoami(guest) == "demo"
            assert len(odoo.attempts("demo")) == 1


@pytest.mark.double_only("moves sessions to other ids as often as it is told")
async def test_a_session_that_was_moved_survives_a_restart_of_ours(server: Installation) -> None:
    with running_odoo(rotate_after_requests=1, rotation_grace=0.0) as odoo:
        async with guest_of(server, odoo) as guest:
            assert await whoami(guest) == "demo"
            await server.stop()
            await server.start()
            assert await whoami(guest) == "demo"
            assert len(odoo.attempts("demo")) == 1


@pytest.mark.double_only("moves sessions to other ids as often as it is told")
async def test_many_requests_at_once_follow_a_moving_session(server: Installation) -> None:
    with running_odoo(rotate_after_requests=1) as odoo:
        async with guest_of(server, odoo) as guest:
            for _ in range(3):
                assert set(await asyncio.gather(*(whoami(guest) for _ in range(10)))) == {"demo"}
            assert len(odoo.attempts("demo")) == 1


async def test_a_session_that_is_moved_after_three_hours_is_followed(server: Installation) -> None:
    with running_odoo(rotate_after=10_800) as odoo:
        async with guest_of(server, odoo) as guest:
            assert await whoami(guest) == "demo"
            odoo.age_sessions(10_801)
            assert await whoami(guest) == "demo"
            # The grace for the former id is over as well.
            odoo.age_sessions(121)
            assert await whoami(guest) == "demo"
            assert len(odoo.attempts("demo")) == 1


@pytest.mark.double_only("moves sessions to other ids as often as it is told")
async def test_a_session_that_is_moved_by_the_bus_is_followed(server: Installation) -> None:
    with running_odoo(rotate_on_upgrade=True, rotation_grace=0.0) as odoo:
        async with guest_of(server, odoo) as guest:
            assert await whoami(guest) == "demo"
            for _ in range(2):
                async with bus_of(guest) as socket:
                    assert "set-cookie" not in {name.lower() for name in handshake(socket).headers}
                    [listener] = odoo.sockets()
                    assert listener["user"] == "demo"
                    assert await whoami(guest) == "demo"
                await until(lambda: odoo.sockets() == [])
            assert len(odoo.attempts("demo")) == 1


def handshake(socket: ClientConnection) -> Response:
    """The answer by which the socket was opened."""
    assert socket.response is not None
    return socket.response


# What becomes of accounts.


async def finding_of(visitor: Visitor) -> dict[str, Any] | None:
    path = f"/api/environments/{visitor.environment['id']}"
    found = (await visitor.server.client.get(path)).json()["findings"]
    return next((each for each in found if each["code"] == "account_refused"), None)


CHANGES: dict[str, tuple[Callable[[Odoo], None], str]] = {
    "another password": (lambda odoo: odoo.set_password("demo", "another"), "does not accept its login and password"),
    "no user any more": (lambda odoo: odoo.set_active("demo", active=False), "does not accept its login and password"),
    "a second factor": (lambda odoo: odoo.set_totp("demo", "123456"), "second factor"),
}


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(each, marks=pytest.mark.double_only("gives a user a second factor"))
        if each == "a second factor"
        else each
        for each in CHANGES
    ],
)
async def test_a_user_who_changes_in_odoo_is_told_to_the_owner_and_tried_no_more(guest: Visitor, change: str) -> None:
    odoo = guest.odoo
    assert await whoami(guest) == "demo"
    second = await another(guest)
    do, words = CHANGES[change]
    do(odoo)
    odoo.forget()
    page = await guest.navigate(guest.client)
    assert (page.status_code, "be signed in right now" in page.text) == (503, True)
    dialog = (await guest.call("/web/session/get_session_info")).json()["error"]
    assert "be signed in right now" in dialog["data"]["message"]
    assert (await second.navigate(second.client)).status_code == 503
    assert [each["outcome"] for each in odoo.attempts("demo")].count("throttled") == 0
    assert len(odoo.attempts("demo")) == 1
    finding = await finding_of(guest)
    assert finding is not None
    assert words in finding["detail"]
    [link] = await guest.server.links(guest.environment["id"])
    assert link["status"] == "active"
    await second.web.aclose()


@pytest.mark.double_only("puts a backup in the place of its database")
async def test_a_database_that_was_restored_is_signed_in_to_anew(guest: Visitor) -> None:
    odoo = guest.odoo
    assert await whoami(guest) == "demo"
    odoo.restore_database()
    odoo.forget()
    assert (await guest.navigate(guest.client)).status_code == 200
    assert await whoami(guest) == "demo"
    assert [each["outcome"] for each in odoo.attempts("demo")] == ["ok"]
    assert await finding_of(guest) is None


@pytest.mark.double_only("puts a backup in the place of its database")
async def test_a_restored_database_with_a_former_password_is_told_to_the_owner(
    server: Installation, odoo: Odoo
) -> None:
    odoo.set_password("demo", "newer")
    link = {"signInAs": {"login": "demo", "password": "newer"}}
    async with opened(server, odoo, link_fields=link) as guest:
        assert await whoami(guest) == "demo"
        odoo.restore_database()
        assert (await guest.navigate(guest.client)).status_code == 503
        finding = await finding_of(guest)
        assert finding is not None
        assert "restored" in finding["detail"]


async def test_another_user_takes_the_place_of_an_account(guest: Visitor) -> None:
    odoo = guest.odoo
    assert await whoami(guest) == "demo"
    path = f"/api/environments/{guest.environment['id']}/accounts"
    async with bus_of(guest) as socket:
        odoo.add_user("newcomer", "newcomer")
        body = {"name": guest.link["signInAs"]["account"], "login": "newcomer", "password": "newcomer"}
        assert (await guest.server.client.post(path, json=body)).status_code == 200
        async with asyncio.timeout(20):
            await socket.wait_closed()
    assert await whoami(guest) == "newcomer"
    await until(lambda: odoo.sessions("demo") == [])
    assert {each["how"] for each in odoo.ended_sessions("demo")} == {"logout"}


async def test_a_removed_environment_lets_nobody_in(server: Installation, odoo: Odoo) -> None:
    async with guest_of(server, odoo) as guest:
        assert await whoami(guest) == "demo"
        second = await another(guest)
        assert await whoami(second) == "demo"
        path = f"/api/environments/{guest.environment['id']}"
        assert (await server.client.delete(path)).status_code == 204
        await until(lambda: sessions_of(odoo, "demo") == [])
        assert {each["how"] for each in odoo.ended_sessions("demo")} == {"logout"}
        odoo.forget()
        assert (await guest.navigate(guest.client)).status_code in (401, 404, 410)
        assert odoo.requests(guest.client) == []
        await second.web.aclose()


# What a visitor may try with cookies. The session that they want to slip in is a logged-in administrator's.


@pytest.fixture(scope="module")
def stolen(lasting: Visitor) -> bytes:
    """The id of a session that is good at Odoo."""
    body = {"params": {"db": lasting.odoo.database, "login": "admin", "password": "admin"}}
    answer = httpx2.post(f"{lasting.odoo.url}/web/session/authenticate", json=body)
    sid = answer.cookies["session_id"]
    asked = httpx2.post(
        f"{lasting.odoo.url}/web/session/get_session_info", json={"params": {}}, cookies={"session_id": sid}
    )
    assert asked.json()["result"]["username"] == "admin"
    return sid.encode()


INJECTIONS: list[tuple[bytes, *tuple[str, ...]]] = [
    (b"session_id=SID; {own}",),
    (b"{own}; session_id=SID",),
    (b"session_id=SID; {own}; session_id=SID",),
    (b'session_id="SID"; {own}',),
    (b"session_id = SID; {own}",),
    (b"session_id\t=\tSID; {own}",),
    (b"  session_id=SID  ;{own}",),
    (b"x=1;session_id=SID;{own}",),
    (b"x=1; ;; session_id=SID; {own}",),
    (b"SESSION_ID=SID; {own}",),
    (b"Session_Id=SID; {own}",),
    (b"__Host-session_id=SID; {own}",),
    (b"__Secure-session_id=SID; {own}",),
    (b"__HOST-session_id=SID; {own}",),
    (b"__Host-__Secure-session_id=SID; {own}",),
    (b"guestpass.session_id=SID; {own}",),
    (b"guestpass.0123456789abcdef.session_id=SID; {own}",),
    (b"__Host-guestpass.0123456789abcdef.session_id=SID; {own}",),
    (b"=session_id=SID; {own}",),
    (b"==session_id=SID; {own}",),
    (b"session_id==SID; {own}",),
    (b'x="; session_id=SID; y="; {own}',),
    (b'x="a\\"; session_id=SID; {own}',),
    (b"x=1, session_id=SID; {own}",),
    (b"$Version=1; session_id=SID; $Path=/; {own}",),
    (b"session_id\xa0=SID; {own}",),
    (b"\xa0session_id=SID; {own}",),
    (b"\xc2\xa0session_id=SID; {own}",),
    (b"session_id\x00=SID; {own}",),
    (b"\x0bsession_id=SID; {own}",),
    (b"x=1\x0csession_id=SID; {own}",),
    (b"session%5Fid=SID; {own}",),
    (b"session_id[]=SID; {own}",),
    (b"x=1\r\n session_id=SID; {own}",),
    (b"x=" + b"1" * 70_000 + b"; session_id=SID; {own}",),
    (b"{own}", "Cookie: session_id=SID"),
    (b"{own}", "X-Openerp-Session-Id: SID"),
    (b"{own}", "X_Openerp_Session_Id: SID"),
    (b"{own}", "Authorization: Basic YWRtaW46YWRtaW4="),
    (b"{own}", "Authorization: Bearer SID"),
    (b"{own}", "X-Forwarded-Host: x\r\nCookie: session_id=SID"),
]


@pytest.mark.parametrize("tried", INJECTIONS, ids=lambda tried: repr(tried[-1])[:60])
async def test_no_cookie_slips_a_session_in(
    lasting: Visitor, stolen: bytes, tried: tuple[bytes, *tuple[str, ...]]
) -> None:
    assert await whoami(lasting) == "demo"
    lasting.odoo.forget()
    cookie, *fields = tried
    burglar = Burglar(lasting)
    answer = await burglar.ask(
        "/web/session/get_session_info?session_id=" + stolen.decode(),
        ("POST", "application/json", b'{"id":1,"params":{}}'),
        *(field.replace("SID", stolen.decode()) for field in fields),
        cookie=cookie.replace(b"SID", stolen),
    )
    await burglar.leave()
    assert stolen not in answer.body
    if answer.status != 200:
        assert 400 <= answer.status < 500
        assert lasting.odoo.requests() == []
        return
    assert b'"username": "demo"' in answer.body
    [seen] = lasting.odoo.requests()
    [sent] = [value for name, value in seen["fields"] if name.lower() == "cookie"]
    # Odoo takes the first cookie of a name, and its reader may trim what ours doesn't.
    assert sent.startswith("session_id=")
    names = [pair.partition("=")[0].lower() for pair in sent.split(";")]
    assert len([name for name in names if "session_id" in name]) == 1
    assert not [name for name, _ in seen["fields"] if "session" in name.lower().replace("_", "-")]


async def test_who_is_not_signed_in_slips_none_in_either(guest: Visitor) -> None:
    guest.odoo.forget()
    burglar = Burglar(guest)
    await burglar.ask(guest.client, ("HEAD", "", b""), cookie=b"session_id=" + b"x" * 84 + b"; {own}")
    await burglar.leave()
    [seen] = guest.odoo.requests()
    assert "session_id" not in str(seen["fields"])


async def test_a_session_that_a_page_plants_is_not_taken_over(guest: Visitor) -> None:
    """Odoo's own answers move the session; what a visitor sends can't choose one."""
    assert await whoami(guest) == "demo"
    [before] = sessions_of(guest.odoo, "demo")
    guest.web.cookies.set("session_id", "A" * 84)
    for path in (guest.client, "/contactus", "/web/login", "/nowhere"):
        await guest.navigate(path)
    assert sessions_of(guest.odoo, "demo") == [before]
    assert await whoami(guest) == "demo"
    assert len(guest.odoo.attempts()) == 1


# What they get.

SECRET = "correct-horse-battery-7f3d"


@pytest.mark.double_only("moves sessions to other ids as often as it is told")
async def test_no_session_leaves_by_any_answer_and_no_secret_by_any_log(server: Installation) -> None:
    with running_odoo(rotate_after_requests=1, rotate_on_upgrade=True) as odoo:
        odoo.set_password("demo", SECRET)
        link = {"signInAs": {"login": "demo", "password": SECRET}}
        async with opened(server, odoo, link_fields=link) as guest:
            assert await whoami(guest) == "demo"
            burglar = Burglar(guest)
            answers = [await burglar.ask(*each) for each in EVERYWHERE]
            etag = next(value for answer in answers for value in answer.all(b"etag"))
            answers.append(await burglar.ask(IMAGE, ("GET", "", b""), f"If-None-Match: {etag.decode()}"))
            assert {200, 303, 304, 403, 404} <= {answer.status for answer in answers}
            async with bus_of(guest) as socket:
                heads = [f"{name}: {value}" for name, value in handshake(socket).headers.raw_items()]
            answers.append(await burglar.ask("/web/session/logout", ("GET", "", b"")))
            await burglar.leave()
            state = odoo.state()["sessions"]
            sids = {each["sid"] for each in [*state, *odoo.ended_sessions()]}
            assert len(sids) > len(EVERYWHERE)
            told = heads + [repr((answer.fields, answer.body)) for answer in answers]
            assert [each for each in told if "session_id" in each.lower().partition("\\r\\n\\r\\n")[0]] == []
            assert [sid for sid in sids if any(sid in each for each in told)] == []
            written = server.log + kept_by(server)
            assert [secret for secret in (*sids, SECRET) if secret in written] == []
            seen = await server.client.get(f"/api/environments/{guest.environment['id']}/accounts")
            assert SECRET not in seen.text


def kept_by(server: Installation) -> str:
    """All that lies in the server's folder."""
    files = [each for each in Path(server.environ["GUESTPASS_DATA_DIR"]).rglob("*") if each.is_file()]
    assert files
    return "".join(each.read_bytes().decode("latin-1") for each in files)


IMAGE = "/web/image/res.partner/7/avatar_128"
_CALL = b'{"id":1,"params":{"model":"res.partner","method":"read","args":[[7],["name"]],"kwargs":{}}}'
EVERYWHERE: list[tuple[str, Way]] = [
    *(
        (path, ("GET", "", b""))
        for path in (
            "/",
            "/contactus",
            "/shop",
            "/my",
            "/odoo",
            "/odoo/contacts",
            "/odoo?debug=assets",
            "/web",
            "/web/login",
            "/nowhere",
            "/favicon.ico",
            "/en/contactus",
            IMAGE,
            "/web/assets/0000000/web.assets_web.min.js",
            "/web/webclient/translations/x",
            "/web/webclient/load_menus/x",
            "/website/translations/x",
            "/web/static/double/1000/a.js",
            "/bus/websocket_worker_bundle",
            "/web/health",
            "/websocket/health",
            "/sitemap.xml",
        )
    ),
    ("/odoo", ("HEAD", "", b"")),
    ("/contactus", ("OPTIONS", "", b"")),
    ("/web/dataset/call_kw", ("POST", "application/json", _CALL)),
    ("/web/dataset/call_kw", ("POST", "application/json", _CALL.replace(b"read", b"nothing"))),
    ("/web/session/get_session_info", ("POST", "application/json", b'{"params":{}}')),
    ("/web/session/authenticate", ("POST", "application/json", b'{"params":{}}')),
    ("/web/login", ("POST", "application/x-www-form-urlencoded", b"login=demo")),
    ("/shop/cart/update", ("POST", "application/x-www-form-urlencoded", b"product_id=1")),
]


# The same in ways that Odoo understands and its client never takes.

STEALING = b'{"id":1,"params":{"model":"res.users","method":"change_password","args":["demo","mine"],"kwargs":{}}}'
WAYS: dict[str, tuple[Way, *tuple[str, ...]]] = {
    "PUT": (("PUT", "application/json", STEALING),),
    "DELETE": (("DELETE", "application/json", STEALING),),
    "PATCH": (("PATCH", "application/json", STEALING),),
    "GET": (("GET", "application/json", STEALING),),
    "OPTIONS": (("OPTIONS", "application/json", STEALING),),
    "other letters": (("POST", "APPLICATION/JSON", STEALING),),
    "a charset": (("POST", "application/json;charset=utf-8", STEALING),),
    "the old type": (("PUT", "application/json-rpc", STEALING),),
    "two types, JSON last": (("POST", "text/plain", STEALING), "Content-Type: application/json"),
    "two types, JSON first": (("POST", "application/json", STEALING), "Content-Type: text/plain"),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("path", ["/web/dataset/call_kw", "/web/dataset/call_button/x/y"])
async def test_no_way_of_asking_hides_a_credential(lasting: Visitor, path: str, way: str) -> None:
    assert await whoami(lasting) == "demo"
    lasting.odoo.forget()
    burglar = Burglar(lasting)
    asked, *fields = WAYS[way]
    answer = await burglar.ask(path, asked, *fields)
    await burglar.leave()
    assert answer.status >= 400 or b'"error"' in answer.body
    assert lasting.odoo.requests() == []
    assert await whoami(lasting) == "demo"


# A session's id in what Odoo answers, and sessions that Odoo locks.


@pytest.mark.parametrize("kind", ["text/html; charset=utf-8", "application/json", "application/octet-stream"])
async def test_a_page_that_prints_the_session_prints_nothing_of_it(guest: Visitor, kind: str) -> None:
    assert await whoami(guest) == "demo"
    [sid] = sessions_of(guest.odoo, "demo")
    guest.odoo.trouble("/contactus", status=200, body=f"<p>{'a' * 5000}{sid}</p>{sid[:42]}", content_type=kind)
    page = await guest.navigate("/contactus")
    assert page.text == f"<p>{'a' * 5000}{'x' * len(sid)}</p>{'x' * len(sid[:42])}"


async def test_a_page_comes_without_a_coding_and_goes_on_with_one(guest: Visitor) -> None:
    assert await whoami(guest) == "demo"
    guest.odoo.forget()
    guest.odoo.trouble("/contactus", status=200, body="<p>Hello</p>" * 500, content_type="text/html; charset=utf-8")
    page = await guest.web.get("/contactus", headers={"Accept-Encoding": "br"})
    assert page.headers["Content-Encoding"] == "br"
    [seen] = guest.odoo.requests("/contactus")
    assert [value for name, value in seen["fields"] if name.lower() == "accept-encoding"] == ["identity"]


async def test_a_session_that_odoo_locked_is_renewed_before_the_visitor_notices(guest: Visitor) -> None:
    assert await whoami(guest) == "demo"
    [before] = sessions_of(guest.odoo, "demo")
    name = "odoo.addons.auth_timeout.models.ir_http.CheckIdentityException"
    locked = {"jsonrpc": "2.0", "id": 3, "error": {"code": 100, "message": "", "data": {"name": name}}}
    guest.odoo.trouble(
        "/web/session/get_session_info", status=200, body=json.dumps(locked), content_type="application/json", times=1
    )
    assert await whoami(guest) == "demo"
    await until(lambda: before not in sessions_of(guest.odoo, "demo"))
