from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.odoo.blocked_paths import BLOCKED_PATHS, WHOLE_DATABASES

from guestpass.domain import blocked_paths
from guestpass.odoo.http.blocked_paths import (
    PASS,
    Ruling,
    is_json_api,
    is_path,
    jsonrpc_refusal,
    judge,
    needs_body_check,
)


def escaped(text: str, *, upper: bool = False) -> str:
    form = "%{:02X}" if upper else "%{:02x}"
    return "".join(byte if byte == "/" else form.format(ord(byte)) for byte in text)


def every_other(text: str) -> str:
    return "".join(f"%{ord(letter):02x}" if i % 2 and letter != "/" else letter for i, letter in enumerate(text))


REFUSED_SPELLINGS: dict[str, Callable[[str], str]] = {
    "plain": lambda door: door,
    "trailing slash": lambda door: door + "/",
    "something below": lambda door: door + "/x",
    "upper case": str.upper,
    "first letter escaped": lambda door: f"/%{ord(door[1]):02x}{door[2:]}",
    "last letter escaped": lambda door: f"{door[:-1]}%{ord(door[-1]):02X}",
    "all escaped": escaped,
    "all escaped, upper case": lambda door: escaped(door, upper=True),
    "every other letter escaped": every_other,
    "escaped, trailing slash": lambda door: escaped(door) + "/",
    "language": lambda door: "/en" + door,
    "language and country": lambda door: "/fr_BE" + door,
    "language and country in lower case": lambda door: "/pt_br" + door,
    "language with a dash": lambda door: "/en-us" + door,
    "language of three letters": lambda door: "/fil" + door,
    "language and region number": lambda door: "/es_419" + door,
    "language and script": lambda door: "/zh_Hant_TW" + door,
    "language with a variant": lambda door: "/sr@latin" + door,
    "language with an escaped variant": lambda door: "/sr%40latin" + door,
    "escaped language": lambda door: "/%66%72" + door,
    "language, escaped": lambda door: "/en" + escaped(door),
    "language, trailing slash": lambda door: "/en" + door + "/",
    "language that the owner gave a name": lambda door: "/deutsch" + door,
    "language in its own script": lambda door: "/%E4%B8%AD%E6%96%87" + door,
}

MALFORMED_SPELLINGS: dict[str, Callable[[str], str]] = {
    "doubled slash in front": lambda door: "/" + door,
    "doubled slash behind": lambda door: door + "//",
    "doubled slash within": lambda door: "/x/" + door,
    "doubled slash behind a language": lambda door: "/en/" + door,
    "encoded slash": lambda door: "/%2f" + door[1:],
    "encoded slash, upper case": lambda door: door + "%2Fx",
    "dot": lambda door: "/." + door,
    "dot at the end": lambda door: door + "/.",
    "encoded dot": lambda door: "/%2e" + door,
    "dots": lambda door: "/web/.." + door,
    "dots at the end": lambda door: door + "/x/..",
    "encoded dots": lambda door: "/web/%2e%2E" + door,
    "half encoded dots": lambda door: "/web/.%2e" + door,
    "backslash": lambda door: "\\" + door,
    "backslash for a slash": lambda door: "/" + door[1:].replace("/", "\\") + "\\",
    "encoded backslash": lambda door: "/x%5c.." + door,
    "encoded backslash, upper case": lambda door: door + "%5C",
    "NUL": lambda door: door + "%00",
    "NUL in front": lambda door: "/%00" + door[1:],
    "line feed": lambda door: door + "%0a",
    "carriage return": lambda door: door + "%0D",
    "tab within": lambda door: door[:3] + "%09" + door[3:],
    "raw tab within": lambda door: door[:3] + "\t" + door[3:],
    "delete": lambda door: door + "%7F",
    "escape without digits": lambda door: door + "%",
    "escape with one digit": lambda door: door + "%6",
    "escape that is none": lambda door: "/%u0077" + door[2:],
    "without a slash": lambda door: door[1:],
}

