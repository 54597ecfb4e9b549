"""A view-only visitor reads everything and changes nothing, whatever they send: what counts is what reached Odoo.

The link signs its visitors in as an administrator, so that none of Odoo's own rights stand in for the gateway.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import html
import json
import re
import zlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio
from tests.doubles.odoo.handle import Odoo
from tests.gateway.raw_client import Answer
from tests.installation import Installation
from tests.links.waiting import until
from tests.odoo.burglar import Burglar, Way
from tests.odoo.running import running_odoo
from tests.odoo.versions import VERSIONS
from tests.odoo.visitor import NAVIGATION, Visitor, opened
from websockets.asyncio.client import ClientConnection, connect
from websockets.frames import Frame, Opcode

pytestmark = pytest.mark.asyncio(loop_scope="session")

AS_ADMIN = {"signInAs": {"login": "admin", "password": "admin", "allowAdmin": True}}
CALL_KW = "/web/dataset/call_kw"
READING = f"{CALL_KW}/res.partner/web_search_read"
JSON, FORM = "application/json", "application/x-www-form-urlencoded"


@pytest.fixture(scope="module")
def odoo() -> Iterator[Odoo]:
    """One for all that leave no trace."""
    with running_odoo() as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def looker(server: Installation, odoo: Odoo) -> AsyncIterator[Visitor]:
    """A visitor who may only look."""
    async with opened(server, odoo, link_fields={"access": "readOnly", **AS_ADMIN}) as someone:
        assert (await someone.navigate(someone.client)).status_code == 200
        yield someone


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def burglar(looker: Visitor) -> AsyncIterator[Burglar]:
    """The same, when they send what no browser would."""
    someone = Burglar(looker)
    yield someone
    await someone.leave()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def worker(server: Installation, odoo: Odoo) -> AsyncIterator[Burglar]:
    """An administrator whom no rule of ours holds, to see that the tries are worth something."""
    async with opened(server, odoo) as someone:
        assert (await someone.log_in("admin", "admin")).status_code == 303
        burglar = Burglar(someone)
        yield burglar
        await burglar.leave()


def call(model: str, method: str, *args: Any, **kwargs: Any) -> bytes:
    """The body of a call as Odoo's web client writes it."""
    params = {"model": model, "method": method, "args": args, "kwargs": kwargs}
    return json.dumps({"id": 3, "jsonrpc": "2.0", "method": "call", "params": params}).encode()


def rpc(**params: Any) -> bytes:
    """The same for a route."""
    return json.dumps({"id": 3, "jsonrpc": "2.0", "method": "call", "params": params}).encode()


def upload(*, field: str = "ufile", **values: str) -> Way:
    """A form with a file."""
    parts = [f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}' for name, value in values.items()]
    head = f'--x\r\nContent-Disposition: form-data; name="{field}"; filename="a.txt"\r\nContent-Type: text/plain'
    body = "\r\n".join([*parts, f"{head}\r\n\r\nbytes", "--x--", ""])
    return "POST", "multipart/form-data; boundary=x", body.encode()


def post(body: bytes, kind: str = JSON) -> Way:
    return "POST", kind, body


MESSAGE = 999_999_999
"""Stands for the number of a message of the administrator's own."""
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
ADDRESS = (
    b"name=Other&email=other@example.com&phone=1&street=A&city=B&zipcode=1&country_id=20&state_id=&vat=&company_name="
)
WRITE = call("crm.lead", "write", [1], {"name": "Changed"})

# Requests that write on a link with full access; {csrf} stands for the token in the visitor's own pages.
WRITES: dict[str, tuple[str, Way]] = {
    "create": (f"{CALL_KW}/crm.lead/create", post(call("crm.lead", "create", [{"name": "New"}]))),
    "web_create": (f"{CALL_KW}/crm.lead/web_create", post(call("crm.lead", "web_create", [{"name": "New"}]))),
    "write": (f"{CALL_KW}/crm.lead/write", post(WRITE)),
    "web_save": (
        f"{CALL_KW}/crm.lead/web_save",
        post(call("crm.lead", "web_save", [2], {"name": "Changed"}, specification={})),
    ),
    "web_save of a new record": (CALL_KW, post(call("crm.lead", "web_save", [], {"name": "New"}, specification={}))),
    "web_save_multi": (
        CALL_KW,
        post(call("crm.lead", "web_save_multi", [2], [{"name": "Once more"}], specification={})),
    ),
    "web_resequence": (CALL_KW, post(call("crm.stage", "web_resequence", [2, 3], specification={}))),
    "name_create": (CALL_KW, post(call("res.partner", "name_create", "New"))),
    "copy": (CALL_KW, post(call("crm.lead", "copy", [2]))),
    "unlink": (CALL_KW, post(call("crm.lead", "unlink", [12]))),
    "the importer": (CALL_KW, post(call("crm.lead", "load", ["name"], [["New"]]))),
    "archive": (CALL_KW, post(call("crm.lead", "action_archive", [3]))),
    "toggle_active": (CALL_KW, post(call("crm.lead", "toggle_active", [4]))),
    "message_post": (CALL_KW, post(call("crm.lead", "message_post", [2], body="Hello"))),
    "message_subscribe": (CALL_KW, post(call("crm.lead", "message_subscribe", [2], [12]))),
    "a server action as a method": (CALL_KW, post(call("ir.actions.server", "run", [1]))),
    "a setting": (CALL_KW, post(call("ir.config_parameter", "create", [{"key": "x.y", "value": "z"}]))),
    "a button's method": (CALL_KW, post(call("crm.lead", "action_set_won_rainbowman", [5]))),
    "a star": (CALL_KW, post(call("mail.message", "toggle_message_starred", [1]))),
    "path and body that disagree": (READING, post(WRITE)),
    "path and body that disagree about the model": (f"{CALL_KW}/res.partner/read", post(WRITE)),
    "a path of no model": (f"{CALL_KW}/foo/bar/baz", post(WRITE)),
    "a path of a reading method with a query": (f"{READING}?model=crm.lead&method=read", post(WRITE)),
    "a path with a slash at the end": (f"{CALL_KW}/", post(WRITE)),
    "a path with escapes": ("/web/dataset/call%5Fkw/crm.lead/read", post(WRITE)),
    "a method outside of the params": (
        READING,
        post(json.dumps({**json.loads(WRITE), "method": "web_search_read", "model": "res.partner"}).encode()),
    ),
    "escapes within the body": (READING, post(WRITE.replace(b'"write"', b'"wr\\u0069te"'))),
    "a name twice, reading first": (
        READING,
        post(WRITE.replace(b'"method": "write"', b'"method":"read","method":"write"')),
    ),
    "a name twice, once escaped": (
        READING,
        post(WRITE.replace(b'"method": "write"', b'"method":"read","meth\\u006fd":"write"')),
    ),
    "params twice": (READING, post(b'{"params":{"model":"res.partner","method":"read","args":[[]]},' + WRITE[1:])),
    "a content type in other letters": (READING, post(WRITE, "Application/JSON")),
    "a content type with a charset": (READING, post(WRITE, "application/json; charset=utf-16")),
    "a content type of the old client": (READING, post(WRITE, "application/json-rpc")),
    "PUT": (READING, ("PUT", JSON, WRITE)),
    "DELETE": (READING, ("DELETE", JSON, WRITE)),
    "PATCH": (READING, ("PATCH", JSON, WRITE)),
    "OPTIONS": (READING, ("OPTIONS", JSON, WRITE)),
    "GET with a body": (READING, ("GET", JSON, WRITE)),
    "a button": ("/web/dataset/call_button", post(call("sale.order", "action_confirm", [1]))),
    "a button of a reading path": (
        "/web/dataset/call_button/sale.order/read",
        post(call("sale.order", "action_cancel", [2])),
    ),
    "a button as a method": (READING, post(call("sale.order", "action_confirm", [3]))),
    "a server action with a slash": ("/web/action/run/", post(rpc(action_id=1))),
    "another order": ("/web/dataset/resequence", post(rpc(model="crm.stage", ids=[3, 1, 2]))),
    "a message": (
        "/mail/message/post",
        post(rpc(thread_model="crm.lead", thread_id=2, post_data={"body": "Hello"})),
    ),
    "another text of a message": (
        "/mail/message/update_content",
        post(rpc(message_id=MESSAGE, body="Other", attachment_ids=[])),
    ),
    "a reaction": ("/mail/message/reaction", post(rpc(message_id=MESSAGE, content="x", action="add"))),
    "an upload": (
        "/mail/attachment/upload",
        upload(csrf_token="{csrf}", thread_model="crm.lead", thread_id="2", is_pending="false"),
    ),
    "an upload of former versions": (
        "/web/binary/upload_attachment",
        upload(csrf_token="{csrf}", model="crm.lead", id="2"),
    ),
    "a picture in a text": ("/html_editor/attachment/add_data", post(rpc(name="a.png", data=PIXEL, is_image=True))),
    "a form of the website": ("/website/form/crm.lead", post(b"name=Lead&csrf_token={csrf}", FORM)),
    "a form of the website with a file": (
        "/website/form/mail.mail",
        upload(csrf_token="{csrf}", email_from="a@b.example"),
    ),
    "a form in an address": ("/website/form/crm.lead?name=x&csrf_token={csrf}", post(b"csrf_token={csrf}", FORM)),
    "the cart": ("/shop/cart/update", post(b"product_id=1&csrf_token={csrf}", FORM)),
    "my address": ("/my/account", post(ADDRESS + b"&csrf_token={csrf}", FORM)),
    "a report that keeps what it prints": ("/report/pdf/account.report_invoice/1", ("GET", "", b"")),
}


