"""Connect to upstreams: resolve names, check every address, and bound all attempts together in time."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Protocol, TypeVar

from guestpass.wire.descriptors import raise_if_used_up, require_descriptor
from guestpass.wire.resolver import Resolver, UnresolvedError
from guestpass.wire.run_queue import RunQueue
from guestpass.wire.upstream_tls import connect_with_tls

CONNECT_TIMEOUT: Final = 10.0
P = TypeVar("P", bound=asyncio.Protocol)


class UnreachableError(Exception):
    """No connection was made; the text is for the operator's log."""


class AddressRefusedError(UnreachableError):
    """The policy allows none of the host's addresses."""


class CertificateRefusedError(UnreachableError):
    """The host's certificate is not accepted; `why` is OpenSSL's text."""

    def __init__(self, text: str, why: str) -> None:
        super().__init__(text)
        self.why = why


@dataclass(frozen=True, slots=True)
class UpstreamOrigin:
    """Where an upstream listens.

    `tls` is None for plain http, else whether to verify the certificate. `org` is the organisation whose environment it
    is; names are looked up for each organisation separately.
    """

    host: str
    port: int
    tls: bool | None
    org: str = ""


class Policy(Protocol):
    """Decide which addresses may be connected to."""

    def refusal(self, address: str, port: int) -> str | None:
        """Why the address must not be connected to; None if it may be."""
        ...


class Connector:
    """Open connections to origins.

    The policy is asked about the very address that is connected to, not about its name. `set_options` is given each
    connected socket. Share one resolver in a process, since it bounds the threads.
    """

    def __init__(
        self,
        policy: Policy,
        resolver: Resolver,
        *,
        set_options: Callable[[socket.socket], None] = lambda _: None,
    ) -> None:
        self._policy = policy
        self._resolver = resolver
        self._set_options = set_options

    @cached_property
    def _verifying(self) -> ssl.SSLContext:
        # Made when needed: loading all authorities takes longer than most commands, and few of them connect. Where
        # OpenSSL can't open the files it reports nothing, and would trust no certificate from then on.
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
        """Return a connected protocol within CONNECT_TIMEOUT seconds; raises UnreachableError and NoDescriptorError."""
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
                    self._set_options(transport.get_extra_info("socket"))
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
