"""Which IPv4 addresses an IPv6 one stands for: the examples of each standard's own text, where it has some."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from guestpass.gateway.embedded_addresses import meanings


@pytest.mark.parametrize(
    ("address", "embedded"),
    [
        # RFC 4291, section 2.2 (3): IPv4-compatible, and mapped, which is the IPv4 address itself.
        ("::13.1.68.3", "13.1.68.3"),
        ("::ffff:129.144.52.38", "129.144.52.38"),
        # RFC 6052, section 2.4: the well-known prefix, and (here behind RFC 8215's) each length that has room in it.
        ("64:ff9b::192.0.2.33", "192.0.2.33"),
        ("64:ff9b:1:c000:2:2100::", "192.0.2.33"),
        ("64:ff9b:1:3c0:0:221::", "192.0.2.33"),
        ("64:ff9b:1:344:c0:2:2100::", "192.0.2.33"),
        ("64:ff9b:1:344::192.0.2.33", "192.0.2.33"),
        ("64:ff9b:1::192.0.2.33", "192.0.2.33"),
        # What stands behind the address should be zero and is ignored (section 2.2).
        ("64:ff9b:1:c000:2:2100::1", "192.0.2.33"),
        # RFC 2765, section 2.1: IPv4-translated.
        ("::ffff:0:192.0.2.33", "192.0.2.33"),
        # RFC 3056, section 2.
        ("2002:c000:221::1", "192.0.2.33"),
        # RFC 4380, section 4: the server, and the client behind its flags and port, all bits turned over.
        ("2001:0:4136:e378:8000:63bf:3fff:fdd2", "65.54.227.120"),
        ("2001:0:4136:e378:8000:63bf:3fff:fdd2", "192.0.2.45"),
        # RFC 5214, section 6.1, for addresses that are unique in the world and for others.
        ("fe80::5efe:192.0.2.33", "192.0.2.33"),
        ("2001:db8::5efe:192.0.2.33", "192.0.2.33"),
        ("2001:db8::200:5efe:192.0.2.33", "192.0.2.33"),
    ],
)
def test_an_address_means_the_ipv4_address_that_it_embeds(address: str, embedded: str) -> None:
    assert ip_address(embedded) in meanings(ip_address(address))


@pytest.mark.parametrize(
    "address",
    ["192.0.2.33", "::", "::1", "2001:db8::192.0.2.33", "fd00::192.0.2.33", "2001:4860::5efe", "64:ff9c::192.0.2.33"],
)
def test_any_other_address_means_itself_alone(address: str) -> None:
    assert meanings(ip_address(address)) == {ip_address(address)}


def test_what_is_behind_a_translators_prefix_of_96_bits_is_not_read_as_a_shorter_ones_zeros() -> None:
    address = ip_address("64:ff9b:1::10.0.0.5")
    assert meanings(address) == {address, ip_address("10.0.0.5")}
