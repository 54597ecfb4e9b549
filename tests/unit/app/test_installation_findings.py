from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from guestpass.app.installation_findings import admin_beside_visitors, expiring_certificate
from guestpass.app.public_urls import PublicUrls


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
    finding = admin_beside_visitors(admin_url, PublicUrls(public_url, link_domain))
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
    assert admin_beside_visitors(admin_url, PublicUrls(public_url, link_domain)) is None


NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("left", "words"),
    [
        (timedelta(days=13, hours=23), "ends in 13 days (2026-03-15)"),
        (timedelta(hours=1), "ends in 0 days"),
        (timedelta(seconds=-1), "has ended"),
    ],
)
def test_a_certificate_is_spoken_of_in_its_last_fortnight(left: timedelta, words: str) -> None:
    finding = expiring_certificate(NOW + left, NOW)
    assert finding is not None
    assert words in finding.detail


def test_a_certificate_that_lasts_is_not_spoken_of() -> None:
    assert expiring_certificate(NOW + timedelta(days=14), NOW) is None