LEGAL = [
    "/",
    "/web",
    "/web/",
    "/odoo",
    "/odoo/action-123/new",
    "/odoo/contacts/12/",
    "/web/login",
    "/web/session/logout",
    "/web/session/get_session_info",
    "/web/dataset/call_kw/res.partner/web_search_read",
    "/web/dataset/call_button",
    "/web/action/run",
    "/web/webclient/version_info",
    "/web/webclient/load_menus/0123abc",
    "/web/assets/1/8f3a2b1/web.assets_web.min.js",
    "/web/assets/debug/web.assets_web.js",
    "/web/static/tests/helpers.js",
    "/web/static/lib/jquery/jquery.js",
    "/web/image/website/1/logo/My%20Company",
    "/web/image/1234-abcdef12/photo.jpg",
    "/web/content/77/100%25.pdf",
    "/web/content/77/Angebot%20f%C3%BCr%20M%C3%BCller.pdf",
    "/web/content/77/Angebot für Müller.pdf",
    "/web/content/77/a+b,c(d)[e]'f';g=h&i!.txt",
    "/web/binary/upload_attachment",
    "/websocket",
    "/websocket/health",
    "/bus/websocket_worker_bundle",
    "/longpolling/poll",
    "/mail/attachment/upload",
    "/shop/caf%C3%A9-17",
    "/shop/%E6%A4%85%E5%AD%90-3",
    "/shop/椅子-3",
    "/de/shop/caf%C3%A9-17",
    "/en",
    "/en/",
    "/fr_BE/contactus",
    "/blog/all-about-json-3",
    "/blog/xmlrpc-guide-3",
    "/blog/jsonrpc-5",
    "/blog/databases-1/web-database-9",
    "/slides/tests-2",
    "/my/become-a-partner",
    "/web-database",
    "/webx/database/manager",
    "/web/data%2562ase",
    "/web/%2564atabase/manager",
    "/jsonrpcs",
    "/jsonp",
    "/web/session/authenticated",
    "/web/becomes",
    "/base_import_module/static/src/app.js",
    "/...",
    "/.well-known/security.txt",
    "/a/..b/c..",
    "/x/%ff%fe",
    "/x/%C0%AFweb",
    "/@/shop",
    "/r/aBc",
]


@pytest.mark.parametrize("spelling", REFUSED_SPELLINGS)
@pytest.mark.parametrize("door", BLOCKED_PATHS)
def test_a_door_is_shut_in_every_spelling_that_odoo_understands(door: str, spelling: str) -> None:
    verdict = judge(REFUSED_SPELLINGS[spelling](door).encode())
    assert verdict.ruling is Ruling.REFUSED
    assert "is not shared" in verdict.detail


@pytest.mark.parametrize("spelling", MALFORMED_SPELLINGS)
@pytest.mark.parametrize("path", [*BLOCKED_PATHS, "/shop/cart", "/web/login"])
def test_a_path_that_servers_read_in_two_ways_is_malformed(path: str, spelling: str) -> None:
    verdict = judge(MALFORMED_SPELLINGS[spelling](path).encode(), ["/jsonrpc"])
    assert verdict.ruling is Ruling.MALFORMED
    assert verdict.detail.startswith("The path ")


@pytest.mark.parametrize("path", LEGAL)
def test_all_else_passes(path: str) -> None:
    assert judge(path.encode()) == PASS


@pytest.mark.parametrize(
    "path", ["/web/database_backup", "/web/databases", "/xmlrpc", "/xmlrpc3/2/object", "/web/tests2"]
)
def test_what_begins_like_a_door_is_shut_too(path: str) -> None:
    assert judge(path.encode()).ruling is Ruling.REFUSED


def test_the_refusal_names_the_door() -> None:
    assert judge(b"/en/%77eb/database/drop/").detail.startswith("/web/database is not shared")
    assert judge(b"/json/1/res.partner").detail.startswith("/json is not shared")
    assert judge(b"/doc-bearer/index.json").detail.startswith("/doc-bearer is not shared")
    assert judge(b"/xmlrpc/2/common").detail.startswith("/xmlrpc is not shared")


