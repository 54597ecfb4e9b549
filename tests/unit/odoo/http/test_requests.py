from __future__ import annotations

from urllib.parse import parse_qsl, unquote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.hostile.fuzz.work import operations
from tests.unit.gateway.requests import request

from guestpass.gateway.credentials import without_credentials
from guestpass.gateway.head_rewriting import pass_on
from guestpass.odoo.http import requests
from guestpass.odoo.http.requests import (
    FixedName,
    asking_for_plain,
    fields_for_odoo,
    fixed_name,
    is_stripped,
    lines_for_odoo,
    location_for_visitor,
    logs_in,
    names_database_part,
    takes_database,
    translate_origin,
    translate_referer,
    without_foreign_database,
)

VISITOR = b"https://k3v9.share.example.com"
FIXED = FixedName(b"erp.example.com", b"https", b"https://erp.example.com")
UPSTREAM = b"http://127.0.0.1:8069"


@pytest.mark.parametrize(
    ("public", "canonical", "url", "host", "scheme", "origin"),
    [
        (
            "https://erp.example.com",
            "https://x.example",
            "http://10.0.0.5:8069",
            b"erp.example.com",
            b"https",
            b"https://erp.example.com",
        ),
        (None, "https://x.example", "http://10.0.0.5:8069", b"x.example", b"https", b"https://x.example"),
        (None, None, "http://10.0.0.5:8069", b"10.0.0.5:8069", b"http", b"http://10.0.0.5:8069"),
        ("http://erp.example.com:80", None, "http://y", b"erp.example.com", b"http", b"http://erp.example.com"),
        ("https://ERP.example.com:443", None, "http://y", b"erp.example.com", b"https", b"https://erp.example.com"),
        (
            "https://erp.example.com:80",
            None,
            "http://y",
            b"erp.example.com:80",
            b"https",
            b"https://erp.example.com:80",
        ),
        (
            None,
            "https://erp.example.com/shop?x=1",
            "http://y",
            b"erp.example.com",
            b"https",
            b"https://erp.example.com",
        ),
        (None, None, "http://[::1]:8069", b"[::1]:8069", b"http", b"http://[::1]:8069"),
        (None, None, "http://odoo", b"odoo", b"http", b"http://odoo"),
        (None, None, "http://my_odoo:8069", b"my_odoo:8069", b"http", b"http://my_odoo:8069"),
        # What a page calls canonical may be anything.
        (None, "/shop", "http://odoo:8069", b"odoo:8069", b"http", b"http://odoo:8069"),
        (None, "javascript:alert(1)", "http://odoo:8069", b"odoo:8069", b"http", b"http://odoo:8069"),
        (None, "ftp://erp.example.com", "http://odoo:8069", b"odoo:8069", b"http", b"http://odoo:8069"),
        (None, "https://user@erp.example.com/", "http://odoo:8069", b"odoo:8069", b"http", b"http://odoo:8069"),
        (None, "https://erp.example.com\r\nX-Evil: 1", "http://odoo:8069", b"odoo:8069", b"http", b"http://odoo:8069"),
        (None, "https://erp.example.com\n", "http://odoo:8069", b"odoo:8069", b"http", b"http://odoo:8069"),
        (None, "https://erp.example.com ", "http://odoo:8069", b"odoo:8069", b"http", b"http://odoo:8069"),
        (None, "https://müller.example", "http://odoo:8069", b"odoo:8069", b"http", b"http://odoo:8069"),
        (None, "https://:443/", "http://odoo:8069", b"odoo:8069", b"http", b"http://odoo:8069"),
    ],
)
def test_the_fixed_name(
    public: str | None, canonical: str | None, url: str, host: bytes, scheme: bytes, origin: bytes
) -> None:
    assert fixed_name(public_url=public, canonical_url=canonical, url=url) == FixedName(host, scheme, origin)


def test_an_environment_without_a_url_has_no_name() -> None:
    with pytest.raises(ValueError, match="not an http"):
        fixed_name(public_url=None, canonical_url=None, url="odoo:8069")


@pytest.mark.parametrize(
    "name",
    [
        b"x-odoo-database",
        b"x-odoo-dbfilter",
        b"x-openerp-dbfilter",
        b"x-openerp-session-id",
        b"x_odoo_database",
        b"x-odoo_dbfilter",
        b"x_openerp-dbfilter",
        b"x_openerp_session_id",
    ],
)
def test_fields_that_choose_a_database_or_session_are_stripped(name: bytes) -> None:
    assert is_stripped(name)


