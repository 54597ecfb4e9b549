"""The networks that a link's visitors may come from."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Network

from guestpass.domain.ip_addresses import plain_address, plain_network

ALLOWED_IPS = 50
"""How many networks one link may name."""
ALLOWED_IP_LENGTH = 50
Network = IPv4Network | IPv6Network


def parse_allowed_ips(texts: Sequence[str]) -> tuple[str, ...]:
    """Check addresses and networks (CIDR); returns each once, as it is written canonically.

    Raises ValueError with a sentence for the person who wrote them.
    """
    if len(texts) > ALLOWED_IPS:
        raise ValueError(f"must be at most {ALLOWED_IPS} addresses and networks")
    return tuple(dict.fromkeys(_canonical(text, number) for number, text in enumerate(texts, 1)))


def read_networks(texts: Sequence[str]) -> tuple[Network, ...]:
    """Convert what `parse_allowed_ips` returned, for `is_within`."""
    return tuple(ipaddress.ip_network(text) for text in texts)


def is_within(address: str, networks: Sequence[Network]) -> bool:
    """Whether an address lies in one of the networks; what is no address lies in none."""
    try:
        parsed = plain_address(ipaddress.ip_address(address))
    except ValueError:
        return False
    return any(parsed in network for network in networks)


@lru_cache(maxsize=4096)
def counted_as(address: str) -> str:
    """Return the key that limits count an address by: itself, or its /64 in IPv6, the least that a customer gets."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv4Address):
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(IPv6Network((int(parsed) >> 64 << 64, 64)))


@lru_cache(maxsize=4096)
def networks_around(address: str) -> tuple[str, ...]:
    """The networks around an address in which one person may have many: its /24, in IPv6 its /56, /48 and /32.

    None for what is no address.
    """
    try:
        parsed = plain_address(ipaddress.ip_address(address))
    except ValueError:
        return ()
    if isinstance(parsed, IPv4Address):
        return (str(IPv4Network((int(parsed), 24), strict=False)),)
    return tuple(str(IPv6Network((int(parsed), length), strict=False)) for length in (56, 48, 32))


def _canonical(text: str, number: int) -> str:
    stripped = text.strip()
    try:
        # Not strict at first, to distinguish host bits set from text that is no network.
        network = ipaddress.ip_network(stripped, strict=False)
        given = ipaddress.ip_address(stripped.partition("/")[0])
        if getattr(given, "scope_id", None) is not None:
            raise ValueError("scoped")  # noqa: TRY301 -- one sentence for all that is no network
    except ValueError:
        raise ValueError(
            "must hold IPv4 and IPv6 addresses and networks, such as 192.0.2.7 or 2001:db8::/32; number "
            f"{number} is none"
        ) from None
    if given != network.network_address:
        raise ValueError(
            f"must hold networks: number {number} is an address inside one; write {network} for the network, or "
            f"{given} for the address alone"
        )
    network = plain_network(network)
    return str(network.network_address) if network.prefixlen == network.max_prefixlen else str(network)
