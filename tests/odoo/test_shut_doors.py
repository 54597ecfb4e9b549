"""Visitors of a link reach none of the blocked paths, in any spelling.

What counts is what Odoo has heard: no request that it would itself take to such a door.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Iterator
from urllib.parse import unquote_to_bytes

import pytest
import pytest_asyncio
from tests.doubles.odoo.handle import Odoo
from tests.gateway.raw_client import Answer
from tests.installation import Installation
from tests.odoo.blocked_paths import BLOCKED_PATHS, WHOLE_DATABASES
from tests.odoo.burglar import Burglar, Way
from tests.odoo.running import running_odoo
from tests.odoo.visitor import opened

pytestmark = pytest.mark.asyncio(loop_scope="session")

Spelling = Callable[[str], str]


def _escaped(text: str, form: str = "%{:02x}") -> str:
    return "".join(letter if letter == "/" else form.format(ord(letter)) for letter in text)


def _alternately(text: str) -> str:
    return "".join(f"%{ord(letter):02X}" if i % 2 and letter != "/" else letter for i, letter in enumerate(text))


# Odoo reads these as the door, or redirects to it, or a server in between might take them for it.
SPELLINGS: dict[str, Spelling] = {
    "as it is": lambda door: door,
    "slash at the end": lambda door: f"{door}/",
    "upper case": str.upper,
    "first letter in upper case": lambda door: f"/{door[1].upper()}{door[2:]}",
    "escaped": _escaped,
    "escaped in upper case": lambda door: _escaped(door, "%{:02X}"),
    "every other letter escaped": _alternately,
    "escaped, slash at the end": lambda door: f"{_escaped(door)}/",
    "slash doubled in front": lambda door: f"/{door}",
    "slash trebled in front": lambda door: f"//{door}",
    "slash doubled behind": lambda door: f"{door}//",
    "slashes doubled within": lambda door: "/" + door[1:].replace("/", "//") + "//x",
    "slash escaped": lambda door: f"/%2f{door[1:]}",
    "slashes escaped": lambda door: "/" + door[1:].replace("/", "%2F") + "%2F",
    "slash escaped behind": lambda door: f"{door}%2f",
    "language": lambda door: f"/en{door}",
    "language and country": lambda door: f"/en_US{door}",
    "language and script": lambda door: f"/sr@latin{door}",
    "language and escaped script": lambda door: f"/sr%40latin{door}",
    "language, escaped": lambda door: f"/%65%6e{_escaped(door)}/",
    "language, slash doubled": lambda door: f"/en/{door}",
    "language as its owner calls it": lambda door: f"/english{door}",
    "language in its own script": lambda door: f"/%E4%B8%AD%E6%96%87{door}",
    "dot": lambda door: f"/.{door}",
    "dot escaped": lambda door: f"/%2e{door}",
    "dot behind": lambda door: f"{door}/.",
    "dots": lambda door: f"/shop/..{door}",
    "dots escaped": lambda door: f"/shop/%2e%2E{door}",
    "dots half escaped": lambda door: f"/shop/.%2e{door}",
    "dots behind": lambda door: f"{door}/x/..",
    "dots with a parameter": lambda door: f"/shop/..;{door}",
    "backslash": lambda door: f"/\\{door[1:]}",
    "backslashes": lambda door: door.replace("/", "\\"),
    "backslash escaped": lambda door: f"/%5c{door[1:]}",
    "backslash escaped for dots": lambda door: f"/shop/..%5C..{door}",
    "parameter": lambda door: f"{door};x",
    "parameter with a value": lambda door: f"{door};jsessionid=1",
    "parameter in front": lambda door: f"/;x{door}",
    "parameter escaped": lambda door: f"{door}%3bx",
    "NUL": lambda door: f"{door}%00",
    "NUL within": lambda door: f"{door[:4]}%00{door[4:]}",
    "line feed": lambda door: f"{door}%0a",
    "line end": lambda door: f"{door}%0D%0A",
    "tab": lambda door: f"{door[:3]}%09{door[3:]}",
    "tab as it is": lambda door: f"{door[:3]}\t{door[3:]}",
    "space behind": lambda door: f"{door}%20",
    "space in front": lambda door: f"/%20{door[1:]}",
    "delete": lambda door: f"{door}%7f",
    "escaped twice": lambda door: _escaped(door).replace("%", "%25"),
    "letter escaped twice": lambda door: f"/%25{ord(door[1]):02x}{door[2:]}",
    "letters of full width": lambda door: "".join(
        letter
        if letter in "/._" or letter.isdigit()
        else "".join(f"%{b:02X}" for b in chr(ord(letter) + 0xFEE0).encode())
        for letter in door
    ),
    "slash of full width": lambda door: f"/%EF%BC%8F{door[1:]}",
    "slash in an overlong form": lambda door: f"/%c0%af{door[1:]}",
    "letter in an overlong form": lambda door: f"/%c1%{0x80 | (ord(door[1]) & 0x3F):02x}{door[2:]}",
    "dotless and dotted letters": lambda door: door.replace("i", "%C4%B1").replace("k", "%E2%84%AA"),
    "escape as a script writes it": lambda door: f"/%u{ord(door[1]):04x}{door[2:]}",
    "half an escape": lambda door: f"{door}%2",
    "percent sign": lambda door: f"{door}%",
    "question": lambda door: f"{door}?",
    "query": lambda door: f"{door}?debug=1&db=other",
    "query like a path": lambda door: f"{door}?/../../shop",
    "question escaped": lambda door: f"{door}%3fx",
    "fragment": lambda door: f"{door}#x",
    "fragment escaped": lambda door: f"{door}%23x",
    "whole address": lambda door: f"http://{{host}}{door}",
    "whole address in upper case": lambda door: f"HTTP://{{host}}{door}",
    "whole address, slash doubled": lambda door: f"http://{{host}}/{door}",
    "whole address, escaped": lambda door: f"http://{{host}}{_escaped(door)}",
    "whole address of Odoo": lambda door: f"http://{{odoo}}{door}",
    "whole address in the path": lambda door: f"/http://{{host}}{door}",
    "host in the path": lambda door: f"//{{odoo}}{door}",
    "without a slash": lambda door: door[1:],
    "behind our prefix": lambda door: f"/s-proxy{door}",
    "behind our prefix, escaped": lambda door: f"/s-proxy{_escaped(door)}",
    "behind our prefix, slash doubled": lambda door: f"/s-proxy/{door}",
    "behind our prefix, with a language": lambda door: f"/s-proxy/en{door}",
    "behind our prefix, with dots": lambda door: f"/s-proxy/shop/..{door}",
    "behind our prefix twice": lambda door: f"/s-proxy/s-proxy{door}",
    "behind our prefix escaped": lambda door: f"/%73-proxy{door}",
    "behind our other prefix": lambda door: f"/api/s-proxy{door}",
    "behind our other prefix, whole address": lambda door: f"http://{{host}}/api/s-proxy{door}/",
}

WAYS: list[Way] = [
    ("GET", "", b""),
    ("POST", "application/x-www-form-urlencoded", b"master_pwd=admin&name=demo18"),
    ("POST", "application/json", b'{"jsonrpc":"2.0","id":1,"params":{"service":"db","method":"list","args":[]}}'),
]
# For the door as it is written: Odoo gives HEAD what GET gets, and others it may take for either.
OTHER_WAYS: list[Way] = [
    ("HEAD", "", b""),
    ("OPTIONS", "", b""),
    ("DELETE", "", b""),
    ("PUT", "text/xml", b"<x/>"),
    ("PATCH", "application/json", b"{}"),
    ("PROPFIND", "", b""),
    ("POST", "", b""),
    ("POST", "text/xml", b"<methodCall><methodName>list</methodName><params/></methodCall>"),
    ("POST", "text/plain", b"x"),
]


@pytest.fixture(scope="module")
def odoo() -> Iterator[Odoo]:
    with running_odoo() as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def burglar(server: Installation, odoo: Odoo) -> AsyncIterator[Burglar]:
    async with opened(server, odoo, name="An Odoo with shut doors") as visitor:
        assert (await visitor.log_in("admin", "admin")).status_code == 303
        someone = Burglar(visitor)
        yield someone
        await someone.leave()


def _as_odoo_reads_it(target: str) -> list[bytes]:
    """The paths that a target may mean to Odoo: decoded once, slashes merged, and without a language."""
    target = re.sub(r"^https?://[^/]*", "", target, flags=re.IGNORECASE)
    path = unquote_to_bytes(re.split("[?#]", target)[0])
    path = re.sub(rb"/+", b"/", path).rstrip(b"/") or b"/"
    behind = re.fullmatch(rb"/[^/]+(/.*)", path, re.DOTALL)
    return [path, behind[1]] if behind else [path]


def _leads_to(target: str, door: str) -> bool:
    wanted = door.encode()
    return any(path == wanted or path.startswith(wanted + b"/") for path in _as_odoo_reads_it(target))


def _is_a_refusal(answer: Answer) -> bool:
    """Whether nobody got anything: an error by its status, or one of JSON-RPC or XML-RPC."""
    is_error = b'"error"' in answer.body and b'"result"' not in answer.body
    return answer.status >= 400 or (answer.status == 200 and (is_error or b"\n<fault>\n" in answer.body))


@pytest.mark.parametrize("door", BLOCKED_PATHS)
async def test_a_door_is_shut_in_every_spelling(burglar: Burglar, door: str) -> None:
    odoo = burglar.visitor.odoo
    odoo.forget()
    places = {"host": burglar.visitor.host, "odoo": f"127.0.0.1:{odoo.port}"}
    tries = [(name, spelling(door).format(**places), way) for name, spelling in SPELLINGS.items() for way in WAYS] + [
        ("another method", door, way) for way in OTHER_WAYS
    ]
    opened_by = [each for each in tries if not _is_a_refusal(await burglar.ask(each[1], each[2]))]
    assert opened_by == []
    heard = odoo.requests()
    assert [seen["target"] for seen in heard if _leads_to(seen["target"], door)] == []
    # Whatever passed was nothing to Odoo either.
    assert {seen["status"] for seen in heard} <= {200, 404, 405, 500}


@pytest.mark.parametrize("door", BLOCKED_PATHS)
async def test_each_letter_may_be_escaped(burglar: Burglar, door: str) -> None:
    burglar.visitor.odoo.forget()
    for i, letter in enumerate(door):
        target = f"{door[:i]}%{ord(letter):02x}{door[i + 1 :]}"
        answer = await burglar.ask(target, WAYS[0])
        assert answer.status == (400 if letter == "/" else 403), target
    assert burglar.visitor.odoo.requests() == []


@pytest.mark.parametrize("door", BLOCKED_PATHS)
async def test_no_field_and_no_old_protocol_opens_one(burglar: Burglar, door: str) -> None:
    odoo = burglar.visitor.odoo
    odoo.forget()
    upgrade = [
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ]
    assert (await burglar.ask(door, WAYS[0], *upgrade)).status == 403
    assert (await burglar.ask(door, WAYS[0], version="HTTP/1.0")).status == 403
    assert (await burglar.ask(door, WAYS[1], "X-HTTP-Method-Override: GET")).status == 403
    assert odoo.requests() == []
    # Some web servers go by these; Odoo and we by the request line.
    await burglar.ask("/contactus", WAYS[0], f"X-Original-URL: {door}", f"X-Rewrite-URL: {door}")
    assert [seen["target"] for seen in odoo.requests()] == ["/contactus"]


@pytest.mark.parametrize(
    "target",
    [
        "/webinar/database",
        "/my/xmlrpc-help",
        "/shop/caf%C3%A9-17",
        "/shop/%E6%A4%85%E5%AD%90-3",
        "/de/shop/caf%c3%a9-17",
        "/web/content/77/100%25.pdf",
        "/web/content/77/My%20offer%20(1).pdf",
        "/web/image/1234-abcdef12/a+b,c;d=e@f!g'h.jpg",
        "/web/static/tests/helpers.js?v=1",
        "/blog/all-about-json-3/",
        "/blog/jsonrpc-5",
        "/blog/web-database-9?path=/web/database/manager",
        "/en/slides/tests-2",
        "/my/become-a-partner",
        "/web/becomes",
        "/jsonrpcs",
        "/web/session/authenticated",
        "/.well-known/security.txt",
        "/odoo/action-123/m-res.partner/4",
        "/@/shop?x=%2e%2e%2f%5c%00",
    ],
)
@pytest.mark.parametrize("prefix", ["", "/s-proxy"])
async def test_what_only_looks_like_a_door_is_passed_on_as_it_was_written(
    burglar: Burglar, target: str, prefix: str
) -> None:
    odoo = burglar.visitor.odoo
    odoo.forget()
    answer = await burglar.ask(prefix + target, WAYS[0])
    assert answer.status not in (400, 403)
    assert [seen["target"] for seen in odoo.requests()] == [target]


CAN_BE_OPENED = ["/xmlrpc", "/xmlrpc/2", "/jsonrpc", "/json", "/web/session/authenticate", "/web/tests"]
LISTING = '{"jsonrpc":"2.0","id":1,"method":"call","params":{"service":"db","method":"list","args":[]}}'
COMMON = LISTING.replace('"db"', '"common"').replace('"list"', '"version"')


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def guest_of_the_careless(server: Installation, odoo: Odoo) -> AsyncIterator[Burglar]:
    """The owner of this one opened whatever can be opened."""
    async with opened(server, odoo, name="An Odoo with open doors", allowPaths=CAN_BE_OPENED) as visitor:
        someone = Burglar(visitor)
        yield someone
        await someone.leave()


@pytest.mark.parametrize("door", WHOLE_DATABASES)
async def test_no_owner_can_open_the_doors_to_whole_databases(guest_of_the_careless: Burglar, door: str) -> None:
    burglar, odoo = guest_of_the_careless, guest_of_the_careless.visitor.odoo
    odoo.forget()
    places = {"host": burglar.visitor.host, "odoo": f"127.0.0.1:{odoo.port}"}
    tries = [(spelling(door).format(**places), way) for spelling in SPELLINGS.values() for way in WAYS]
    assert [each for each in tries if not _is_a_refusal(await burglar.ask(*each))] == []
    assert [seen["target"] for seen in odoo.requests() if _leads_to(seen["target"], door)] == []
    address = f"/api/environments/{burglar.visitor.environment['id']}"
    refused = await burglar.visitor.server.client.patch(address, json={"allowPaths": [door]})
    assert refused.status_code == 422
    assert "allowPaths" in refused.text


@pytest.mark.parametrize("target", ["/jsonrpc", "/jsonrpc/", "/%6asonrpc", "/en/jsonrpc", "/s-proxy/jsonrpc"])
@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", LISTING),
        ("application/json-rpc", LISTING),
        ("application/json", LISTING.replace('"db"', '"\\u0064b"')),
        ("application/json", LISTING.replace('"service"', '"servic\\u0065"')),
        ("application/json", LISTING.replace('"service":"db"', '"service":"common","service":"db"')),
        ("application/json", LISTING.replace('"params"', '"params":{"service":"common"},"params"')),
        ("application/json", f"[{LISTING}]"),
        ("application/json", LISTING + " " * 2_000_000),
        ("application/json; charset=utf-16", LISTING),
        ("text/plain", LISTING),
        ("", LISTING),
    ],
    ids=range(11),
)
async def test_an_open_jsonrpc_is_none_to_whole_databases(
    guest_of_the_careless: Burglar, target: str, kind: str, body: str
) -> None:
    burglar, odoo = guest_of_the_careless, guest_of_the_careless.visitor.odoo
    odoo.forget()
    assert _is_a_refusal(await burglar.ask(target, ("POST", kind, body.encode())))
    assert odoo.requests() == []
    # The same in chunks, whose length nobody knows before the last of them.
    chunks = f"{len(body):x}\r\n{body}\r\n0\r\n\r\n".encode()
    assert _is_a_refusal(await burglar.ask(target, ("POST", kind, b""), "Transfer-Encoding: chunked", sent=chunks))
    assert odoo.requests() == []


async def test_what_its_owner_opened_is_open(guest_of_the_careless: Burglar) -> None:
    way = ("POST", "application/json", COMMON.encode())
    answer = await guest_of_the_careless.ask("/jsonrpc", way)
    assert b'"server_version"' in answer.body
    xml = b"<methodCall><methodName>version</methodName><params/></methodCall>"
    answer = await guest_of_the_careless.ask("/xmlrpc/2/common", ("POST", "text/xml", xml))
    assert b"server_version" in answer.body
