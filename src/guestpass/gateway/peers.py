"""Who is at the other end: the client's address behind any number of trusted proxies."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Final

import structlog

from guestpass.domain.ip_addresses import plain_address
from guestpass.wire.heads import RequestHead, read_host

Network = IPv4Network | IPv6Network
FORWARDING_FIELDS: Final = frozenset(
    {
        b"forwarded",
        b"x-forwarded-for",
        b"x-forwarded-host",
        b"x-forwarded-port",
        b"x-forwarded-prefix",
        b"x-forwarded-proto",
        b"x-forwarded-scheme",
        b"x-forwarded-server",
        b"x-forwarded-ssl",
        b"x-forwarded-by",
        b"x-real-ip",
        b"x-client-ip",
        b"x-cluster-client-ip",
        b"true-client-ip",
        b"cf-connecting-ip",
        b"front-end-https",
        b"x-original-url",
        b"x-rewrite-url",
        b"x-original-host",
        b"x-host",
    }
)
_log = structlog.get_logger(__name__)


class TrustedProxies:
    """Reads forwarding fields from peers in TRUSTED_PROXIES, and from nobody else."""

    def __init__(self, networks: tuple[Network, ...]) -> None:
        self._networks = networks
        self.untrusted: str | None = None
        """A peer that seems to be a proxy of the operator's and is not trusted; None while none was seen."""
        self.is_trusted = lru_cache(maxsize=4096)(self._read_trust)
        """Whether a peer's address is one of the proxies'."""

    def client_address(self, peer: str, head: RequestHead) -> str:
        """The client's address: the rightmost of X-Forwarded-For that is not one of our proxies."""
        chain = head.values.get(b"x-forwarded-for")
        if not self.is_trusted(peer):
            if self.untrusted is None and not FORWARDING_FIELDS.isdisjoint(head.values):
                self._warn(peer)
            return peer
        client = peer
        for part in reversed((chain or b"").decode("latin-1").split(",")):
            try:
                client = str(plain_address(ip_address(_without_port(part.strip()))))
            except ValueError:
                break
            if not self.is_trusted(client):
                break
        return client

    def requested_host(self, peer: str, head: RequestHead) -> bytes:
        """The host that the visitor asked for: X-Forwarded-Host where a trusted proxy says so, else Host.

        Raises RefusedHeadError where the proxy names no host.
        """
        forwarded = head.values.get(b"x-forwarded-host")
        if forwarded is None or not self.is_trusted(peer):
            return head.host
        return read_host(forwarded.rpartition(b",")[2].strip())

    def _read_trust(self, address: str) -> bool:
        try:
            parsed = plain_address(ip_address(address))
        except ValueError:
            return False
        return any(parsed in network for network in self._networks)

    def _warn(self, peer: str) -> None:
        """Say once that a proxy in front is not trusted: the mistake is common and its effect hard to see."""
        try:
            address = plain_address(ip_address(peer))
        except ValueError:
            return
        if address.is_loopback or address.is_private:
            self.untrusted = peer
            _log.warning(
                "untrusted_proxy",
                peer=peer,
                effect="its X-Forwarded-* fields are ignored, so every visitor seems to come from it",
                remedy=f"if it is your reverse proxy, set GUESTPASS_TRUSTED_PROXIES={peer}",
            )


def _without_port(text: str) -> str:
    """An address that some proxies write with the port it came from: ``203.0.113.7:4711``, ``[2001:db8::1]:4711``."""
    if text.startswith("["):
        address, bracket, port = text[1:].partition("]")
        is_one = bool(bracket) and ":" in address and (not port or _is_port(port))
    else:
        # An IPv6 address without brackets has no port: its last group may look like one.
        address, colon, rest = text.partition(":")
        is_one = _is_port(colon + rest)
    return address if is_one else text


def _is_port(text: str) -> bool:
    return len(text) <= 6 and text.startswith(":") and text[1:].isascii() and text[1:].isdecimal()
