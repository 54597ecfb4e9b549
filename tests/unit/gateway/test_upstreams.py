"""Where the addresses of environments lead."""

from __future__ import annotations

import pytest
from tests.storage.samples import KEY, make_environment

from guestpass.domain.environment import EnvironmentKey
from guestpass.gateway.upstreams import origin_of
from guestpass.wire.connector import UpstreamOrigin


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("http://odoo", UpstreamOrigin("odoo", 80, None, KEY.org)),
        ("https://odoo", UpstreamOrigin("odoo", 443, True, KEY.org)),
        ("http://10.0.0.5:8069", UpstreamOrigin("10.0.0.5", 8069, None, KEY.org)),
        ("https://[2001:db8::1]:8443", UpstreamOrigin("2001:db8::1", 8443, True, KEY.org)),
    ],
)
def test_an_origin_has_its_schemes_port_where_it_names_none(url: str, origin: UpstreamOrigin) -> None:
    assert origin_of(make_environment(url=url, tls_verify=True)) == origin


def test_an_origin_knows_whose_it_is_also_where_it_is_another_address_of_the_environment() -> None:
    theirs = make_environment(url="http://odoo", key=EnvironmentKey("theirs", "odoo"))
    assert origin_of(theirs, "http://odoo:8072") == UpstreamOrigin("odoo", 8072, None, "theirs")


def test_verification_is_a_matter_of_https_alone() -> None:
    assert origin_of(make_environment(url="https://odoo", tls_verify=False)).tls is False
    assert origin_of(make_environment(url="http://odoo", tls_verify=False)).tls is None