@pytest.mark.parametrize(
    ("exception", "opened", "shut"),
    [
        ("/jsonrpc", ["/jsonrpc", "/jsonrpc/", "/%6asonrpc", "/en/jsonrpc"], ["/json/1/x", "/xmlrpc/2/common"]),
        ("/xmlrpc", ["/xmlrpc/common", "/xmlrpc/2/object", "/fr_BE/xmlrpc/2/object"], ["/jsonrpc", "/xmlrpc/2/db"]),
        ("/xmlrpc/2", ["/xmlrpc/2/common"], ["/xmlrpc/common", "/xmlrpc/2/db", "/xmlrpc/20/x"]),
        ("/xmlrpc/2/common", ["/xmlrpc/2/common", "/xmlrpc/2/common/"], ["/xmlrpc/2/object", "/xmlrpc/2/commons"]),
        ("/json/*", ["/json/1/x", "/json/2/res.partner/read"], ["/jsonrpc"]),
        ("/json/1/", ["/json/1/x"], ["/json/2/x", "/json/10/x"]),
        ("/web/session/authenticate", ["/web/session/authenticate"], ["/web/become"]),
        ("/web/tests*", ["/web/tests", "/web/tests/mobile"], ["/web/database/manager"]),
        ("/WEB/Become", ["/web/become"], ["/web/tests"]),
        ("/api/json/2", ["/api/json/2/x"], ["/json/2/x", "/api/json/3"]),
    ],
)
def test_an_exception_opens_one_door(exception: str, opened: list[str], shut: list[str]) -> None:
    for path in opened:
        assert judge(path.encode(), [exception]) == PASS, path
    for path in shut:
        assert judge(path.encode(), [exception]).ruling is Ruling.REFUSED, path


@pytest.mark.parametrize(
    "exception", ["/", "", "*", "/*", "/web", "/web/*", "/web/session", "/en", "/base_import_module"]
)
@pytest.mark.parametrize("door", BLOCKED_PATHS)
def test_an_exception_that_names_no_door_opens_none(exception: str, door: str) -> None:
    assert judge(door.encode(), [exception]).ruling is Ruling.REFUSED


@pytest.mark.parametrize("spelling", REFUSED_SPELLINGS)
@pytest.mark.parametrize("door", WHOLE_DATABASES)
def test_no_exception_opens_the_database_manager(door: str, spelling: str) -> None:
    path = REFUSED_SPELLINGS[spelling](door)
    exceptions = [door, path, "/web/database", "/web/database/*", "/xmlrpc", "/xmlrpc/2/db", "/xmlrpc/db", "/"]
    assert judge(path.encode(), exceptions).ruling is Ruling.REFUSED


def test_an_exception_for_one_door_does_not_open_another_behind_it() -> None:
    assert judge(b"/jsonrpc/web/database/manager", ["/jsonrpc"]).ruling is Ruling.REFUSED


@pytest.mark.parametrize(
    "path", ["/jsonrpc", "/jsonrpc/", "/JSONRPC", "/%6asonrp%63", "/en/jsonrpc", "/deutsch/jsonrpc/"]
)
def test_the_body_of_jsonrpc_is_looked_at_in_every_spelling(path: str) -> None:
    assert needs_body_check(path.encode())


@pytest.mark.parametrize(
    "path", ["/", "/xmlrpc/2/common", "/json/1/x", "/jsonrpcs", "/web/dataset/call_kw", "/a/b/jsonrpc"]
)
def test_other_bodies_are_not(path: str) -> None:
    assert not needs_body_check(path.encode())


def call(service: object) -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": 1, "method": "call", "params": {"service": service, "method": "x", "args": []}}


@pytest.mark.parametrize("service", ["common", "object"])
def test_the_ordinary_services_pass(service: str) -> None:
    assert jsonrpc_refusal(json.dumps(call(service)).encode()) is None
    assert jsonrpc_refusal(json.dumps(call(service), indent=2).encode() + b"\n") is None


