from __future__ import annotations

import re

import pytest

from guestpass.domain.networks import counted_as, is_within, networks_around, parse_allowed_ips, read_networks


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("192.0.2.7", "192.0.2.7"),
        (" 192.0.2.7/32 ", "192.0.2.7"),
        ("198.51.100.0/24", "198.51.100.0/24"),
        ("198.51.100.0/255.255.255.0", "198.51.100.0/24"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("2001:DB8::/32", "2001:db8::/32"),
        ("2001:db8:0:0:0:0:0:1", "2001:db8::1"),
        ("::/0", "::/0"),
        # Visitors' addresses are never in this form, so it would let nobody in.
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("::ffff:198.51.100.0/120", "198.51.100.0/24"),
        ("::ffff:0:0/96", "0.0.0.0/0"),
    ],
)
def test_addresses_and_networks_are_kept_in_one_form(given: str, kept: str) -> None:
    assert parse_allowed_ips([given]) == (kept,)
    assert parse_allowed_ips([kept]) == (kept,)


def test_each_is_kept_once_and_in_order() -> None:
    assert parse_allowed_ips(["192.0.2.7", "::1", "192.0.2.7/32", "10.0.0.0/8"]) == ("192.0.2.7", "::1", "10.0.0.0/8")
    assert parse_allowed_ips([]) == ()


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "anywhere", "192.0.2", "192.0.2.256", "192.0.2.7/33", "192.0.2.7/", "192.0.2.7/-1", "192.0.2.0-9",
        "192.0.2.7:80", "[::1]", "fe80::1%eth0", "::1/129", "example.com", "1", "192.0.2.7\x00", "192.0.2.7 10.0.0.1",
        "\uff11\uff19\uff12.0.2.7",
    ],
)  # fmt: skip
def test_what_is_no_network_is_named_by_its_number(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape("such as 192.0.2.7 or 2001:db8::/32; number 2 is none")):
        parse_allowed_ips(["192.0.2.1", text])


@pytest.mark.parametrize(
    ("text", "network", "address"),
    [
        ("10.1.2.3/8", "10.0.0.0/8", "10.1.2.3"),
        ("192.0.2.7/31", "192.0.2.6/31", "192.0.2.7"),
        ("2001:db8::1/32", "2001:db8::/32", "2001:db8::1"),
    ],
)
def test_an_address_inside_a_network_is_answered_with_both_that_could_be_meant(
    text: str, network: str, address: str
) -> None:
    with pytest.raises(ValueError, match="is an address inside one") as caught:
        parse_allowed_ips([text])
    assert f"write {network} for the network, or {address} for the address alone" in str(caught.value)


def test_so_many_may_be_named() -> None:
    addresses = [f"192.0.2.{number}" for number in range(51)]
    assert len(parse_allowed_ips(addresses[:50])) == 50
    with pytest.raises(ValueError, match="must be at most 50 addresses and networks"):
        parse_allowed_ips(addresses)


@pytest.mark.parametrize(
    ("address", "inside"),
    [
        ("192.0.2.7", True),
        ("192.0.2.8", False),
        ("198.51.100.255", True),
        ("198.51.101.0", False),
        ("2001:db8:ffff::1", True),
        ("2001:db9::1", False),
        ("::ffff:192.0.2.7", True),
        ("::ffff:192.0.2.8", False),
        ("::192.0.2.7", False),
        ("unknown", False),
        ("", False),
        ("192.0.2.7:1234", False),
    ],
)
def test_an_address_is_within_or_not(address: str, inside: bool) -> None:
    networks = read_networks(("192.0.2.7", "198.51.100.0/24", "2001:db8::/32"))
    assert is_within(address, networks) is inside


@pytest.mark.parametrize(
    ("address", "counted", "around"),
    [
        ("192.0.2.7", "192.0.2.7", ("192.0.2.0/24",)),
        ("::ffff:192.0.2.7", "192.0.2.7", ("192.0.2.0/24",)),
        (
            "2001:db8:1:2345:6::7",
            "2001:db8:1:2345::/64",
            ("2001:db8:1:2300::/56", "2001:db8:1::/48", "2001:db8::/32"),
        ),
        ("::1", "::/64", ("::/56", "::/48", "::/32")),
        ("fe80::1%eth0", "fe80::/64", ("fe80::/56", "fe80::/48", "fe80::/32")),
        ("unknown", "unknown", ()),
        ("", "", ()),
    ],
)
def test_an_address_is_counted_with_the_networks_around_it(address: str, counted: str, around: tuple[str, ...]) -> None:
    assert counted_as(address) == counted
    assert networks_around(address) == around