async def token_of(visitor: Visitor) -> str:
    """The token of this visitor's forms, as a script on their pages reads it."""
    page = await visitor.navigate(visitor.client)
    found = re.search(r'csrf_token: "(\w+)"', page.text)
    assert found is not None
    return found[1]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def token(looker: Visitor) -> str:
    return await token_of(looker)


def with_token(target: str, way: Way, token: str) -> tuple[str, Way]:
    method, kind, body = way
    return target.replace("{csrf}", token), (method, kind, body.replace(b"{csrf}", token.encode()))


def refuses(answer: Answer) -> bool:
    """Whether the visitor got nothing: an error by its status, or one of JSON-RPC."""
    if answer.status >= 400:
        return True
    return answer.status == 200 and set(json.loads(answer.body)) == {"jsonrpc", "id", "error"}


@pytest.mark.parametrize("name", WRITES)
async def test_what_would_write_reaches_nobody(burglar: Burglar, token: str, name: str) -> None:
    odoo = burglar.visitor.odoo
    target, way = with_token(*WRITES[name], token)
    odoo.forget()
    answer = await burglar.ask(target, way)
    assert refuses(answer), answer
    assert odoo.requests() == []
    assert odoo.changes() == []


FIRST_ACTION = pytest.mark.double_only("its server action 1 writes")
OF_VERSIONS: dict[str, pytest.MarkDecorator] = {
    "a button of a reading path": pytest.mark.double_only("cancels a quotation without asking"),
    "a form of the website with a file": pytest.mark.double_only("signs the address of no form"),
    "a picture in a text": pytest.mark.versions(18),
    "a report that keeps what it prints": pytest.mark.double_only("prints PDF without a program for it"),
    "a server action": FIRST_ACTION,
    "a server action as a method": FIRST_ACTION,
    "a server action with a slash": FIRST_ACTION,
    "another order": pytest.mark.versions(0, 18),
    "another text of a message": pytest.mark.versions(0, 18),
    "my address": pytest.mark.versions(0, 18),
    "the cart": pytest.mark.double_only("its product 1 is for sale"),
    "web_create": pytest.mark.double_only("has a method that no version had"),
    "web_resequence": pytest.mark.versions(19),
    "web_save_multi": pytest.mark.versions(19),
}


@pytest.mark.parametrize("name", [pytest.param(each, marks=OF_VERSIONS.get(each, ())) for each in WRITES])
async def test_it_writes_where_nobody_holds_it_back(worker: Burglar, name: str) -> None:
    odoo = worker.visitor.odoo
    target, (method, kind, body) = with_token(*WRITES[name], await token_of(worker.visitor))
    way = method, kind, body.replace(str(MESSAGE).encode(), str(odoo.say("My own")).encode())
    odoo.forget()
    answer = await worker.ask(target, way)
    assert odoo.changes() != [], answer


def _deep(levels: int) -> bytes:
    return WRITE.replace(b"[[1]", b"[" * levels + b"1" + b"]" * levels)


READ = call("res.partner", "read", [7], ["name"])
CODED = {
    "gzip": gzip.compress(WRITE),
    "deflate": zlib.compress(WRITE),
    "identity": WRITE,
    "base64": base64.b64encode(WRITE),
}