@pytest.mark.parametrize("name", [b"x-odoo", b"x-requested-with", b"cookie", b"x-odoo-databases", b"accept-language"])
def test_other_fields_are_not(name: bytes) -> None:
    assert not is_stripped(name)


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        (b"", b""),
        (b"?", b"?"),
        (b"?db=demo", b"?db=demo"),
        (b"db=demo", b"db=demo"),
        (b"?db=other", b""),
        (b"db=other", b""),
        (b"?db=", b""),
        (b"?db", b""),
        (b"?a=1&db=other&b=2", b"?a=1&b=2"),
        (b"?db=other&a=1", b"?a=1"),
        (b"?a=1&db=other", b"?a=1"),
        (b"?db=demo&db=other", b"?db=demo"),
        (b"?db=other&db=demo&db=third", b"?db=demo"),
        (b"?%64b=other", b""),
        (b"?d%62=other", b""),
        (b"?%64%62=other&x", b"?x"),
        (b"?%64%62=%64emo", b"?%64%62=%64emo"),
        (b"?db=%6fther", b""),
        (b"?db=Demo", b""),
        (b"?db=demo%20", b""),
        (b"?db=+demo", b""),
        (b"?db=demo%00", b""),
        (b"?db==demo", b""),
        (b"?adb=other&dbx=other&x=db&DB=other&d+b=other", b"?adb=other&dbx=other&x=db&DB=other&d+b=other"),
        (b"?x=a%26db=other", b"?x=a%26db=other"),
        (b"?&&a=%20+%zz;&", b"?&&a=%20+%zz;&"),
        (b"?redirect=/odoo%3Fdb%3Dother", b"?redirect=/odoo%3Fdb%3Dother"),
    ],
)
def test_only_the_environments_own_database_can_be_named(query: bytes, kept: bytes) -> None:
    assert without_foreign_database(query, "demo") == kept


def test_a_database_may_have_a_name_that_is_escaped() -> None:
    assert without_foreign_database(b"?db=m%C3%BCller+2", "müller 2") == b"?db=m%C3%BCller+2"
    assert without_foreign_database(b"?db=m%C3%BCller%202", "müller 2") == b"?db=m%C3%BCller%202"


@pytest.mark.parametrize("query", [b"?db=demo", b"?%64b=demo", b"?db", b"?db=demo&db=other"])
def test_no_database_can_be_named_where_the_environments_is_not_known(query: bytes) -> None:
    assert without_foreign_database(query, None) == b""
    assert without_foreign_database(query + b"&debug=1", None) == b"?debug=1"


_WORDS = st.sampled_from(
    [b"db", b"%64b", b"d%62", b"demo", b"other", b"=", b"&", b"+", b"%26", b"%3d", b"x", b";", b"?"]
)


@given(st.lists(_WORDS).map(b"".join), st.sampled_from(["demo", "other", None]))
def test_a_form_reader_finds_no_other_database(query: bytes, database: str | None) -> None:
    kept = without_foreign_database(b"?" + query, database)
    before = parse_qsl(query.decode(), keep_blank_values=True)
    after = parse_qsl(kept.removeprefix(b"?").decode(), keep_blank_values=True)
    assert after == [(name, value) for name, value in before if name != "db" or value == database]


@pytest.mark.parametrize(
    ("origin", "told"),
    [
        (VISITOR, FIXED.origin),
        (b"HTTPS://K3V9.share.example.com", FIXED.origin),
        (b"https://k3v9.share.example.com:443", FIXED.origin),
        (b"http://k3v9.share.example.com", b"http://k3v9.share.example.com"),
        (b"https://k3v9.share.example.com:8443", b"https://k3v9.share.example.com:8443"),
        (b"https://k3v9.share.example.com/", b"https://k3v9.share.example.com/"),
        (b"https://k3v9.share.example.com.evil.example", b"https://k3v9.share.example.com.evil.example"),
        (b"https://evil.example", b"https://evil.example"),
        (b"null", b"null"),
        (b"", b""),
    ],
)
def test_an_origin_is_translated_where_it_is_the_visitors_own(origin: bytes, told: bytes) -> None:
    assert translate_origin(origin, VISITOR, FIXED.origin) == told


