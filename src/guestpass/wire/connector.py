"""Connect to upstreams: names resolved, every address checked, all attempts together bounded in time."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final, TypeVar
from urllib.parse import urlsplit

from guestpass.domain.environment import DEFAULT_ORG, Environment
from guestpass.gateway.peers import Network
from guestpass.keepalive import probe_when_silent
from guestpass.wire.descriptors import raise_if_used_up, require_descriptor
from guestpass.wire.embedded_addresses import meanings
from guestpass.wire.resolver import Resolver, UnresolvedError
from guestpass.wire.run_queue import RunQueue
from guestpass.wire.upstream_tls import connect_with_tls

CONNECT_TIMEOUT: Final = 10.0
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
P = TypeVar("P", bound=asyncio.Protocol)


class UnreachableError(Exception):
    """No connection could be made; the text is for the operator's log."""


class AddressRefusedError(UnreachableError):
    """No address of the host may be connected to."""


class CertificateRefusedError(UnreachableError):
    """Somebody answers, with a certificate that is not accepted; `why` is in OpenSSL's words."""

    def __init__(self, text: str, why: str) -> None:
        super().__init__(text)
        self.why = why


@dataclass(frozen=True, slots=True)
class UpstreamOrigin:
    """Where an upstream listens; `tls` is None for plain http, else whether its certificate is verified.

    `org` is whose environment it is: names are looked up for each organisation apart.
    """

    host: str
    port: int
    tls: bool | None
    org: str = DEFAULT_ORG

    @classmethod
    def of(cls, environment: Environment, url: str | None = None) -> UpstreamOrigin:
        """The origin of one of the environment's addresses, a checked ``http(s)://host[:port]``."""
        return cls.at(environment.url if url is None else url, environment.key.org, tls_verify=environment.tls_verify)

    @classmethod
    def at(cls, url: str, org: str, *, tls_verify: bool) -> UpstreamOrigin:
        """The origin of such an address of an organisation's."""
        parts = urlsplit(url)
        port = parts.port if parts.port is not None else _DEFAULT_PORTS[parts.scheme]
        return cls(parts.hostname or "", port, tls_verify if parts.scheme == "https" else None, org)


class AddressPolicy:
    """Which addresses may be connected to: UPSTREAM_ALLOW, then UPSTREAM_DENY, and never our own listeners."""

    def __init__(
        self, *, allow: Sequence[Network], deny: Sequence[Network], own_listeners: Sequence[tuple[str, int]]
    ) -> None:
        self._allow = tuple(allow)
        self._deny = tuple(deny)
        self._own = tuple((ip_address(host), port) for host, port in own_listeners)

    def refusal(self, address: str, port: int) -> str | None:
        """Why the address must not be connected to, or None."""
        for meant in meanings(ip_address(address.partition("%")[0])):
            for own, own_port in self._own:
                if port == own_port and (meant == own or (own.is_unspecified and _is_local(meant))):
                    return "it is one of our own listeners"
            if any(meant in network for network in self._allow):
                continue
            if any(meant in network for network in self._deny):
                return "GUESTPASS_UPSTREAM_DENY names it"
        return None


class Connector:
    """Opens connections to origins. The policy is applied to the very address that is connected to.

    All of a process share one resolver, since it bounds the threads.
    """

    def __init__(self, policy: AddressPolicy, resolver: Resolver) -> None:
        self._policy = policy
        self._resolver = resolver

    @cached_property
    def _verifying(self) -> ssl.SSLContext:
        # Reading all authorities takes longer than most commands do, and few of them connect to anything. Where their
        # files can't be opened OpenSSL says nothing, and would trust nobody from then on.
        require_descriptor()
        return ssl.create_default_context()

    @cached_property
    def _trusting(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context

    @cached_property
    def _run_queue(self) -> RunQueue:
        return RunQueue(asyncio.get_running_loop())

    async def connect(self, origin: UpstreamOrigin, factory: Callable[[], P]) -> P:
        """A connected protocol within CONNECT_TIMEOUT seconds; raises UnreachableError and DescriptorsUsedUp."""
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                return await self._connect(origin, factory)
        except TimeoutError:
            raise UnreachableError(f"no connection within {CONNECT_TIMEOUT:.0f} s") from None
        except UnreachableError:
            require_descriptor()
            raise

    async def _connect(self, origin: UpstreamOrigin, factory: Callable[[], P]) -> P:
        loop = asyncio.get_running_loop()
        context = None
        if origin.tls is not None:
            context = self._verifying if origin.tls else self._trusting
        failures: list[str] = []
        tried, wrong = False, ""
        for address in await self._resolve(origin):
            try:
                refusal = self._policy.refusal(address, origin.port)
                if refusal is not None:
                    failures.append(f"{address} is refused: {refusal}")
                    continue
                tried = True
                if context is None:
                    transport, protocol = await loop.create_connection(factory, address, origin.port)
                else:
                    transport, protocol = await connect_with_tls(
                        factory,
                        address,
                        origin.port,
                        context=context,
                        server_hostname=origin.host,
                        run_queue=self._run_queue,
                    )
                if not transport.is_closing():
                    probe_when_silent(transport.get_extra_info("socket"))
            except (OSError, ssl.SSLError) as error:
                raise_if_used_up(error)
                if isinstance(error, ssl.SSLCertVerificationError):
                    wrong = error.verify_message
                failures.append(f"{address}: {error.strerror or error}")
            else:
                return protocol
        if wrong:
            raise CertificateRefusedError("; ".join(failures), wrong)
        raise (UnreachableError if tried else AddressRefusedError)("; ".join(failures))

    async def _resolve(self, origin: UpstreamOrigin) -> list[str]:
        try:
            return await self._resolver.addresses(origin.host, origin.org)
        except UnresolvedError as error:
            raise UnreachableError(f"{origin.host} can't be resolved: {error}") from None


def _is_local(address: IPv4Address | IPv6Address) -> bool:
    """Whether the address is one of this machine's: only those can be bound."""
    family = socket.AF_INET if isinstance(address, IPv4Address) else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((str(address), 0))
        except OSError:
            return False
    return True
