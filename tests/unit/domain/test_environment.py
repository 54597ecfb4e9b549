from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestpass.domain.environment import (
    ID_PATTERN,
    EnvironmentKey,
    Kind,
    id_from_name,
    parse_allowed_paths,
    parse_public_url,
    parse_upstream_url,
)


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("http://10.0.0.5:8069", "http://10.0.0.5:8069"),
        ("http://10.0.0.5:8069/", "http://10.0.0.5:8069"),
        ("https://Odoo.Example.COM", "https://odoo.example.com"),
        ("HTTPS://odoo.example.com:443", "https://odoo.example.com:443"),
        ("http://localhost", "http://localhost"),
        ("http://" + "x" * 63 + ".local", "http://" + "x" * 63 + ".local"),
        ("http://odoo_web:8069", "http://odoo_web:8069"),
        ("http://[::1]:8069", "http://[::1]:8069"),
        ("http://[2001:DB8::1]", "http://[2001:db8::1]"),
        ("http://odoo:", "http://odoo"),
    ],
)
def test_an_address_becomes_an_origin(text: str, origin: str) -> None:
    assert parse_upstream_url(text) == origin
    assert parse_upstream_url(origin) == origin


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "http:// or https://"),
        ("odoo:8069", "http:// or https://"),
        ("ftp://odoo", "http:// or https://"),
        ("javascript://odoo", "http:// or https://"),
        ("//odoo:8069", "http:// or https://"),
        ("http://", "must name a host"),
        ("http:///web", "must name a host"),
        ("http://:8069", "must name a host"),
        ("http://od%6Fo", "must name a host"),
        ("http://a,b", "must name a host"),
        ("http://-", "must name a host"),
        ("http://odoo.", "must name a host"),
        ("http://odoo..example.com", "must name a host"),
        ("http://odoo.-x.example.com", "must name a host"),
        ("http://" + "x" * 64, "must name a host"),
        ("http://" + "x." * 127, "must name a host"),
        ("http://user@odoo", "user name or password"),
        ("http://user:secret@odoo", "user name or password"),
        ("http://@odoo", "user name or password"),
        ("http://odoo/web", "a path can't be shared"),
        ("http://odoo//", "a path can't be shared"),
        ("http://odoo?db=x", "a path can't be shared"),
        ("http://odoo/?", "a path can't be shared"),
        ("http://odoo#top", "a path can't be shared"),
        ("http://odoo:0", "port 0"),
        ("http://odoo:65536", "is not a URL"),
        ("http://odoo:http", "is not a URL"),
        ("http://[::1", "is not a URL"),
        ("http://[::g]", "is not a URL"),
        ("http://odoo[::1]", "is not a URL"),
        ("http://[::1]odoo:8069", "is not a URL"),
        ("http://[::1].", "is not a URL"),
        ("http://[odoo]:8069", "is not a URL"),
        ("http://[127.0.0.1]", "is not a URL"),
        ("http://odoo:8069 ", "without spaces"),
        ("http://od\noo", "without spaces"),
        ("http://odoo\t:8069", "without spaces"),
        ("http:\\\\odoo", "without spaces"),
        ("http://ödoo", "plain URL"),
        ("http://odoo\x00", "plain URL"),
    ],
)
def test_what_is_no_origin_is_refused_with_a_reason(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        parse_upstream_url(text)
    assert "secret" not in str(caught.value)


@given(st.text(max_size=40) | st.text(st.sampled_from("htps:/[]@#?.%0a\\ ö"), max_size=20).map("http://".__add__))
def test_any_text_is_an_origin_or_a_value_error(text: str) -> None:
    try:
        origin = parse_upstream_url(text)
    except ValueError:
        return
    assert parse_upstream_url(origin) == origin


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://odoo.example.com", "https://odoo.example.com"),
        ("HTTPS://Odoo.Example.com:443/", "https://odoo.example.com"),
        ("http://odoo.example.com:80", "http://odoo.example.com"),
        ("https://odoo.example.com:80", "https://odoo.example.com:80"),
        ("http://odoo.example.com:8069", "http://odoo.example.com:8069"),
        ("http://[2001:DB8::80]", "http://[2001:db8::80]"),
    ],
)
def test_a_public_address_is_an_origin_as_browsers_write_it(text: str, origin: str) -> None:
    assert parse_public_url(text) == origin


