from __future__ import annotations

import pytest

from guestpass.app.public_urls import PublicUrls, link_label, read_link_label


@pytest.mark.parametrize(
    ("addresses", "url", "secure"),
    [
        (PublicUrls("https://share.example.com"), "https://share.example.com/share/gp_x", True),
        (PublicUrls("http://127.0.0.1:8080"), "http://127.0.0.1:8080/share/gp_x", False),
        (PublicUrls("https://example.com", "share.example.com"), "https://example.com/share/gp_x", True),
        (PublicUrls("http://localhost:8080", "localhost"), "http://localhost:8080/share/gp_x", False),
    ],
)
def test_the_url_that_an_owner_sends(addresses: PublicUrls, url: str, secure: bool) -> None:
    assert addresses.share_url("gp_x") == url
    assert addresses.secure is secure


def test_each_version_of_a_link_has_an_origin_and_the_first_the_one_that_all_had() -> None:
    addresses = PublicUrls("https://example.com:8443", "share.example.com")
    assert addresses.link_origin("abc", 1) == "https://abc.share.example.com:8443"
    assert addresses.link_origin("abc", 2) == "https://abc-2.share.example.com:8443"
    assert PublicUrls("https://example.com").link_origin("abc", 2) == "https://example.com"


@pytest.mark.parametrize("version", [1, 2, 10, 999_999_999])
def test_a_label_is_read_as_it_is_written(version: int) -> None:
    assert read_link_label(link_label("abc", version)) == ("abc", version)


@pytest.mark.parametrize(
    "label", ["abc-", "abc-0", "abc-1", "abc-02", "abc-2-3", "abc-x", "abc-\u0662", "abc-1234567890"]
)
def test_no_other_spelling_is_a_links_label(label: str) -> None:
    assert read_link_label(label) == (label, 1), "and no link has such an id"