# What somebody might take for something else on the way; further fields come last.
TRICKS: dict[str, tuple[str, Way, *tuple[str, ...]]] = {
    **{f"a body in {coding}": (READING, post(body), f"Content-Encoding: {coding}") for coding, body in CODED.items()},
    "a body that only says gzip": (READING, post(READ), "Content-Encoding: gzip"),
    "reading under two content types, JSON first": (READING, post(READ), f"Content-Type: {FORM}"),
    "reading under two content types, JSON last": (READING, post(READ, FORM), f"Content-Type: {JSON}"),
    "two content types, JSON first": (READING, post(WRITE), f"Content-Type: {FORM}"),
    "two content types, JSON last": (READING, post(WRITE, FORM), f"Content-Type: {JSON}"),
    "two content types, both JSON": (READING, post(WRITE), f"Content-Type: {JSON}"),
    "two content types in one": (READING, post(WRITE, f"{JSON}, {FORM}")),
    "a content type with a boundary": (READING, post(WRITE, "application/json; boundary=x")),
    "no content type": (READING, post(WRITE, "")),
    "text": (READING, post(WRITE, "text/plain")),
    "a form": (READING, post(b"model=crm.lead&method=write", FORM)),
    "a form that holds a call": (READING, post(b"jsonp=x&r=" + WRITE, FORM)),
    "JSON in a form with files": (READING, upload(csrf_token="{csrf}", r=WRITE.decode())),
    "an empty body": (READING, post(b"")),
    "GET with the call in its address": (f"{READING}?model=crm.lead&method=write&args=[[1]]", ("GET", "", b"")),
    "GET of JSONP": (f"{CALL_KW}?jsonp=f&r=" + "%7B%7D", ("GET", "", b"")),
    "GET instead of POST": ("/mail/message/post?thread_model=crm.lead&thread_id=2", ("GET", "", b"")),
    "POST that says GET": (READING, post(WRITE), "X-HTTP-Method-Override: GET"),
    "POST that says GET in another field": (READING, post(WRITE), "X-Method-Override: GET", "X-HTTP-Method: GET"),
    "POST that says GET in its address": (f"{READING}?_method=GET", post(WRITE)),
    "GET that says POST": ("/website/form/crm.lead", ("GET", "", b""), "X-HTTP-Method-Override: POST"),
    "a verb of WebDAV": ("/web/content/1112", ("PROPFIND", "", b"")),
    "a verb that nobody knows": (READING, ("WRITE", JSON, WRITE)),
    "a page by POST": ("/odoo/crm", post(b"x=1", FORM)),
    "a page by PUT": ("/contactus", ("PUT", FORM, b"x=1")),
    "UTF-16": (READING, post(WRITE.decode().encode("utf-16"))),
    "UTF-32": (READING, post(WRITE.decode().encode("utf-32-le"))),
    "UTF-16 that says so": (READING, post(WRITE.decode().encode("utf-16"), "application/json; charset=utf-16")),
    "a batch": (READING, post(b"[" + WRITE + b"]")),
    "a batch of reading and writing": (
        READING,
        post(b"[" + call("crm.lead", "read", [1]) + b"," + WRITE + b"]"),
    ),
    "two calls one after the other": (READING, post(call("crm.lead", "read", [1]) + WRITE)),
    "a name twice, writing first": (
        READING,
        post(WRITE.replace(b'"method": "write"', b'"method":"write","method":"read"')),
    ),
    "a name twice deep within": (
        READING,
        post(call("crm.lead", "read", [1]).replace(b'"kwargs": {}', b'"kwargs":{"context":{"a":1,"a":2}}')),
    ),
    "a mark in front": (READING, post(b"\xef\xbb\xbf" + WRITE)),
    "bytes that are no text": (READING, post(WRITE.replace(b"Changed", b"\xff\xfe"))),
    "a comment": (READING, post(b"/* */" + WRITE)),
    "a comma too many": (READING, post(WRITE[:-1] + b",}")),
    "NaN": (READING, post(call("crm.lead", "read", [1], x=0).replace(b'"x": 0', b'"x":NaN'))),
    "a number without end": (READING, post(call("crm.lead", "read", [1], x=0).replace(b'"x": 0', b'"x":1e999'))),
    "a number of many digits": (
        READING,
        post(call("crm.lead", "read", [1], x=0).replace(b'"x": 0', b'"x":' + b"9" * 9000)),
    ),
    "half a character": (READING, post(call("crm.lead", "read", [1], x=0).replace(b'"x": 0', b'"x":"\\ud800"'))),
    "lists in lists": (READING, post(_deep(100))),
    "lists in lists without end": (READING, post(_deep(100_000))),
    "a long call": (READING, post(WRITE[:-1] + b',"pad":"' + b"x" * 1_200_000 + b'"}')),
    "a method in a list": (READING, post(rpc(model="crm.lead", method=["write"], args=[[1], {"name": "x"}]))),
    "a method in an object": (READING, post(rpc(model="crm.lead", method={"read": "write"}, args=[[1]]))),
    "a method with a space": (READING, post(call("crm.lead", "write ", [1], {"name": "x"}))),
    "a method with a line end": (READING, post(call("crm.lead", "read\n", [1]))),
    "a method with a zero": (READING, post(call("crm.lead", "read\0", [1]))),
    "a method in other letters": (READING, post(call("crm.lead", "Write", [1], {"name": "x"}))),
    "a method in letters of full width": (READING, post(call("crm.lead", "\uff57rite", [1], {"name": "x"}))),
    "a method with a model": (READING, post(call("crm.lead", "crm.lead.write", [1], {"name": "x"}))),
    "a private method": (READING, post(call("crm.lead", "_write", [1], {"name": "x"}))),
    "a method of Python": (READING, post(call("crm.lead", "__class__"))),
    "a model that is none": (READING, post(call("crm.lead/../res.users", "read", [1]))),
    "a model in a list": (READING, post(rpc(model=["crm.lead"], method="read", args=[[1]]))),
    "arguments that are no list": (READING, post(rpc(model="crm.lead", method="read", args={"0": [1]}))),
    "named arguments that are no object": (READING, post(rpc(model="crm.lead", method="read", args=[], kwargs=[]))),
    "params that are no object": (READING, post(b'{"params":["crm.lead","write",[[1]]]}')),
    "a path with a language": (f"/en{READING}", post(WRITE)),
    "a website that is chosen, with a language": ("/en/website/force/1", ("GET", "", b"")),
    "a doubled slash": (f"/{READING}", post(WRITE)),
    "a dot": ("/web/dataset/./call_kw", post(WRITE)),
    "dots": ("/web/content/../dataset/call_kw", post(WRITE)),
    "dots with escapes": ("/web/image/%2e%2e/dataset/call_kw", post(WRITE)),
    "a parameter": (f"{CALL_KW};x", post(WRITE)),
    "an escaped slash": ("/web/dataset%2fcall_kw", post(WRITE)),
    "a route in other letters": ("/Web/Dataset/Call_kw", post(WRITE)),
    "a static path": ("/web/static/../dataset/call_kw", post(WRITE)),
    "an asset by POST": ("/web/static/double/1000/a.js", post(WRITE)),
    "the bus by POST": ("/websocket", post(rpc(event_name="update_presence", data={}))),
    "the interface for programs": (
        "/jsonrpc",
        post(rpc(service="object", method="execute_kw", args=["demo18", 2, "admin", "crm.lead", "unlink", [[1]]])),
    ),
    "the interface for programs, with a language": ("/en/jsonrpc", post(rpc(service="object", method="execute"))),
    "the interface in XML": (
        "/xmlrpc/2/object",
        post(b"<methodCall><methodName>execute_kw</methodName><params/></methodCall>", "text/xml"),
    ),
    "the interface for records": ("/json/1/crm", ("GET", "", b"")),
    "the interface for records, to write": ("/json/2/crm.lead/write", post(b'{"ids":[1],"vals":{"name":"x"}}')),
    "deleting an attachment": ("/mail/attachment/delete", post(rpc(attachment_id=1112))),
    "an import": ("/base_import/set_file", upload(csrf_token="{csrf}", import_id="1", field="file")),
    "an export": ("/web/export/csv", post(b'data={"model":"crm.lead"}&csrf_token={csrf}', FORM)),
    "a report by its button": ("/report/download", post(b"data=[]&csrf_token={csrf}", FORM)),
    "a report as a page": ("/report/html/sale.report_saleorder/1", ("GET", "", b"")),
    "the cart by an address": ("/shop/cart/update?product_id=1&csrf_token={csrf}", ("GET", "", b"")),
    "an order that is signed": ("/my/orders/1/accept", post(rpc(name="x", signature="eA=="))),
    "an order that is confirmed by an address": ("/my/orders/1?confirm=1", ("GET", "", b"")),
    "a leave that is approved by an address": ("/mail/view?model=hr.leave&res_id=1&action=approve", ("GET", "", b"")),
    "an unsubscription": ("/mail/unfollow?model=crm.lead&res_id=1", ("GET", "", b"")),
    "a superuser": ("/web/become", ("GET", "", b"")),
    "another session": ("/web/session/authenticate", post(rpc(db="demo18", login="admin", password="admin"))),
}


