"""Visitors whom a link signs in try to become somebody else, or to keep what the link gave them."""

from __future__ import annotations

import gzip
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio
from tests.doubles.odoo.handle import Odoo
from tests.installation import Installation
from tests.odoo.attacks import ATTACKS, EVIL, WORK, Attack
from tests.odoo.running import running_odoo
from tests.odoo.visitor import Visitor, opened

pytestmark = pytest.mark.asyncio(loop_scope="session")

Ids = dict[str, Any]
_WRITE = "/web/dataset/call_kw/res.partner/write"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def guest(server: Installation) -> AsyncIterator[Visitor]:
    with running_odoo() as odoo:
        async with opened(server, odoo, link_fields={"signInAs": {"login": "demo", "password": "demo"}}) as someone:
            yield someone


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def ids(guest: Visitor) -> Ids:
    """What the attacks name: who is there, and what is made through the link like other work."""
    found = _people(guest.odoo)
    made = {
        "$contact": ("res.partner", {"name": "Somebody"}),
        "$lead": ("crm.lead", {"name": "Nobody's"}),
        "$own_lead": ("crm.lead", {"name": "Own", "partner_id": found["$me"]}),
        "$evil_lead": ("crm.lead", {"name": "Evil", "email_from": EVIL}),
    }
    for name, (model, values) in made.items():
        [found[name]] = (await _send(guest, Attack(name, model, "create", [[values]]), {}))["result"]
    return found


def _people(odoo: Odoo) -> Ids:
    users = {each["login"]: each for each in odoo.records("res.users", "login", "partner_id")}
    contacts = {login: _first(each["partner_id"]) for login, each in users.items()}
    return {
        "$me": contacts["demo"],
        "$me_text": str(contacts["demo"]),
        "$me_fraction": float(contacts["demo"]),
        "$my_user": users["demo"]["id"],
        "$boss": contacts["admin"],
        "$boss_user": users["admin"]["id"],
        "$customer": contacts["portal"],
    }


def _first(value: Any) -> Any:
    """The number of a record, which may come with its name; any other value as it is."""
    return value[0] if isinstance(value, list) else value


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
        return {ids.get(name, name): _filled(each, ids) for name, each in value.items()}
    return value


def _addresses(guest: Visitor) -> dict[int, str]:
    """Of the contacts of all who sign in, by their ids."""
    contacts = {_first(each["partner_id"]) for each in guest.odoo.records("res.users", "partner_id")}
    return {each["id"]: each["email"] for each in guest.odoo.records("res.partner", "email") if each["id"] in contacts}


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
async def test_nothing_of_an_attack_reaches_odoo(guest: Visitor, ids: Ids, attack: Attack) -> None:
    before = _addresses(guest)
    guest.odoo.forget()
    answer = await _send(guest, attack, ids)
    assert "isn't shared" in answer["error"]["data"]["message"]
    assert [each for each in guest.odoo.calls() if each["method"] != "search_count"] == []
    assert guest.odoo.changes() == []
    assert _addresses(guest) == before


@pytest.mark.parametrize(
    "work", [pytest.param(each, id=each.name, marks=pytest.mark.versions(each.since)) for each in WORK]
)
async def test_work_of_the_same_kind_goes_on(guest: Visitor, ids: Ids, work: Attack) -> None:
    before = _addresses(guest)
    guest.odoo.forget()
    answer = await _send(guest, work, ids)
    assert "result" in answer, answer
    assert guest.odoo.changes() != []
    assert _addresses(guest) == before


@pytest.mark.versions(17)
async def test_nobody_sees_whence_others_come(guest: Visitor, ids: Ids) -> None:
    devices: dict[str, Any] = {"fields": {"ip_address": {}, "session_identifier": {}}}
    reading = {"specification": {"login": {}, "device_ids": devices}}
    answer = await _send(guest, Attack("devices", "res.users", "web_read", [["$my_user"]], reading), ids)
    assert answer["result"] == [{"id": ids["$my_user"], "login": "demo"}]


async def test_nobody_reads_the_link_that_sets_a_password(guest: Visitor, ids: Ids) -> None:
    wanted = ["email", "signup_token", "signup_url"]
    answer = await _send(guest, Attack("links", "res.partner", "read", [["$me", "$boss"], wanted]), ids)
    before = _addresses(guest)
    assert answer["result"] == [{"id": each, "email": before[each]} for each in (ids["$me"], ids["$boss"])]
    for args in ([["$me"]], [["$me"], []], [["$me"], ["signup_url"]]):
        answer = await _send(guest, Attack("links", "res.partner", "read", args), ids)
        assert "isn't shared" in answer["error"]["data"]["message"]


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
async def test_a_call_is_examined_however_its_type_is_spelled(guest: Visitor, ids: Ids, kind: str) -> None:
    await _refuses_write(guest, ids, [("Content-Type", kind)])


