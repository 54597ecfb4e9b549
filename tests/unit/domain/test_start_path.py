from __future__ import annotations

import pytest

from guestpass.domain.environment import Kind
from guestpass.domain.start_path import parse_start_path, refusal_of_start_path


@pytest.mark.parametrize(
    "path",
    [
        "/", "/odoo", "/odoo/crm", "/odoo/crm/", "/web#action=123&model=res.partner", "/shop?search=%C3%A9clair&page=2",
        "/a?next=https://example.com//x/../y", "/a#//b/../c", "/%E2%82%AC", "/~user/!$&'()*+,;=:@-._", "/...",
        "/a.b/.c",
        "/shared", "/share-price", "/api/shares", "/apis/share/x", "/odoo/share/1", "/s-proxying", "/api/environment",
        "/" + "x" * 1999,
    ],
)  # fmt: skip
def test_a_path_of_an_environment_is_kept_as_it_is(path: str) -> None:
    assert parse_start_path(path) == path


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "must begin with a slash"),
        ("odoo", "must begin with a slash"),
        ("https://evil.example/", "must begin with a slash, without scheme and host"),
        ("javascript:alert(1)", "must begin with a slash"),
        ("?a=1", "must begin with a slash"),
        ("//evil.example", "two slashes in a row"),
        ("///evil.example", "two slashes in a row"),
        ("/a//b", "two slashes in a row"),
        ("/\\evil.example", "backslash"),
        ("/a?b=\\c", "backslash"),
        ("/.", "segments . and .."),
        ("/..", "segments . and .."),
        ("/a/../b", "segments . and .."),
        ("/a/./b", "segments . and .."),
        ("/a/%2e%2E/b", "segments . and .."),
        ("/a/.%2e?x", "segments . and .."),
        ("/a b", "ASCII without spaces"),
        ("/é", "ASCII without spaces"),
        ("/a\r\nSet-Cookie: x=1", "ASCII without spaces"),
        ("/a\x00", "ASCII without spaces"),
        ("/a\x7f", "ASCII without spaces"),
        ("/a\n", "ASCII without spaces"),
        ("/\t/evil.example", "ASCII without spaces"),
        ("/share/gp_x", "Guestpass's own"),
        ("/share/gp_x?y", "Guestpass's own"),
        ("/share", "Guestpass's own"),
        ("/api/share/gp_x/login", "Guestpass's own"),
        ("/s-proxy/odoo", "Guestpass's own"),
        ("/api/environments", "Guestpass's own"),
        ("/api/environments/staging/share", "Guestpass's own"),
        ("/api/share-links", "Guestpass's own"),
        ("/" + "x" * 2000, "at most 2000 characters"),
    ],
)
def test_what_is_no_such_path_is_refused_with_the_remedy(text: str, says: str) -> None:
    with pytest.raises(ValueError, match="must") as caught:
        parse_start_path(text)
    assert says in str(caught.value)


@pytest.mark.parametrize("path", ["/web/database/manager", "/web/database/manager#x", "/de/web/database?y", "/jsonrpc"])
def test_no_visitor_of_an_odoo_lands_at_a_shut_door(path: str) -> None:
    refusal = refusal_of_start_path(path, Kind.ODOO, ())
    assert refusal is not None
    assert refusal.endswith("Choose another path")
    assert refusal_of_start_path(path, Kind.WEB, ()) is None


def test_a_door_that_the_owner_opened_is_none() -> None:
    assert refusal_of_start_path("/jsonrpc?x", Kind.ODOO, ("/jsonrpc",)) is None
    assert refusal_of_start_path("/odoo?path=/web/database", Kind.ODOO, ()) is None


@pytest.mark.parametrize("path", ["/a%zz", "/a%2Fb"])
def test_a_path_that_odoo_would_not_be_asked_for_is_refused(path: str) -> None:
    assert refusal_of_start_path(path, Kind.ODOO, ()) is not None
