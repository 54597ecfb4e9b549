"""Visitors whom a link signs in try to become somebody else, or to keep what the link gave them."""

from __future__ import annotations

import gzip
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio
from tests.doubles.odoo.handle import running_odoo
from tests.installation import Installation
from tests.odoo.attacks import ATTACKS, EVIL, WORK, Attack
from tests.odoo.visitor import Visitor, opened

pytestmark = pytest.mark.asyncio(loop_scope="session")

Ids = dict[str, int]
_OWN = 7
_WRITE = "/web/dataset/call_kw/res.partner/write"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def guest(server: Installation) -> AsyncIterator[Visitor]:
    with running_odoo() as odoo:
        async with opened(server, odoo, link_fields={"signInAs": {"login": "demo", "password": "demo"}}) as someone:
            yield someone


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def ids(guest: Visitor) -> Ids:
    """What the attacks name, made through the link like other work."""
    made = {
        "$contact": ("res.partner", {"name": "Somebody"}),
        "$lead": ("crm.lead", {"name": "Nobody's"}),
        "$own_lead": ("crm.lead", {"name": "Own", "partner_id": _OWN}),
        "$evil_lead": ("crm.lead", {"name": "Evil", "email_from": EVIL}),
    }
    return {
        name: (await _send(guest, Attack(name, model, "create", [[values]]), {}))["result"][0]
        for name, (model, values) in made.items()
    }


async def _send(guest: Visitor, attack: Attack, ids: Ids) -> dict[str, Any]:
    params = {"model": attack.model, "method": attack.method}
    args, kwargs = _filled(attack.args, ids), _filled(attack.kwargs, ids)
    path = f"/web/dataset/call_kw/{attack.model}/{attack.method}"
    answer: dict[str, Any] = (await guest.call(path, **params, args=args, kwargs=kwargs)).json()
    return answer


def _filled(value: Any, ids: Ids) -> Any:
    if isinstance(value, str):
        return ids.get(value, value)
    if isinstance(value, list):
        return [_filled(each, ids) for each in value]
    if isinstance(value, dict):
        return {name: _filled(each, ids) for name, each in value.items()}
    return value


def _addresses(guest: Visitor) -> dict[int, str]:
    return {each["id"]: each["email"] for each in guest.odoo.records("res.partner") if each["id"] in (3, 7, 8)}


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
async def test_nothing_of_an_attack_reaches_odoo(guest: Visitor, ids: Ids, attack: Attack) -> None:
    before = _addresses(guest)
    guest.odoo.forget()
    answer = await _send(guest, attack, ids)
    assert "isn't shared" in answer["error"]["data"]["message"]
    assert [each for each in guest.odoo.calls() if each["method"] != "search_count"] == []
    assert guest.odoo.changes() == []
    assert _addresses(guest) == before


@pytest.mark.parametrize("work", WORK, ids=lambda work: work.name)
async def test_work_of_the_same_kind_goes_on(guest: Visitor, ids: Ids, work: Attack) -> None:
    before = _addresses(guest)
    guest.odoo.forget()
    answer = await _send(guest, work, ids)
    assert "result" in answer, answer
    assert guest.odoo.changes() != []
    assert _addresses(guest) == before


KINDS = [
    "application/json x",
    "application/json, x",
    "application/json\tx",
    "Application/JSON;charset=utf-16",
    "application/json-rpc , x",
    "text/plain, application/json",
    "application/x-json",
]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_call_is_examined_however_its_type_is_spelled(guest: Visitor, kind: str) -> None:
    await _refuses_write(guest, [("Content-Type", kind)])


@pytest.mark.parametrize("second", ["application/json x", "application/json"])
async def test_a_call_of_two_types_is_examined(guest: Visitor, second: str) -> None:
    await _refuses_write(guest, [("Content-Type", "text/plain"), ("Content-Type", second)])
    await _refuses_write(guest, [("Content-Type", second), ("Content-Type", "text/plain")])


async def test_a_call_that_is_compressed_is_refused(guest: Visitor) -> None:
    await _refuses_write(
        guest, [("Content-Type", "application/json"), ("Content-Encoding", "gzip")], compress=gzip.compress
    )


async def _refuses_write(
    guest: Visitor, fields: list[tuple[str, str]], compress: Callable[[bytes], bytes] = bytes
) -> None:
    before = _addresses(guest)
    guest.odoo.forget()
    params = {"model": "res.partner", "method": "write", "args": [[_OWN], {"email": EVIL}], "kwargs": {}}
    body = compress(json.dumps({"jsonrpc": "2.0", "params": params}).encode())
    answer = await guest.web.post(_WRITE, content=body, headers=[("Origin", guest.origin), *fields])
    assert "result" not in answer.text
    assert [each for each in guest.odoo.calls() if each["method"] != "search_count"] == []
    assert guest.odoo.requests(_WRITE) == []
    assert _addresses(guest) == before


@pytest.mark.parametrize("name", ["session_identifier", "signup_token", "signup_url"])
async def test_no_file_is_made_of_a_credential(guest: Visitor, name: str) -> None:
    data = f'{{"model":"res.partner","fields":[{{"name":"{name}"}}],"ids":[7],"domain":[]}}'
    form = {"Origin": guest.origin, "Sec-Fetch-Mode": "cors"}
    guest.odoo.forget()
    for path in ("/web/export/csv", "/web/export/xlsx", "/en/web/export/csv"):
        assert (await guest.web.post(path, data={"data": data}, headers=form)).status_code == 403
        assert (await guest.web.get(path, params={"data": data})).status_code == 403
    for path in ("/web/image/res.partner/7/avatar_128", "/web/content/res.partner/7/avatar_128"):
        assert (await guest.web.get(path, params={"filename_field": name, "download": "1"})).status_code == 403
        assert (await guest.web.post(path, data={"filename_field": name}, headers=form)).status_code == 403
    assert (await guest.web.get(f"/web/content/res.partner/7/{name}")).status_code == 403
    assert guest.odoo.requests() == []
    assert (await guest.web.get("/web/image/res.partner/7/avatar_128?filename_field=name")).status_code != 403