@pytest.mark.parametrize("name", TRICKS)
async def test_no_trick_gets_through(burglar: Burglar, token: str, name: str) -> None:
    odoo = burglar.visitor.odoo
    target, way, *fields = TRICKS[name]
    target, way = with_token(target, way, token)
    odoo.forget()
    answer = await burglar.ask(target, way, *fields)
    assert refuses(answer), answer
    assert odoo.requests() == []
    assert odoo.changes() == []


# The other side of it: reading works, and what Odoo hears are our words.


async def asked(visitor: Visitor, model: str, method: str, *args: Any, **kwargs: Any) -> Any:
    """What Odoo says to a call as its client makes it."""
    answer = await visitor.call(f"{CALL_KW}/{model}/{method}", model=model, method=method, args=args, kwargs=kwargs)
    assert answer.status_code == 200
    return answer.json()


PROGRESS = {"field": "activity_state", "colors": {"planned": "success", "today": "warning", "overdue": "danger"}}
# The double has these whatever its version.
SINCE_18 = pytest.mark.versions(18)
SINCE_19 = pytest.mark.versions(19, double=True)
READS: list[Any] = [
    ("res.partner", "web_search_read", [], {"specification": {"name": {}}, "domain": [], "limit": 3}),
    ("res.partner", "web_read", [[7]], {"specification": {"name": {}}}),
    ("res.partner", "read", [[7], ["name"]], {}),
    ("res.partner", "search", [[]], {"limit": 3}),
    ("res.partner", "search_read", [[], ["name"]], {"limit": 3}),
    ("res.partner", "search_count", [[]], {}),
    ("crm.lead", "read_group", [[], ["stage_id"], ["stage_id"]], {}),
    pytest.param("crm.lead", "web_read_group", [[], ["stage_id"], ["stage_id"]], {}, marks=pytest.mark.versions(0, 18)),
    pytest.param("crm.lead", "formatted_read_group", [[], ["stage_id"]], {}, marks=pytest.mark.versions(19)),
    ("crm.lead", "read_progress_bar", [], {"domain": [], "group_by": "stage_id", "progress_bar": PROGRESS}),
    ("crm.lead", "search_panel_select_range", ["stage_id"], {}),
    ("crm.lead", "search_panel_select_multi_range", ["stage_id"], {}),
    ("res.partner", "name_search", [], {"name": "Deco", "limit": 8}),
    pytest.param("res.partner", "web_name_search", ["Deco", {"display_name": {}}], {}, marks=pytest.mark.versions(19)),
    pytest.param("res.partner", "name_get", [[7]], {}, marks=pytest.mark.versions(0, 17)),
    ("res.partner", "fields_get", [], {}),
    ("res.partner", "default_get", [["name"]], {}),
    ("res.partner", "get_views", [], {"views": [[False, "kanban"]], "options": {}}),
    ("res.partner", "get_formview_id", [[7]], {}),
    ("res.partner", "get_formview_action", [[7]], {}),
    ("res.partner", "check_access_rights", ["read"], {"raise_exception": False}),
    pytest.param("res.users", "has_group", ["base.group_user"], {}, marks=pytest.mark.versions(0, 17)),
    pytest.param("res.users", "has_group", [[2], "base.group_user"], {}, marks=pytest.mark.versions(18)),
    ("res.partner", "onchange", [[], {"name": "x"}, ["name"], {"name": {}}], {}),
    pytest.param("crm.lead", "has_access", [[], "create"], {}, marks=pytest.mark.versions(18)),
    pytest.param("crm.lead", "formatted_read_grouping_sets", [[], [["stage_id"], []]], {}, marks=SINCE_19),
    ("mail.activity", "get_activity_data", [], {"res_model": "crm.lead", "domain": []}),
    pytest.param(
        "properties.base.definition",
        "get_properties_base_definition",
        ["res.partner", "properties"],
        {},
        marks=SINCE_19,
    ),
    pytest.param("ir.http", "lazy_session_info", [], {}, marks=SINCE_19),
    ("website", "get_current_website", [], {}),
]


@pytest.mark.parametrize(("model", "method", "args", "kwargs"), READS)
async def test_reading_gives_what_odoo_gives(
    looker: Visitor, worker: Burglar, model: str, method: str, args: list[Any], kwargs: dict[str, Any]
) -> None:
    looker.odoo.forget()
    seen = await asked(looker, model, method, *args, **kwargs)
    assert "error" not in seen
    assert seen == await asked(worker.visitor, model, method, *args, **kwargs)
    assert looker.odoo.changes() == []


@pytest.mark.parametrize(
    "path",
    [
        "/web",
        "/web?debug=assets",
        *(pytest.param(path, marks=SINCE_18) for path in ("/odoo", "/odoo/contacts/7", "/odoo?debug=assets")),
        "{menus}",
        "{translations}",
        "/web/image/res.partner/7/avatar_128",
        "/web/content/{file}?download=true",
        "/web/static/lib/pdfjs/build/pdf.worker.js",
        "/bus/websocket_worker_bundle?v=1",
        "/",
        "/contactus",
        "/shop",
        "{product}",
        "/my/home",
        pytest.param("/double/page/x", marks=pytest.mark.double_only("a page that somebody made in the builder")),
    ],
)
async def test_pages_files_and_pictures_are_read(looker: Visitor, path: str) -> None:
    if path == "{product}":
        shop = await looker.navigate("/shop")
        path = re.findall(r'href="(/shop/[a-z0-9-]+-[0-9]+)', shop.text)[0]
    version = VERSIONS[looker.odoo.major]
    path = path.format(file=looker.odoo.file(), menus=version.menus, translations=version.translations)
    looker.odoo.forget()
    assert (await looker.navigate(path)).status_code == 200
    assert (await looker.web.head(path)).status_code == 200
    assert looker.odoo.changes() == []


@pytest.mark.parametrize(
    ("path", "params"),
    [
        pytest.param("/web/action/load", {"action_id": "contacts"}, marks=SINCE_18),
        ("/web/session/get_session_info", {}),
        ("/web/webclient/version_info", {}),
        pytest.param("/mail/data", {"init_messaging": {}}, marks=pytest.mark.versions(18, 18)),
        ("/mail/inbox/messages", {"limit": 30}),
        pytest.param(
            "/mail/thread/data",
            {"thread_model": "crm.lead", "thread_id": 1, "request_list": ["attachments"]},
            marks=pytest.mark.versions(0, 18),
        ),
        ("/mail/thread/messages", {"thread_model": "crm.lead", "thread_id": 1}),
        ("/discuss/channel/messages", {"channel_id": 1}),
        ("/websocket/peek_notifications", {"channels": [], "last": 0, "is_first_poll": True}),
        ("/report/check_wkhtmltopdf", {}),
        pytest.param("/discuss/search", {"term": "gen", "limit": 10}, marks=SINCE_19),
        ("/base_setup/data", {}),
        ("/calendar/check_credentials", {}),
    ],
)
async def test_what_the_client_asks_besides_is_answered_by_odoo(
    looker: Visitor, path: str, params: dict[str, Any]
) -> None:
    looker.odoo.forget()
    answer = (await looker.call(path, **params)).json()
    assert "error" not in answer
    assert [seen["target"] for seen in looker.odoo.requests()] == [path]
    assert looker.odoo.changes() == []


