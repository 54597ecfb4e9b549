"""IP addresses, judged and written the same by every Python that is supported: what the library does has changed."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network


def plain_address(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """An IPv4 address in its own form where it is mapped into IPv6 (RFC 4291, section 2.5.5.2), else the address.

    To be asked before what an address is for: ``::ffff:127.0.0.1`` is a loopback address from Python 3.13 on only.
    """
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def plain_network(network: IPv4Network | IPv6Network) -> IPv4Network | IPv6Network:
    """The same for a network: one of addresses that are all mapped is one of IPv4."""
    if isinstance(network, IPv6Network) and network.prefixlen >= 96:
        mapped = network.network_address.ipv4_mapped
        if mapped is not None:
            return IPv4Network((mapped, network.prefixlen - 96))
    return network


def written_address(address: IPv4Address | IPv6Address) -> str:
    """An address as browsers write it, without brackets (WHATWG URL, "host serializing").

    From 3.13 on, Python writes ``::ffff:127.0.0.1`` where browsers write ``::ffff:7f00:1``.
    """
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    if mapped is None:
        return str(address)
    high, low = divmod(int(mapped), 1 << 16)
    return f"::ffff:{high:x}:{low:x}"