@pytest.mark.parametrize(
    ("referer", "told"),
    [
        (VISITOR + b"/odoo/contacts?x=1", b"https://erp.example.com/odoo/contacts?x=1"),
        (VISITOR + b"/", b"https://erp.example.com/"),
        (VISITOR, b"https://erp.example.com"),
        (VISITOR + b":443/web", b"https://erp.example.com/web"),
        (VISITOR + b"?x", b"https://erp.example.com?x"),
        (b"http://k3v9.share.example.com/web", b"http://k3v9.share.example.com/web"),
        (VISITOR + b".evil.example/web", VISITOR + b".evil.example/web"),
        (VISITOR + b"@evil.example/", VISITOR + b"@evil.example/"),
        (VISITOR + b":8443/", VISITOR + b":8443/"),
        (b"https://evil.example/?" + VISITOR, b"https://evil.example/?" + VISITOR),
        (b"/web", b"/web"),
        (b"", b""),
    ],
)
def test_a_referer_is_translated_where_it_is_on_the_visitors_own_origin(referer: bytes, told: bytes) -> None:
    assert translate_referer(referer, VISITOR, FIXED.origin) == told


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        # By the fixed name, in either scheme, with the scheme's port or without.
        (b"https://erp.example.com/web/login?redirect=%2Fodoo", VISITOR + b"/web/login?redirect=%2Fodoo"),
        (b"http://erp.example.com/web", VISITOR + b"/web"),
        (b"https://erp.example.com:443/web", VISITOR + b"/web"),
        (b"http://erp.example.com:80/web", VISITOR + b"/web"),
        (b"http://erp.example.com:443/web", VISITOR + b"/web"),
        (b"HTTPS://ERP.Example.COM/web", VISITOR + b"/web"),
        (b"//erp.example.com/web", VISITOR + b"/web"),
        (b"https://erp.example.com:/web", VISITOR + b"/web"),
        (b"https://erp.example.com", VISITOR + b"/"),
        (b"https://erp.example.com?debug=1", VISITOR + b"/?debug=1"),
        (b"https://erp.example.com#top", VISITOR + b"/#top"),
        (b"https://erp.example.com/odoo#action=1", VISITOR + b"/odoo#action=1"),
        # By the address where it is reached.
        (b"http://127.0.0.1:8069/web/database/manager", VISITOR + b"/web/database/manager"),
        (b"https://127.0.0.1:8069/web", VISITOR + b"/web"),
        # A path that begins with two slashes must not become another host.
        (b"https://erp.example.com//evil.example/", VISITOR + b"//evil.example/"),
        # Relative ones and those elsewhere stay.
        (b"/web/login", b"/web/login"),
        (b"/", b"/"),
        (b"login", b"login"),
        (b"?debug=1", b"?debug=1"),
        (b"", b""),
        (b"https://pay.example/checkout", b"https://pay.example/checkout"),
        (b"https://erp.example.com:8443/web", b"https://erp.example.com:8443/web"),
        (b"https://erp.example.com.evil.example/", b"https://erp.example.com.evil.example/"),
        (b"https://user@erp.example.com/", b"https://user@erp.example.com/"),
        (b"https://erp.example.com@evil.example/", b"https://erp.example.com@evil.example/"),
        (b"https://erp.example.com\\@evil.example/", b"https://erp.example.com\\@evil.example/"),
        (b"http://127.0.0.1/web", b"http://127.0.0.1/web"),
        (b"http://127.0.0.1:80690/web", b"http://127.0.0.1:80690/web"),
        (b"mailto:x@erp.example.com", b"mailto:x@erp.example.com"),
        (b"https:/erp.example.com/web", b"https:/erp.example.com/web"),
        (b"/x?next=https://erp.example.com/", b"/x?next=https://erp.example.com/"),
    ],
)
def test_a_location_that_points_at_odoo_comes_back_on_the_visitors_origin(location: bytes, shown: bytes) -> None:
    assert location_for_visitor(location, FIXED, VISITOR, UPSTREAM) == shown


def test_a_fixed_name_with_a_port_is_only_met_with_it() -> None:
    fixed = FixedName(b"erp.example.com:8443", b"https", b"https://erp.example.com:8443")
    assert location_for_visitor(b"https://erp.example.com:8443/web", fixed, VISITOR, UPSTREAM) == VISITOR + b"/web"
    assert location_for_visitor(b"http://erp.example.com:8443/web", fixed, VISITOR, UPSTREAM) == VISITOR + b"/web"
    elsewhere = b"https://erp.example.com/web"
    assert location_for_visitor(elsewhere, fixed, VISITOR, UPSTREAM) == elsewhere


