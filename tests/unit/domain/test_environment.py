from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestpass.domain.environment import ID_PATTERN, EnvironmentKey, id_from_name, parse_upstream_url


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("http://10.0.0.5:8069", "http://10.0.0.5:8069"),
        ("http://10.0.0.5:8069/", "http://10.0.0.5:8069"),
        ("https://Odoo.Example.COM", "https://odoo.example.com"),
        ("HTTPS://odoo.example.com:443", "https://odoo.example.com:443"),
        ("http://localhost", "http://localhost"),
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