async def test_what_goes_up_is_written_anew(looker: Visitor) -> None:
    looker.odoo.forget()
    body = (
        b' {"id" :7,"method":"x","extra":1,"params":{ "model":"res.partner","Method":"write","method":"re\\u0061d",'
        b'"args":[[7],["name"]],"kwargs":{"context":{"lang":"en_US"}},"uid":2}}'
    )
    answer = await looker.web.post(
        CALL_KW, content=body, headers={"Content-Type": "application/json", "Origin": looker.origin}
    )
    assert answer.json()["id"] == 7
    assert answer.json()["result"][0]["id"] == 7
    [seen] = looker.odoo.requests(CALL_KW)
    assert json.loads(seen["body"]) == {
        "id": 7,
        "jsonrpc": "2.0",
        "method": "call",
        "params": {
            "model": "res.partner",
            "method": "read",
            "args": [[7], ["name"]],
            "kwargs": {"context": {"lang": "en_US"}},
        },
    }
    assert "extra" not in seen["body"]
    assert "Method" not in seen["body"]
    assert dict(seen["fields"])["Content-Length"] == str(len(seen["body"]))


async def test_data_that_would_be_made_is_not_asked_for(looker: Visitor) -> None:
    looker.odoo.forget()
    await looker.call("/mail/data", fetch_params=["res.partner", ["/discuss/create_group", {"partners_to": [3]}]])
    [seen] = looker.odoo.requests("/mail/data")
    assert json.loads(seen["body"])["params"] == {"fetch_params": ["res.partner"]}


# Server actions, which a call names by number: Odoo is asked for their external ids before.

RUN, BREADCRUMBS = "/web/action/run", "/web/action/load_breadcrumbs"
RENAMES, PIPELINE, TODO = 1, 2, 3


@pytest.mark.double_only("has server actions of known numbers")
async def test_a_server_action_that_only_opens_something_is_run(looker: Visitor, worker: Burglar) -> None:
    looker.odoo.forget()
    context = {"lang": "en_US", "active_id": 3}
    seen = (await looker.call(RUN, action_id=PIPELINE, context=context)).json()
    assert seen == (await worker.visitor.call(RUN, action_id=PIPELINE, context=context)).json()
    assert seen["result"]["res_model"] == "crm.lead"
    asked, ran, _ = looker.odoo.requests()
    assert (asked["target"], json.loads(asked["body"])["params"]) == ("/web/action/load", {"action_id": PIPELINE})
    assert (ran["target"], json.loads(ran["body"])["params"]) == (RUN, {"action_id": PIPELINE, "context": context})
    assert looker.odoo.changes() == []


@pytest.mark.parametrize("path", [RUN, "/web/action/%72un"])
@pytest.mark.double_only("has server actions of known numbers")
async def test_a_server_action_that_runs_other_code_is_not_run(looker: Visitor, worker: Burglar, path: str) -> None:
    looker.odoo.forget()
    told = (await looker.call(path, action_id=RENAMES)).json()
    message = told["error"]["data"]["message"]
    assert message.startswith("This link is view-only")
    assert f"(ir.actions.server/{RENAMES})" in message
    assert [each["target"] for each in looker.odoo.requests()] == ["/web/action/load"]
    assert looker.odoo.changes() == []
    await worker.visitor.call(path, action_id=RENAMES)
    assert looker.odoo.changes() != []


@pytest.mark.double_only("has server actions of known numbers")
async def test_what_a_server_action_opens_is_opened_without_what_it_writes_before(
    looker: Visitor, worker: Burglar
) -> None:
    looker.odoo.forget()
    seen = (await looker.call(RUN, action_id=TODO, context={"lang": "en_US"})).json()
    assert seen["result"]["path"] == "project_todo.project_task_action_todo"
    assert [each["target"] for each in looker.odoo.requests()] == ["/web/action/load", "/web/action/load"]
    assert looker.odoo.changes() == []
    await worker.visitor.call(RUN, action_id=TODO)
    assert [each["model"] for each in looker.odoo.changes()] == ["project.task"]


@pytest.mark.parametrize("action", ["crm.action_your_pipeline", "2", True, 2.0, [2], None, {"id": 2}])
async def test_a_server_action_is_named_by_its_number_alone(looker: Visitor, action: object) -> None:
    looker.odoo.forget()
    told = (await looker.call(RUN, action_id=action)).json()
    assert told["error"]["data"]["message"].startswith("This link is view-only")
    assert looker.odoo.requests() == []


async def test_an_action_that_is_none_is_not_run(looker: Visitor) -> None:
    looker.odoo.forget()
    told = (await looker.call(RUN, action_id=99)).json()
    assert told["error"]["data"]["message"].startswith("This link is view-only")
    assert [each["target"] for each in looker.odoo.requests()] == ["/web/action/load"]


@pytest.mark.double_only("has server actions of known numbers")
async def test_an_owner_allows_a_server_action_by_its_number(server: Installation, odoo: Odoo) -> None:
    allowed = {"readOnlyAllow": [f"ir.actions.server/{RENAMES}"]}
    async with opened(server, odoo, link_fields={"access": "readOnly", **AS_ADMIN}, **allowed) as visitor:
        assert "result" in (await visitor.call(RUN, action_id=RENAMES)).json()
        assert {each["model"] for each in odoo.changes()} == {"res.partner"}
        odoo.forget()
        assert "result" in (await visitor.call(RUN, action_id=PIPELINE)).json()


@pytest.mark.double_only("has server actions of known numbers")
async def test_a_session_that_ended_is_renewed_when_an_action_is_asked_for(server: Installation, odoo: Odoo) -> None:
    link = {"access": "readOnly", "signInAs": {"login": "demo", "password": "demo"}}
    async with opened(server, odoo, link_fields=link) as visitor:
        assert (await visitor.navigate(visitor.client)).status_code == 200
        assert odoo.expire_sessions("demo") >= 1
        assert (await visitor.call(RUN, action_id=PIPELINE)).json()["result"]["res_model"] == "crm.lead"
        assert "error" in (await visitor.call(RUN, action_id=RENAMES)).json()
        assert odoo.changes() == []


@pytest.mark.double_only("has server actions of known numbers")
async def test_breadcrumbs_have_their_names_and_run_nothing_that_is_not_listed(looker: Visitor) -> None:
    looker.odoo.forget()
    actions = [
        {"action": "contacts", "view_type": "list"},
        {"action": "pipeline"},
        {"action": RENAMES},
        {"action": "rename", "resId": 3},
        {"action": "to-do"},
        {"model": "res.partner", "resId": 7, "action": None},
    ]
    named = (await looker.call(BREADCRUMBS, actions=actions)).json()["result"]
    assert [next(iter(each)) for each in named] == [
        "display_name",
        "display_name",
        "error",
        "error",
        "display_name",
        "display_name",
    ]
    assert named[1]["display_name"] == "Pipeline"
    assert named[5]["display_name"] == next(
        each["name"] for each in looker.odoo.records("res.partner") if each["id"] == 7
    )
    assert looker.odoo.changes() == []


