"""Decide which upstream addresses may be connected to."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address

from guestpass.gateway.embedded_addresses import meanings
from guestpass.gateway.peers import Network


class AddressPolicy:
    """Never our own listeners; else UPSTREAM_ALLOW goes before UPSTREAM_DENY, and what neither names is allowed."""

    def __init__(
        self, *, allow: Sequence[Network], deny: Sequence[Network], own_listeners: Sequence[tuple[str, int]]
    ) -> None:
        self._allow = tuple(allow)
        self._deny = tuple(deny)
        self._own = tuple((ip_address(host), port) for host, port in own_listeners)

    def refusal(self, address: str, port: int) -> str | None:
        """Why the address must not be connected to; None if it may be."""
        for meant in meanings(ip_address(address.partition("%")[0])):
            for own, own_port in self._own:
                if port == own_port and (meant == own or (own.is_unspecified and _is_local(meant))):
                    return "it is one of our own listeners"
            if any(meant in network for network in self._allow):
                continue
            if any(meant in network for network in self._deny):
                return "GUESTPASS_UPSTREAM_DENY names it"
        return None


def _is_local(address: IPv4Address | IPv6Address) -> bool:
    """Whether the address is this machine's: only those can be bound."""
    family = socket.AF_INET if isinstance(address, IPv4Address) else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((str(address), 0))
        except OSError:
            return False
    return True