@pytest.mark.parametrize("second", ["application/json x", "application/json"])
async def test_a_call_of_two_types_is_examined(guest: Visitor, ids: Ids, second: str) -> None:
    await _refuses_write(guest, ids, [("Content-Type", "text/plain"), ("Content-Type", second)])
    await _refuses_write(guest, ids, [("Content-Type", second), ("Content-Type", "text/plain")])


async def test_a_call_that_is_compressed_is_refused(guest: Visitor, ids: Ids) -> None:
    await _refuses_write(
        guest, ids, [("Content-Type", "application/json"), ("Content-Encoding", "gzip")], compress=gzip.compress
    )


async def _refuses_write(
    guest: Visitor, ids: Ids, fields: list[tuple[str, str]], compress: Callable[[bytes], bytes] = bytes
) -> None:
    before = _addresses(guest)
    guest.odoo.forget()
    params = {"model": "res.partner", "method": "write", "args": [[ids["$me"]], {"email": EVIL}], "kwargs": {}}
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


# {customer} is the number of the customer's contact, and {digits} the same in Arabic ones.
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
        "/shop/address/submit?partner_id={customer}&email=" + EVIL,
        {"content": b"{}", "headers": {"Content-Type": "application/json"}},
    ),
    "in the query of no form": (f"/profile/user/save?email={EVIL}", {"content": b""}),
    "an address": ("/my/address/submit", {"data": {"partner_id": "{customer}", "email": EVIL}}),
    "an address of the shop": ("/shop/address/submit", {"data": {"partner_id": " {customer}", "email": EVIL}}),
    "a number in other digits": ("/shop/address/submit", {"data": {"partner_id": "{digits}", "email": EVIL}}),
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


_ARABIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")


def _with(sent: Any, names: dict[str, str]) -> Any:
    if isinstance(sent, dict):
        return {name: _with(value, names) for name, value in sent.items()}
    if isinstance(sent, str):
        for name, value in names.items():
            sent = sent.replace(name, value)
    return sent


async def _token(visitor: Visitor) -> str:
    page = await visitor.navigate("/my/account")
    token = page.text.partition('csrf_token: "')[2].partition('"')[0]
    assert token
    return token


@pytest.mark.parametrize("form", FORMS)
async def test_no_form_changes_the_address(customer: Visitor, form: str) -> None:
    assert (await customer.navigate("/my")).status_code == 200
    before = _addresses(customer)
    path, sent = FORMS[form]
    number = str(_people(customer.odoo)["$customer"])
    names = {"{customer}": number, "{digits}": number.translate(_ARABIC)}
    path, sent = path.replace("{customer}", number), _with(sent, names)
    customer.odoo.forget()
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
    login = f"colleague{path.replace('/', '.')}@example.com"
    guest.odoo.add_user(login, "x")
    before = _addresses(guest)
    assert login in before.values()
    values = {"name": "Marc Demo", "email": login, "csrf_token": await _token(guest)}
    answer = await guest.web.post(path, headers={"Origin": guest.origin}, data=values)
    assert answer.status_code == 403
    assert _addresses(guest) == before


@pytest.mark.parametrize("way", ["data", "files"])
async def test_a_customer_changes_the_rest_of_their_details(customer: Visitor, way: str) -> None:
    before = _addresses(customer)
    number = _people(customer.odoo)["$customer"]
    fields = {"street": "street", "city": "city", "zipcode": "zip", "country_id": "country_id", "state_id": "state_id"}
    [known] = [each for each in customer.odoo.records("res.partner", *fields.values()) if each["id"] == number]
    values = {name: str(_first(known[field]) or "") for name, field in fields.items()}
    values |= {"name": "Joel Willis", "email": before[number], "phone": f"by {way}"}
    values["csrf_token"] = await _token(customer)
    path = "/my/account"
    if customer.odoo.major >= 19:
        path, values["partner_id"] = "/my/address/submit", str(number)
    sent: dict[str, Any] = {way: values if way == "data" else {name: (None, each) for name, each in values.items()}}
    answer = await customer.web.post(path, headers={"Origin": customer.origin}, **sent)
    assert answer.status_code == 303 or "redirectUrl" in answer.json()
    [record] = [each for each in customer.odoo.records("res.partner", "phone") if each["id"] == number]
    assert record["phone"] == f"by {way}"
    assert _addresses(customer) == before