def test_a_public_address_with_a_path_is_refused_with_an_example_of_its_own() -> None:
    with pytest.raises(ValueError, match="known by its origin"):
        parse_public_url("https://odoo.example.com/odoo")
    with pytest.raises(ValueError, match=r"https://odoo\.example\.com, without spaces"):
        parse_public_url("https:// odoo")


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ([], ()),
        (["/jsonrpc"], ("/jsonrpc",)),
        (["/jsonrpc/", "/json/*", "/jsonrpc"], ("/jsonrpc", "/json")),
        # The service for databases below them stays shut all the same.
        (["/xmlrpc", "/xmlrpc/2", "/xmlrpc/2/common"], ("/xmlrpc", "/xmlrpc/2", "/xmlrpc/2/common")),
        (["/web/session/authenticate", "/web/tests"], ("/web/session/authenticate", "/web/tests")),
        (["/website/database"], ("/website/database",)),
    ],
)
def test_paths_to_be_opened_are_kept_in_one_form(given: list[str], kept: tuple[str, ...]) -> None:
    assert parse_allowed_paths(given) == kept
    assert parse_allowed_paths(kept) == kept


@pytest.mark.parametrize(
    "path",
    [
        "", "/", "jsonrpc", "*", "/*", "//jsonrpc", "/jsonrpc//", "/a/../b", "/.", "/%6asonrpc", "/json?x", "/json#x",
        "/json\\x", "/json x", "/json\n/x", "/jsön", "/xmlrpc*", "/a*/b", "http://odoo/jsonrpc",
    ],
)  # fmt: skip
def test_a_path_that_two_could_read_in_two_ways_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="number 2 is none"):
        parse_allowed_paths(["/jsonrpc", path])


@pytest.mark.parametrize(
    "path",
    [
        "/web/database", "/web/database/manager", "/web/databases", "/WEB/Database/", "/web/database/*",
        "/web", "/web/*",
        "/en/web/database/list", "/en_US/web", "/xmlrpc/db", "/xmlrpc/2/db", "/xmlrpc/3/db/x", "/XMLRPC/2/DB",
        "/xmlrpc2/db", "/de/xmlrpc/2/db",
    ],
)  # fmt: skip
def test_no_path_opens_the_database_manager_or_its_services(path: str) -> None:
    with pytest.raises(ValueError, match="hand out whole databases; number 1 leads there"):
        parse_allowed_paths([path])


def test_there_is_an_end_to_paths_that_can_be_opened() -> None:
    assert len(parse_allowed_paths([f"/a{number}" for number in range(50)])) == 50
    with pytest.raises(ValueError, match="at most 50 paths"):
        parse_allowed_paths([f"/a{number}" for number in range(51)])
    with pytest.raises(ValueError, match="at most 200 characters; number 1 is longer"):
        parse_allowed_paths(["/" + "x" * 200])


def test_a_body_for_odoo_is_shorter_by_default_than_one_for_the_web() -> None:
    assert Kind.ODOO.default_body_limit == 256 * 1024**2
    assert Kind.WEB.default_body_limit == 2 * 1024**3


@pytest.mark.parametrize(
    ("name", "id"),
    [
        ("Müller Staging 2", "muller-staging-2"),
        ("  --Spring/Release!!  ", "spring-release"),
        ("ÅNGSTRÖM", "angstrom"),
        ("日本", ""),
        ("x" * 80, "x" * 56),
        ("x" * 55 + " y", "x" * 55),
    ],
)
def test_an_id_resembles_the_name(name: str, id: str) -> None:
    assert id_from_name(name) == id


@given(st.text(max_size=100))
def test_an_id_from_any_name_is_empty_or_valid_with_room_for_an_ending(name: str) -> None:
    id = id_from_name(name)
    assert not id or ID_PATTERN.fullmatch(f"{id}-abcd")


def test_a_key_survives_being_written() -> None:
    key = EnvironmentKey("acme@example.com", "staging-2")
    assert str(key) == "acme@example.com/staging-2"
    assert EnvironmentKey.parse(str(key)) == key