@pytest.mark.parametrize(
    "body",
    [
        json.dumps(call("db")).encode(),
        json.dumps(call("db")).replace('"db"', '"d\\u0062"').encode(),
        json.dumps(call("db")).replace('"service"', '"\\u0073ervice"').encode(),
        json.dumps(call("DB")).encode(),
        json.dumps(call(" db")).encode(),
        json.dumps(call("")).encode(),
        json.dumps(call(None)).encode(),
        json.dumps(call(["common"])).encode(),
        json.dumps(call({"common": 1})).encode(),
        json.dumps([call("db")]).encode(),
        json.dumps([call("common")]).encode(),
        b'{"params":{"service":"common","service":"db"}}',
        b'{"params":{"service":"db","service":"common"}}',
        b'{"params":{"service":"common"},"params":{"service":"db"}}',
        b'{"params":{"service":"common"},"par\\u0061ms":{"service":"db"}}',
        b'{"params":{"service":"common","args":[{"a":1,"a":2}]}}',
        b'{"service":"common"}',
        b'{"params":"common"}',
        b'{"params":[]}',
        b"{}",
        b"",
        b"null",
        b'"common"',
        b"params=common",
        b"\xef\xbb\xbf" + json.dumps(call("common")).encode(),
        json.dumps(call("common")).encode("utf-16"),
        json.dumps(call("common")).encode("utf-16-be"),
        json.dumps(call("common")).encode("utf-32"),
        json.dumps(call("common")).encode()[:-1] + b',"x":"\xff"}',
        json.dumps(call("common")).encode() + json.dumps(call("db")).encode(),
        json.dumps(call("common")).encode() + b"\x00",
        b'{"params":{"service":"common","args":[NaN]}}',
        b'{"params":{"service":"common","args":[-Infinity]}}',
        b"{'params':{'service':'common'}}",
        b'{"params":{"service":"common",}}',
        b'{"params":{"service":"common","args":' + b"[" * 100_000 + b"]" * 100_000 + b"}}",
        b'{"params":{"service":"common","args":' + b"9" * 10_000 + b"}}",
    ],
)
def test_a_body_that_calls_the_database_service_or_may_be_read_so_is_refused(body: bytes) -> None:
    assert jsonrpc_refusal(body)


@pytest.mark.parametrize("path", ["/robots.txt", "/robots.txt/", "/robots%2Etxt", "/ROBOTS.TXT"])
def test_a_path_is_known_in_its_spellings(path: str) -> None:
    assert is_path(path.encode(), b"/robots.txt")
    assert not is_path(b"/x" + path.encode(), b"/robots.txt")


@pytest.mark.parametrize("path", ["/json/1/res.partner", "/JSON/2/x/", "/%6ason/x", "/en/json/x"])
def test_the_json_api_is_told_from_jsonrpc(path: str) -> None:
    assert is_json_api(path.encode())
    assert not is_json_api(b"/jsonrpc")
    assert not is_json_api(b"/web/dataset/call_kw/json/x")


@given(st.binary(max_size=60), st.lists(st.text(max_size=8), max_size=3))
def test_any_bytes_get_a_verdict(path: bytes, exceptions: list[str]) -> None:
    verdict = judge(b"/" + path, exceptions)
    assert bool(verdict.detail) is (verdict.ruling is not Ruling.PASS)


@given(st.sampled_from(BLOCKED_PATHS), st.sets(st.integers(1, 40)), st.sampled_from(["", "/en", "/fr_BE", "/sr@latin"]))
def test_any_letters_may_be_escaped(door: str, places: set[int], language: str) -> None:
    spelled = "".join(
        f"%{ord(letter):02x}" if i in places and letter != "/" else letter for i, letter in enumerate(language + door)
    )
    assert judge(spelled.encode()).ruling is Ruling.REFUSED


def test_a_path_is_judged_once_and_a_long_one_is_not_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    exceptions = ["/jsonrpc"]
    paths = [b"/web/database/manager", b"/jsonrpc", b"/web/dataset/call_kw", b"/%zz"]
    before = [judge(path, exceptions) for path in paths]
    held = blocked_paths._judge_again.cache_info().currsize
    assert judge(b"/" + b"a" * 600) == PASS
    assert blocked_paths._judge_again.cache_info().currsize == held
    monkeypatch.setattr(blocked_paths, "_plain", None)
    assert [judge(path, exceptions) for path in paths] == before


@given(st.lists(st.sampled_from(["/jsonrpc", "/json/*", "/web/database", "/xmlrpc/2/common"]), max_size=3))
def test_a_path_is_judged_by_the_exceptions_that_it_is_asked_with(exceptions: list[str]) -> None:
    for path in (b"/jsonrpc", b"/json/1/x", b"/xmlrpc/2/common", b"/web/database/manager"):
        assert judge(path, exceptions) == blocked_paths._judge(path, tuple(exceptions))