def test_an_ipv6_address_is_a_name_too() -> None:
    fixed = fixed_name(public_url=None, canonical_url=None, url="http://[fd00::5]:8069")
    location = b"http://[FD00::5]:8069/web"
    assert location_for_visitor(location, fixed, VISITOR, b"http://[fd00::5]:8069") == VISITOR + b"/web"
    assert location_for_visitor(b"http://[fd00::5]/web", fixed, VISITOR, b"http://[fd00::5]:8069") == (
        b"http://[fd00::5]/web"
    )


@given(st.binary(max_size=40))
def test_whatever_odoo_says_a_visitor_is_not_led_off_by_us(rest: bytes) -> None:
    shown = location_for_visitor(b"https://erp.example.com/" + rest, FIXED, VISITOR, UPSTREAM)
    assert shown == VISITOR + b"/" + rest


@pytest.mark.parametrize(
    "path", [b"/web", b"/web/login", b"/web/", b"/odoo", b"/odoo/crm", b"/en/web/login", b"/web/%6Cogin"]
)
def test_forms_that_may_choose_a_database_are_known(path: bytes) -> None:
    assert takes_database(path)


@pytest.mark.parametrize(
    "path",
    [
        b"/shop",
        b"/web/dataset/call_kw",
        b"/mail/attachment/upload",
        b"/website/form/x",
        b"/webx",
        b"/web/binary/upload",
    ],
)
def test_other_forms_may_name_a_field_so(path: bytes) -> None:
    assert not takes_database(path)


@pytest.mark.parametrize(
    ("body", "names"),
    [
        (b'--b\r\nContent-Disposition: form-data; name="db"\r\n\r\nother\r\n--b--', True),
        (b"--b\r\nContent-Disposition: form-data; name=db\r\n\r\nother\r\n--b--", True),
        (b"--b\r\nContent-Disposition: form-data; name*=utf-8''db\r\n\r\nother\r\n--b--", True),
        (b'--b\r\nContent-Disposition: form-data; NAME = "db"\r\n\r\nother\r\n--b--', True),
        (b'--b\r\nContent-Disposition: form-data; name="dbx"\r\n\r\nother\r\n--b--', False),
        (b'login=demo&note=name="db"', False),
    ],
)
def test_a_part_that_chooses_a_database_is_seen(body: bytes, names: bool) -> None:
    assert names_database_part(body) is names


def test_an_address_brings_no_session() -> None:
    session = b"a" * 40
    assert without_foreign_database(b"?session_id=" + session + b"&x=1", "demo") == b"?x=1"
    assert without_foreign_database(b"?%73ession_id=" + session, "demo") == b""
    assert without_foreign_database(b"?session_id=7", "demo") == b"?session_id=7"


# What a form or a query may choose, and what reading it costs

_PAIRS = st.lists(
    st.sampled_from(
        ["db=one", "db=two", "db", "db=", "%64b=two", "d%62=%74wo", "DB=two", "xdb=two", "db[]=two", "db%00=two",
         "+db=a", "db+=two", "session%5fid=" + "x" * 40, "sessio%6E_id=" + "x" * 40, "session_id=5", "a=db=two", "",
         "=", "%", "a=%26db"]
    )
)  # fmt: skip


@given(_PAIRS, st.sampled_from(["", "?"]), st.sampled_from(["one", None]))
def test_no_way_of_writing_a_choice_of_another_database_is_left(
    pairs: list[str], mark: str, database: str | None
) -> None:
    def is_left(pair: str) -> bool:
        name, _, value = pair.partition("=")
        name, value = unquote_plus(name), unquote_plus(value)
        return not (name == "session_id" and len(value) >= 40) and (name != "db" or value == database)

    choices = sum(unquote_plus(pair.partition("=")[0]) in ("db", "session_id") for pair in pairs)
    kept = [pair for pair in pairs if is_left(pair)] if choices <= 16 else None
    found = without_foreign_database((mark + "&".join(pairs)).encode(), database).decode()
    if kept is None:
        assert all(map(is_left, found.removeprefix(mark).split("&")))
    elif len(kept) == len(pairs):
        assert found == mark + "&".join(pairs)
    else:
        assert found == (mark + "&".join(kept) if "&".join(kept) else "")


@pytest.mark.parametrize("pair", [b"&", b"a&", b"a=b&", b"%64%62&", b"db=x&", b"session_id=1&"])
def test_a_form_of_many_pairs_costs_no_more_than_one_of_few(pair: bytes) -> None:
    def cost(count: int) -> int:
        return operations(lambda: without_foreign_database(pair * count, "one"))

    assert cost(10_000) < cost(100) + len(pair) * 10_000 / 4


