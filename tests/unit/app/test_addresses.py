from __future__ import annotations

import pytest

from guestpass.app.addresses import Addresses


@pytest.mark.parametrize(
    ("addresses", "url", "secure"),
    [
        (Addresses("https://share.example.com"), "https://share.example.com/share/gp_x", True),
        (Addresses("http://127.0.0.1:8080"), "http://127.0.0.1:8080/share/gp_x", False),
        (Addresses("https://example.com", "share.example.com"), "https://abc.share.example.com/share/gp_x", True),
        (Addresses("http://localhost:8080", "localhost"), "http://abc.localhost:8080/share/gp_x", False),
    ],
)
def test_the_url_that_an_owner_sends(addresses: Addresses, url: str, secure: bool) -> None:
    assert addresses.share_url("abc", "gp_x") == url
    assert addresses.secure is secure