@SINCE_18
async def test_breadcrumbs_of_records_alone_are_asked_for_at_once(looker: Visitor) -> None:
    looker.odoo.forget()
    named = (await looker.call(BREADCRUMBS, actions=[{"model": "res.partner", "resId": 7}])).json()["result"]
    assert set(named[0]) == {"display_name"}
    about_actions = [each["target"] for each in looker.odoo.requests() if each["target"].startswith("/web/action/")]
    assert about_actions == [BREADCRUMBS]


# Buttons

TASKS = {"model": "project.project", "method": "action_view_tasks", "args": [[1]], "kwargs": {"context": {}}}


async def test_a_button_that_only_opens_something_is_pressed(looker: Visitor, worker: Burglar) -> None:
    looker.odoo.forget()
    seen = (await looker.call("/web/dataset/call_button", **TASKS)).json()
    assert seen == (await worker.visitor.call("/web/dataset/call_button", **TASKS)).json()
    assert seen["result"]["res_model"] == "project.task"
    assert looker.odoo.changes() == []
    for model in ("crm.lead", "res.users"):
        told = (await looker.call("/web/dataset/call_button", **TASKS | {"model": model})).json()
        assert f"({model}/action_view_tasks)" in told["error"]["data"]["message"]


async def test_a_chat_that_a_person_opens_by_a_click_is_refused_in_words(looker: Visitor) -> None:
    looker.odoo.forget()
    made = [["/discuss/get_or_create_chat", {"partners_to": [3]}, 5]]
    answer = (await looker.call("/mail/action", fetch_params=made, context={})).json()
    assert answer["error"]["data"]["message"].startswith("This link is view-only")
    assert looker.odoo.requests() == []


@pytest.mark.parametrize("path", ["/website/force/1", "/website/force/1/", "/website/%66orce/1"])
async def test_a_website_is_chosen_for_the_visitors_session_alone(looker: Visitor, path: str) -> None:
    looker.odoo.forget()
    assert (await looker.navigate(path)).status_code == 303
    assert (await looker.web.head(path)).status_code == 303
    assert looker.odoo.changes() == []


async def test_a_chunked_call_is_judged_like_any_other(burglar: Burglar) -> None:
    odoo = burglar.visitor.odoo
    odoo.forget()
    for body, is_refused in ((READ, False), (WRITE, True)):
        half = len(body) // 2
        chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:half], body[half:], b""))
        answer = await burglar.ask(READING, ("POST", JSON, b""), "Transfer-Encoding: chunked", sent=chunks)
        assert refuses(answer) is is_refused
    assert len(odoo.requests()) == 1
    assert odoo.changes() == []


# What the client writes by itself.


def of(model: str, method: str, *args: Any, **kwargs: Any) -> tuple[str, dict[str, Any]]:
    return CALL_KW, {"model": model, "method": method, "args": list(args), "kwargs": kwargs}


UNREAD = pytest.mark.double_only("writes only where a message waits for the administrator, which no demo data has")
QUIET: list[Any] = [
    pytest.param("/discuss/channel/mark_as_read", {"channel_id": 1, "last_message_id": 1}, marks=SINCE_18),
    pytest.param(
        "/discuss/channel/set_last_seen_message",
        {"channel_id": 1, "last_message_id": 1},
        marks=pytest.mark.versions(17, 17),
    ),
    ("/discuss/channel/notify_typing", {"channel_id": 1, "is_typing": True}),
    pytest.param(*of("mail.message", "mark_all_as_read"), marks=UNREAD),
    pytest.param(*of("mail.message", "set_message_done", [1]), marks=UNREAD),
    pytest.param(
        *of("ir.attachment", "register_as_main_attachment", [1112]),
        marks=pytest.mark.double_only("writes only on records of some models, of which no demo data lacks its own"),
    ),
    of(
        "res.users.settings",
        "set_res_users_settings",
        [1],
        new_settings={"is_discuss_sidebar_category_channel_open": False},
    ),
]
# Odoo's versions differ in what these give.
OF_SEVERAL_SHAPES = ("set_last_seen_message", "mark_all_as_read")


@pytest.mark.parametrize(("path", "params"), QUIET)
async def test_what_the_client_writes_by_itself_goes_nowhere_and_is_answered_as_odoo_would(
    looker: Visitor, worker: Burglar, path: str, params: dict[str, Any]
) -> None:
    if params.get("model") == "mail.message" and params["args"]:
        # A message that is there, whatever other tests have left.
        posting = {"model": "res.partner", "method": "message_post", "args": [[7]], "kwargs": {"body": "Done soon"}}
        posted = (await worker.visitor.call(CALL_KW, **posting)).json()["result"]
        params = params | {"args": [posted if isinstance(posted, list) else [posted]]}
    if "last_message_id" in params:
        params = params | {"last_message_id": looker.odoo.say("Not read yet", login="demo")}
    if params.get("model") == "res.users.settings":
        [own] = (await asked(looker, "res.users.settings", "search", [["user_id", "=", 2]]))["result"]
        params = params | {"args": [[own]]}
    looker.odoo.forget()
    told = (await looker.call(path, **params)).json()
    assert looker.odoo.requests() == []
    assert looker.odoo.changes() == []
    by_odoo = (await worker.visitor.call(path, **params)).json()
    assert looker.odoo.changes() != []
    assert "error" not in by_odoo
    assert "error" not in told
    if not (path + str(params.get("method"))).replace("None", "").endswith(OF_SEVERAL_SHAPES):
        assert told == by_odoo


def bus_of(visitor: Visitor) -> connect:
    """The bus socket as the client opens it."""
    cookie = "; ".join(f"{cookie.name}={cookie.value}" for cookie in visitor.web.cookies.jar)
    return connect(
        visitor.origin.replace("http", "ws") + f"/websocket?version={visitor.odoo.bus_version}",
        origin=visitor.origin,  # type: ignore[arg-type]
        additional_headers={"Cookie": cookie},
        compression=None,
    )


PRESENCE = json.dumps({"event_name": "update_presence", "data": {"inactivity_period": 0, "im_status_ids_by_model": {}}})


async def subscribed(socket: ClientConnection, odoo: Odoo, text: str) -> None:
    """Subscribe, and wait for the notification `text`, before which Odoo has heard everything that was sent."""
    await socket.send(json.dumps({"event_name": "subscribe", "data": {"channels": ["x"], "last": 0}}))

    async def listens() -> bool:
        return any(each["channels"] for each in odoo.sockets())

    await until(listens)
    odoo.notify("simple_notification", {"message": text})
    async with asyncio.timeout(20):
        while text not in str(await socket.recv()):
            pass


async def test_the_bus_is_heard_and_told_nothing_but_what_is_listened_to(looker: Visitor) -> None:
    odoo = looker.odoo
    odoo.forget()
    async with bus_of(looker) as socket:
        await socket.send(PRESENCE)
        await socket.send([PRESENCE[:10], PRESENCE[10:]])
        await socket.send(PRESENCE.replace("update_presence", "update_pres\\u0065nce"))
        await subscribed(socket, odoo, "hello")
        [listener] = odoo.sockets()
        assert listener["user"] == "admin"
        assert listener["received"] == 1
    assert odoo.changes() == []


SIGN_OF_LIFE = b"\0"


