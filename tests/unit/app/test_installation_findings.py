from __future__ import annotations

import pytest

from guestpass.app.addresses import Addresses
from guestpass.app.installation_findings import admin_beside_visitors


@pytest.mark.parametrize(
    ("admin_url", "public_url", "link_domain"),
    [
        ("http://localhost:8081", "http://localhost:8080", None),
        ("https://share.example.com:8443", "https://share.example.com", None),
        ("https://admin.links.example.com", "https://share.example.com", "links.example.com"),
        ("https://links.example.com", "https://share.example.com", "links.example.com"),
        ("http://[::1]:8081", "http://[::1]:8080", None),
    ],
)
def test_the_dashboard_beside_shared_content_is_found_whatever_the_ports(
    admin_url: str, public_url: str, link_domain: str | None
) -> None:
    finding = admin_beside_visitors(admin_url, Addresses(public_url, link_domain))
    assert finding is not None
    assert finding.code == "admin_beside_visitors"


@pytest.mark.parametrize(
    ("admin_url", "public_url", "link_domain"),
    [
        ("http://localhost:8081", "http://127.0.0.1:8080", None),
        ("https://admin.example.com", "https://share.example.com", "links.example.com"),
        ("https://mylinks.example.com", "https://share.example.com", "links.example.com"),
    ],
)
def test_a_host_of_its_own_is_no_finding(admin_url: str, public_url: str, link_domain: str | None) -> None:
    assert admin_beside_visitors(admin_url, Addresses(public_url, link_domain)) is None
