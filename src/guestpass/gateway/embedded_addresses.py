"""Find the IPv4 addresses embedded in IPv6 addresses: a translator or tunnel sends the packets there.

Which translators a network has can't be known here, so every reading counts. An operator's own prefix (6rd, or a
network-specific one of RFC 6052) looks like any other address; the operator has to name it in UPSTREAM_DENY.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network
from typing import Final

from guestpass.domain.ip_addresses import plain_address

# Prefixes of 96 bits, with the IPv4 address behind them.
_BEFORE_LAST: Final = (
    IPv6Network("64:ff9b::/96"),  # NAT64 (RFC 6052, section 2.1)
    IPv6Network("::/96"),  # IPv4-compatible (RFC 4291, section 2.5.5.1)
    IPv6Network("::ffff:0:0:0/96"),  # IPv4-translated (RFC 2765, section 2.1)
)
_LOCAL_NAT64: Final = IPv6Network("64:ff9b:1::/48")
"""For translators of any prefix length (RFC 8215, section 5)."""
_PLACES: Final = ((6, 7, 9, 10), (7, 9, 10, 11), (9, 10, 11, 12), (12, 13, 14, 15))
"""Which octets are the IPv4 address behind prefixes of 48, 56, 64 and 96 bits (RFC 6052, section 2.2)."""
_6TO4: Final = IPv6Network("2002::/16")
_TEREDO: Final = IPv6Network("2001::/32")
_ISATAP: Final = frozenset({b"\0\0\x5e\xfe", b"\x02\0\x5e\xfe"})
"""How its interface ids begin, behind any prefix (RFC 5214, section 6.1)."""


def meanings(address: IPv4Address | IPv6Address) -> set[IPv4Address | IPv6Address]:
    """All addresses that packets to this one may reach: itself and those it embeds."""
    plain = plain_address(address)
    if isinstance(plain, IPv4Address):
        return {plain}
    octets = plain.packed
    found: set[IPv4Address | IPv6Address] = {plain, *_embedded(plain, octets)}
    if octets[8:12] in _ISATAP:
        found.add(IPv4Address(octets[12:]))
    return found


def _embedded(address: IPv6Address, octets: bytes) -> list[IPv4Address]:
    last = IPv4Address(octets[12:])
    if address in _LOCAL_NAT64:
        # Read with the wrong prefix length, the octets mostly begin with zero, which is no address of a host.
        read = [bytes(octets[place] for place in places) for places in _PLACES]
        return [IPv4Address(each) for each in read if each[0]] or [last]
    if address in _6TO4:
        return [IPv4Address(octets[2:6])]
    if address in _TEREDO:
        # The server's address, and the client's with every bit inverted (RFC 4380, section 4).
        return [IPv4Address(octets[4:8]), IPv4Address(bytes(octet ^ 0xFF for octet in octets[12:]))]
    # The unspecified address and loopback are no IPv4-compatible ones.
    if not address.is_unspecified and not address.is_loopback and any(address in network for network in _BEFORE_LAST):
        return [last]
    return []
