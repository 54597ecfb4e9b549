"""Tell what the name means by which a request reached us."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import cached_property, lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Final
from urllib.parse import urlsplit

from guestpass.app.public_urls import PublicUrls, read_link_label

_DEFAULT_PORTS: Final = {"http": "80", "https": "443"}
# As W3C Secure Contexts has them: Python 3.13 counts in ::ffff:127.0.0.1 too, which browsers don't trust.
_LOOPBACK: Final = (IPv4Network("127.0.0.0/8"), IPv6Network("::1"))


class HostKind(Enum):
    """Which role the requested host has."""

    MAIN = "main"  # PUBLIC_URL on the public listener, ADMIN_URL on the admin listener
    LINK = "link"  # the host of one version of a link
    FORMER = "former"  # an earlier PUBLIC_URL or LINK_DOMAIN
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class RequestedHost:
    """The role of a Host field, the link and version whose host it is, and the origin that a browser there has."""

    kind: HostKind
    origin: bytes
    link_id: str | None = None
    link_version: int = 0

    @cached_property
    def scheme(self) -> bytes:
        """Of the origin: http or https."""
        return self.origin.partition(b":")[0]

    @property
    def is_trustworthy(self) -> bool:
        """Whether browsers treat the origin as secure (W3C Secure Contexts, section 3.1)."""
        scheme, _, authority = self.origin.decode().partition("://")
        name, _ = _split(authority)
        return scheme == "https" or _is_loopback(name) or name.endswith(".localhost")


class HostTable:
    """The names of one listener. `on_loopback` lets loopback names stand for the main one, whatever their port.

    `own_scheme` is what the listener itself speaks.
    """

    def __init__(
        self,
        *,
        main_url: str,
        on_loopback: bool,
        own_scheme: str = "http",
        addresses: PublicUrls | None = None,
        former_urls: tuple[str, ...] = (),
    ) -> None:
        self._scheme = urlsplit(main_url).scheme
        self._main = _authority(main_url)
        self._on_loopback = on_loopback
        self._own_scheme = own_scheme
        self._link_domain = addresses.link_domain.lower() if addresses and addresses.link_domain else None
        self._former = frozenset(_authority(url) for url in former_urls if "://" in url)
        self._former_hosts = frozenset(name for name, _ in self._former)
        self._former_domains = tuple(domain.lower() for domain in former_urls if "://" not in domain)
        # The names that occur are few; those that strangers invent must not fill the memory.
        self.read = lru_cache(maxsize=2048)(self._read)

    def _read(self, host: bytes) -> RequestedHost:
        """Classify a checked, lower-case Host field."""
        name, port = _split(host.decode("ascii"))
        origin = _origin(self._scheme, name, port)
        same_port = (port or _DEFAULT_PORTS[self._scheme]) == self._main[1]
        if name == self._main[0] and same_port:
            return RequestedHost(HostKind.MAIN, origin)
        if self._link_domain and same_port:
            label = _label_below(name, self._link_domain)
            if label is not None:
                return RequestedHost(HostKind.LINK, origin, *read_link_label(label))
        if (name, port or _DEFAULT_PORTS[self._scheme]) in self._former:
            return RequestedHost(HostKind.FORMER, origin)
        if self._on_loopback and _is_loopback(name):
            # Someone on this machine, or at the other end of a tunnel to it; no proxy is on this path.
            return RequestedHost(HostKind.MAIN, _origin(self._own_scheme, name, port))
        if name in self._former_hosts or any(_label_below(name, domain) for domain in self._former_domains):
            return RequestedHost(HostKind.FORMER, origin)
        return RequestedHost(HostKind.UNKNOWN, origin)


def _label_below(name: str, domain: str) -> str | None:
    label, dot, parent = name.partition(".")
    return label if dot and label and parent == domain else None


def _is_loopback(name: str) -> bool:
    if name == "localhost":
        return True
    try:
        address = ip_address(name.strip("[]"))
    except ValueError:
        return False
    return any(address in network for network in _LOOPBACK)


def _authority(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    name, port = _split(parts.netloc.lower())
    return name, port or _DEFAULT_PORTS[parts.scheme]


def _split(authority: str) -> tuple[str, str]:
    name, colon, port = authority.rpartition(":")
    return (name, port) if colon and not port.endswith("]") else (authority, "")


def _origin(scheme: str, name: str, port: str) -> bytes:
    """The origin as a browser writes it (RFC 6454, section 6.2): without the scheme's own port."""
    shown = f":{int(port)}" if port and port != _DEFAULT_PORTS[scheme] else ""
    return f"{scheme}://{name}{shown}".encode()