async def test_the_sign_of_life_of_19s_client_keeps_the_socket_open(looker: Visitor, worker: Burglar) -> None:
    odoo = looker.odoo
    odoo.forget()
    for someone in (looker, worker.visitor):
        async with bus_of(someone) as socket:
            await socket.send(SIGN_OF_LIFE)
            await subscribed(socket, odoo, "still here")
            await socket.send(SIGN_OF_LIFE)
            await subscribed(socket, odoo, "and here")

            async def all_were_heard(wanted: int = 2 if someone is looker else 4) -> bool:
                return [each["received"] for each in odoo.sockets()] == [wanted]

            # What was sent last, and the end of the socket before, are noticed at some moment.
            await until(all_were_heard)


@pytest.mark.versions(0, 18)
async def test_presence_is_a_write_where_nobody_holds_it_back(worker: Burglar) -> None:
    odoo = worker.visitor.odoo
    odoo.forget()
    async with bus_of(worker.visitor) as socket:
        await socket.send(PRESENCE)
        await subscribed(socket, odoo, "hello")
    # Who listens hears of it, which some versions keep for a while.
    assert {change["model"] for change in odoo.changes()} - {"bus.bus"} == {VERSIONS[odoo.major].presence}


@pytest.mark.parametrize(
    ("text", "opcode"),
    [
        (PRESENCE.encode(), Opcode.BINARY),
        (PRESENCE.replace("{", '{"event_name":"subscribe",', 1).encode(), Opcode.TEXT),
        (f"[{PRESENCE}]".encode(), Opcode.TEXT),
        (PRESENCE.encode("utf-16"), Opcode.TEXT),
        (b"[" * 10_000, Opcode.TEXT),
        (PRESENCE.encode() + b" " * 100_000, Opcode.TEXT),
    ],
    ids=["binary", "a name twice", "several at once", "UTF-16", "lists in lists", "long"],
)
async def test_a_frame_that_the_client_never_sends_ends_the_socket(
    looker: Visitor, text: bytes, opcode: Opcode
) -> None:
    odoo = looker.odoo
    odoo.forget()
    async with bus_of(looker) as socket:
        socket.protocol.writes.append(Frame(opcode, text).serialize(mask=True))
        await socket.send(PRESENCE)
        async with asyncio.timeout(20):
            await socket.wait_closed()
        assert socket.close_code == 1008
    assert odoo.changes() == []


# What a person is told.