_OTHER = FixedName(b"other.example.com", b"https", b"https://other.example.com")
_SENT = st.sampled_from(
    [
        *(
            "Accept: */*",
            "Origin: https://k3v9.share.example.com",
            "Origin: https://evil.example",
            "X-Odoo-Database: other",
        ),
        *("Referer: https://k3v9.share.example.com/web?debug=1", "Referer: https://k3v9.share.example.com/share/gp_x"),
        *('If-None-Match: W/"x--br"', "Accept-Encoding: br", "Connection: X-Named", "X-Named: 1", "Content-Length: 5"),
        *(
            "X-Forwarded-For: 1.2.3.4",
            "Cookie: a=b",
            "Expect: 100-continue",
            "X-OpenERP-Session-Id: x",
            "Range: bytes=0-",
        ),
    ]
)


@given(
    st.lists(_SENT, max_size=6, unique_by=lambda field: field.partition(":")[0]),
    st.lists(
        st.tuples(
            st.sampled_from([FIXED, _OTHER]), st.sampled_from([VISITOR, b"http://x"]), st.booleans(), st.booleans()
        ),
        min_size=2,
    ),
)
def test_the_fields_of_repeated_requests_are_those_of_the_first(
    fields: list[str], crossings: list[tuple[FixedName, bytes, bool, bool]]
) -> None:
    for fixed, origin, opens, plain in crossings:
        head = request("POST /web", *fields)
        anew = pass_on(fields_for_odoo(head, fixed, origin, opens=opens), head.connection)
        anew = asking_for_plain(anew) if plain else anew
        assert lines_for_odoo(head, fixed, origin, opens=opens, plain=plain) == anew
        changed = without_credentials(request("POST /web", *fields, "Authorization: Basic eDp5"))
        assert lines_for_odoo(changed, fixed, origin, opens=opens, plain=plain) == anew


def test_the_fields_of_a_repeated_request_are_chosen_once(monkeypatch: pytest.MonkeyPatch) -> None:
    head = request("GET /web", "Referer: https://k3v9.share.example.com/web", "Accept: */*", "X-Odoo-Database: other")
    lines = lines_for_odoo(head, FIXED, VISITOR, opens=False)
    assert lines == b"Referer: https://erp.example.com/web\r\nAccept: */*\r\n"
    with monkeypatch.context() as patch:
        patch.setattr(requests, "fields_for_odoo", None)
        assert lines_for_odoo(head, FIXED, VISITOR, opens=False) == lines
    plain = lines_for_odoo(head, FIXED, VISITOR, opens=False, plain=True)
    assert plain == lines + b"Accept-Encoding: identity\r\n"
    monkeypatch.setattr(requests, "fields_for_odoo", None)
    monkeypatch.setattr(requests, "asking_for_plain", None)
    assert lines_for_odoo(head, FIXED, VISITOR, opens=False, plain=True) == plain


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"POST /web/login", True),
        (b"POST /fr/web/login", True),
        (b"POST /web/login/", True),
        (b"POST /web/%6cogin", True),
        (b"PUT /web/login", True),
        (b"POST /web/login/totp", True),
        (b"POST /web/signup", True),
        (b"POST /web/reset_password", True),
        (b"POST /web/session/authenticate", True),
        (b"POST /base_import_module/login_upload", True),
        (b"GET /auth_oauth/signin", True),
        (b"GET /web/login", False),
        (b"POST /web/dataset/call_kw/res.users/read", False),
        (b"GET /", False),
    ],
)
def test_logins_are_recognised_by_method_and_path(line: bytes, *, expected: bool) -> None:
    method, _, path = line.partition(b" ")
    assert logs_in(method, path) is expected


@pytest.mark.parametrize(
    "lines",
    [
        b"",
        b"Accept-Encoding: gzip, br\r\n",
        b"accept-encoding: gzip\r\nACCEPT-ENCODING: br;q=1\r\nAccept_Encoding: zstd\r\n",
        b"Accept-Encoding:\r\n",
    ],
)
def test_whose_body_is_looked_through_is_asked_for_without_a_coding(lines: bytes) -> None:
    before, behind = b"X-Accept-Encoding: gzip\r\n", b"Accept: */*\r\nX: Accept-Encoding: gzip\r\n"
    assert asking_for_plain(before + lines + behind) == before + behind + b"Accept-Encoding: identity\r\n"