# Customers' own pages.


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def customer(server: Installation) -> AsyncIterator[Visitor]:
    with running_odoo() as odoo:
        async with opened(server, odoo, link_fields={"signInAs": {"login": "portal", "password": "portal"}}) as someone:
            yield someone


FORMS: dict[str, tuple[str, dict[str, Any]]] = {
    "details": ("/my/account", {"data": {"name": "J", "email": EVIL}}),
    "details in parts": ("/my/account", {"files": {"name": (None, "J"), "email": (None, EVIL)}}),
    "in a language": ("/en/my/account", {"data": {"email": EVIL}}),
    "spelled otherwise": ("/my/%61ccount/", {"data": {"email": EVIL}}),
    "in the query": (f"/my/account?email={EVIL}", {"data": {"name": "J"}}),
    "twice": ("/my/account", {"content": b"email=joel&email=evil"}),
    "an escaped name": ("/my/account", {"content": b"%65mail=evil%40example.com"}),
    "in the query of a call": (
        f"/my/account?email={EVIL}",
        {"content": b"{}", "headers": {"Content-Type": "application/json"}},
    ),
    "in the query of a call, spelled otherwise": (
        f"/my/account?email={EVIL}",
        {"content": b"{}", "headers": {"Content-Type": "application/json x"}},
    ),
    "in a call's body": (
        "/my/account",
        {"content": b'{"a&email=evil%40example.com&b":1}', "headers": {"Content-Type": "application/json"}},
    ),
    "in the query for the shop": (
        f"/shop/address/submit?partner_id=8&email={EVIL}",
        {"content": b"{}", "headers": {"Content-Type": "application/json"}},
    ),
    "in the query of no form": (f"/profile/user/save?email={EVIL}", {"content": b""}),
    "an address": ("/my/address/submit", {"data": {"partner_id": "8", "email": EVIL}}),
    "an address of the shop": ("/shop/address/submit", {"data": {"partner_id": " 8", "email": EVIL}}),
    "a number in other digits": ("/shop/address/submit", {"data": {"partner_id": "٨", "email": EVIL}}),
    "a boundary after a line feed": (
        "/my/account",
        {
            "content": b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\n--x\n'
            b'Content-Disposition: form-data; name="email"\n\nevil\r\n--x--\r\n',
            "headers": {"Content-Type": "multipart/form-data; boundary=x"},
        },
    ),
    "one's end": ("/my/deactivate_account", {"data": {"validation": "portal", "password": "portal"}}),
}


async def _token(visitor: Visitor) -> str:
    page = await visitor.navigate("/my/account")
    token = page.text.partition('csrf_token: "')[2].partition('"')[0]
    assert token
    return token


@pytest.mark.parametrize("form", FORMS)
async def test_no_form_changes_the_address(customer: Visitor, form: str) -> None:
    assert (await customer.navigate("/my")).status_code == 200
    before = _addresses(customer)
    customer.odoo.forget()
    path, sent = FORMS[form]
    fields = {"Origin": customer.origin, "Content-Type": "application/x-www-form-urlencoded"}
    if "content" not in sent:
        del fields["Content-Type"]
    answer = await customer.web.post(path, **{**sent, "headers": {**fields, **sent.get("headers", {})}})
    # What comes as a call is refused as one.
    assert answer.status_code == 403 or "error" in answer.json()
    assert customer.odoo.changes() == []
    assert [
        each for each in customer.odoo.requests() if each["method"] == "POST" and "call_kw" not in each["target"]
    ] == []
    assert [each for each in customer.odoo.calls() if each["method"] != "search_count"] == []
    assert _addresses(customer) == before


@pytest.mark.parametrize("path", ["/my/account", "/profile/user/save"])
async def test_nobody_takes_the_address_of_another_user(guest: Visitor, path: str) -> None:
    before = _addresses(guest)
    login = f"colleague{path.replace('/', '.')}@example.com"
    guest.odoo.add_user(login, "x")
    [colleague] = [each for each in guest.odoo.records("res.partner") if each["email"] == login]
    values = {"name": "Marc Demo", "email": colleague["email"], "csrf_token": await _token(guest)}
    answer = await guest.web.post(path, headers={"Origin": guest.origin}, data=values)
    assert answer.status_code == 403
    assert _addresses(guest) == before


@pytest.mark.parametrize("way", ["data", "files"])
async def test_a_customer_changes_the_rest_of_their_details(customer: Visitor, way: str) -> None:
    before = _addresses(customer)
    values = {"name": "Joel Willis", "email": before[8], "phone": f"by {way}", "csrf_token": await _token(customer)}
    sent: dict[str, Any] = {way: values if way == "data" else {name: (None, each) for name, each in values.items()}}
    answer = await customer.web.post("/my/account", headers={"Origin": customer.origin}, **sent)
    assert answer.status_code == 303
    [record] = [each for each in customer.odoo.records("res.partner") if each["id"] == 8]
    assert record["phone"] == f"by {way}"
    assert _addresses(customer) == before