async def test_what_a_person_does_is_refused_in_odoos_own_dialog(looker: Visitor) -> None:
    for answer in (
        await asked(looker, "crm.lead", "web_save", [1], {"name": "x"}, specification={}),
        (await looker.call("/web/action/run", action_id=1)).json(),
        (await looker.call("/web/dataset/call_button", model="sale.order", method="action_confirm", args=[[1]])).json(),
        (await looker.call("/mail/message/post", thread_model="crm.lead", thread_id=1, post_data={})).json(),
        (await looker.call("/my/module", x=1)).json(),
    ):
        error = answer["error"]
        assert (error["code"], error["data"]["name"]) == (200, "odoo.exceptions.UserError")
        assert error["data"]["message"].startswith("This link is view-only")
    page = await looker.web.post("/my/account", data={"name": "x"}, headers={**NAVIGATION, "Origin": looker.origin})
    assert page.status_code == 403
    assert "view-only" in page.text


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("/report/download", b'data=["/report/pdf/sale.report_saleorder/1","qweb-pdf"]'),
        ("/web/export/xlsx", b'data={"model":"crm.lead"}'),
    ],
)
async def test_a_download_is_refused_so_that_the_client_shows_why(looker: Visitor, path: str, sent: bytes) -> None:
    looker.odoo.forget()
    fields = {"Content-Type": FORM, "Origin": looker.origin, "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}
    answer = await looker.web.post(path, content=sent, headers=fields)
    assert answer.headers["Content-Type"].startswith("text/html")
    told = json.loads(html.unescape(answer.text))
    assert told["data"]["name"] == "odoo.exceptions.UserError"
    assert told["data"]["message"].startswith("This link is view-only")
    page = await looker.web.post(path, content=sent, headers=fields | NAVIGATION)
    assert (page.status_code, "<html" in page.text) == (403, True)
    assert looker.odoo.requests() == []


PRINT = ("/report/download", b'data=["/report/pdf/sale.report_saleorder/1","qweb-pdf"]')
EXPORT = (
    "/web/export/xlsx",
    (
        b'data={"model":"crm.lead","fields":[{"name":"name","label":"Name","type":"char"}],"ids":[1],"domain":[],'
        b'"import_compat":false,"context":{}}'
    ),
)


@pytest.mark.parametrize(
    ("fields", "allowed", "refused"),
    [
        pytest.param(
            {"allowReports": True},
            PRINT,
            EXPORT,
            marks=pytest.mark.double_only("prints PDF without a program for it"),
            id="reports",
        ),
        pytest.param({"allowExports": True}, EXPORT, PRINT, id="exports"),
    ],
)
async def test_an_owner_allows_reports_or_exports(
    server: Installation, odoo: Odoo, fields: dict[str, Any], allowed: tuple[str, bytes], refused: tuple[str, bytes]
) -> None:
    odoo.set_parameter("web.base.url", odoo.url)
    async with opened(server, odoo, link_fields={"access": "readOnly", **AS_ADMIN, **fields}) as visitor:
        form = {"Content-Type": FORM, "Origin": visitor.origin, "Sec-Fetch-Mode": "cors"}
        path, sent = allowed
        sent += f"&csrf_token={await token_of(visitor)}".encode()
        answer = await visitor.web.post(path, content=sent, headers=form)
        assert answer.status_code == 200
        assert answer.headers["Content-Type"].startswith("application/")
        assert [each["target"] for each in odoo.requests(path)] == [path]
        encoded = await visitor.web.post(path, content=sent, headers=form | {"Content-Encoding": "gzip"})
        for secret in (b"access_token", b"signup_url", b"order_id/access_token") if path == EXPORT[0] else ():
            tells = sent.replace(b'"name":"name"', b'"name":"%b"' % secret)
            assert (await visitor.web.post(path, content=tells, headers=form)).status_code == 403
        assert len(odoo.requests(path)) == 1
        path, sent = refused
        assert (await visitor.web.post(path, content=sent, headers=form)).status_code == encoded.status_code == 403
        report = await visitor.navigate("/report/pdf/sale.report_saleorder/1")
        assert report.status_code == (200 if "allowReports" in fields else 403)
        assert "error" in await asked(visitor, "crm.lead", "write", [1], {"name": "x"})
        # It ends with the permission, and not with the link.
        await server.client.patch(
            f"/api/environments/{visitor.environment['id']}/share/{visitor.link['id']}",
            json=dict.fromkeys(fields, False),
        )
        path, sent = allowed
        assert (await visitor.web.post(path, content=sent, headers=form)).status_code == 403


async def refused_calls(visitor: Visitor) -> dict[str, int]:
    answer = await visitor.server.client.get(f"/api/environments/{visitor.environment['id']}/refused-calls")
    assert answer.status_code == 200, answer.text
    return {f"{each['model']}/{each['method']}": each["count"] for each in answer.json()["refusedCalls"]}


@pytest.mark.double_only("has addresses of the kind that agencies write")
async def test_a_refused_address_is_counted_and_can_be_allowed_with_those_like_it(
    server: Installation, odoo: Odoo
) -> None:
    async with opened(server, odoo, link_fields={"access": "readOnly", **AS_ADMIN}) as visitor:
        for id in (17, 18):
            assert (await visitor.get(f"/agency/figures/{id}?year=2026")).status_code == 403
        assert "error" in (await visitor.call("/agency/totals")).json()
        # What nobody can allow isn't offered.
        assert (await visitor.get("/web/session/logout_all")).status_code == 403
        assert "error" in (await visitor.call("/mail/message/post")).json()
        assert odoo.requests("/agency/figures/17") == odoo.requests("/agency/totals") == []

        async def counted() -> bool:
            return await refused_calls(visitor) == {"/agency/figures/*": 2, "/agency/totals": 1}

        await until(counted)
        path = f"/api/environments/{visitor.environment['id']}"
        changed = await server.client.patch(path, json={"readOnlyAllow": sorted(await refused_calls(visitor))})
        assert changed.status_code == 200, changed.text
        assert (await visitor.get("/agency/figures/19?year=2026")).text == "Figures of 19 for admin"
        assert (await visitor.call("/agency/totals")).json()["result"] == {"total": 12, "year": 2026}
        for refused in ("/agency/figures/19/more", "/agency/figures/19?field=access_token"):
            assert (await visitor.get(refused)).status_code == 403
        assert (await visitor.web.post("/agency/figures/19", data={"a": "b"})).status_code == 403
        assert "error" in (await visitor.call("/agency/totals?year=2026")).json()
        assert "error" in (await visitor.call("/agency/totals", domain=[["access_token", "like", "a%"]])).json()
        assert "error" in (await visitor.call("/agency/totals", new_password="x")).json()


@pytest.mark.double_only("has a method of the kind that agencies write")
async def test_a_refused_method_is_counted_and_can_be_opened_for_its_model(server: Installation, odoo: Odoo) -> None:
    async with opened(server, odoo, link_fields={"access": "readOnly", **AS_ADMIN}) as visitor:
        for _ in range(3):
            assert "error" in await asked(visitor, "crm.lead", "get_team_overview", [])
        assert "error" in await asked(visitor, "crm.lead", "unlink", [1])

        async def counted() -> bool:
            return await refused_calls(visitor) == {"crm.lead/get_team_overview": 3, "crm.lead/unlink": 1}

        await until(counted)
        path = f"/api/environments/{visitor.environment['id']}"
        changed = await server.client.patch(path, json={"readOnlyAllow": ["crm.lead/get_team_overview"]})
        assert changed.status_code == 200, changed.text
        odoo.forget()
        assert (await asked(visitor, "crm.lead", "get_team_overview", []))["result"]["leads"] == len(
            odoo.records("crm.lead")
        )
        assert "error" in await asked(visitor, "res.partner", "get_team_overview", [])
        button = await visitor.call("/web/dataset/call_button", model="crm.lead", method="get_team_overview", args=[[]])
        assert "error" not in button.json()
        assert [each["model"] for each in odoo.calls("get_team_overview")] == ["crm.lead", "crm.lead"]
        button = await visitor.call("/web/dataset/call_button", model="crm.lead", method="unlink", args=[[1]])
        assert "error" in button.json()
        refused = await server.client.patch(path, json={"readOnlyAllow": ["crm.lead/write"]})
        assert refused.status_code == 422


async def test_a_session_that_odoo_ended_is_renewed_in_the_midst_of_looking(server: Installation, odoo: Odoo) -> None:
    link = {"access": "readOnly", "signInAs": {"login": "demo", "password": "demo"}}
    async with opened(server, odoo, link_fields=link) as visitor:
        assert (await visitor.navigate(visitor.client)).status_code == 200
        assert odoo.expire_sessions("demo") >= 1
        assert (await asked(visitor, "crm.lead", "search_count", []))["result"] == odoo.count("crm.lead")
        assert odoo.expire_sessions("demo") == 1
        assert (await visitor.navigate(visitor.client)).status_code == 200


async def test_who_leaves_a_view_only_link_is_signed_out(server: Installation, odoo: Odoo) -> None:
    link = {"access": "readOnly", "signInAs": {"login": "demo", "password": "demo"}}
    async with opened(server, odoo, link_fields=link) as visitor:
        before = {each["sid"] for each in odoo.sessions("demo")}
        await visitor.navigate(visitor.client)
        [sid] = {each["sid"] for each in odoo.sessions("demo")} - before
        assert "You have left" in (await visitor.navigate("/web/session/logout")).text

        async def is_told() -> bool:
            return sid in {each["sid"] for each in odoo.ended_sessions("demo") if each["how"] == "logout"}

        # The answer waits for no Odoo.
        await until(is_told)


async def test_the_dialog_speaks_the_visitors_language(looker: Visitor) -> None:
    call = {
        "id": 3,
        "jsonrpc": "2.0",
        "method": "call",
        "params": {"model": "crm.lead", "method": "write", "args": [[1], {"name": "x"}], "kwargs": {}},
    }
    for language, said in (
        ("de-AT,de;q=0.9,en;q=0.8", "Mit diesem Link können Sie nur lesen"),
        ("pt-BR", "Este link é somente para leitura"),
        ("nl", "This link is view-only"),
    ):
        fields = {"Origin": looker.origin, "Accept-Language": language}
        answer = await looker.web.post(f"{CALL_KW}/crm.lead/write", json=call, headers=fields)
        message = answer.json()["error"]["data"]["message"]
        assert message.startswith(said)
        assert "(crm.lead/write)" in message


async def test_without_an_account_a_visitor_signs_in_himself_and_only_looks(server: Installation, odoo: Odoo) -> None:
    async with opened(server, odoo, link_fields={"access": "readOnly"}) as visitor:
        assert {each["code"] for each in visitor.link["warnings"]} == {"view_only_unsigned"}
        assert (await visitor.navigate(visitor.client)).status_code == 303
        odoo.forget()
        assert (await visitor.log_in()).status_code == 303
        assert [each["outcome"] for each in odoo.attempts("demo")] == ["ok"]
        assert (await asked(visitor, "crm.lead", "search_count", []))["result"] == odoo.count("crm.lead")
        for path in (READING, f"{CALL_KW}/crm.lead/write"):
            answer = await visitor.web.post(
                path, content=WRITE, headers={"Content-Type": JSON, "Origin": visitor.origin}
            )
            assert answer.json()["error"]["data"]["message"].startswith("This link is view-only")
        assert odoo.changes() == []
        assert (await visitor.navigate("/web/session/logout")).status_code == 303
        assert odoo.ended_sessions("demo")[-1]["how"] == "logout"
        assert (await visitor.navigate(visitor.client)).status_code == 303


@pytest.mark.double_only("has a user with a second factor, whose code stays the same")
async def test_a_second_factor_is_given_by_the_visitor_himself(server: Installation, odoo: Odoo) -> None:
    async with opened(server, odoo, link_fields={"access": "readOnly"}) as visitor:
        half = await visitor.log_in("second", "second")
        assert half.headers["Location"].endswith("/web/login/totp")
        form = await visitor.navigate("/web/login/totp")
        token = form.text.partition('name="csrf_token" value="')[2].partition('"')[0]
        fields = {**NAVIGATION, "Origin": visitor.origin}
        data = {"csrf_token": token, "totp_token": "123456"}
        assert (await visitor.web.post("/web/login/totp", data=data, headers=fields)).status_code == 303
        assert (await asked(visitor, "crm.lead", "search_count", []))["result"] == odoo.count("crm.lead")
