"""Check environments: whether they can be reached, and what their owners should know about them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final, Protocol

import structlog

from guestpass.app.environment_check import CheckReport
from guestpass.domain.environment import Environment, Kind
from guestpass.domain.finding import Finding
from guestpass.gateway.upstreams import origin_of
from guestpass.outbound.http_client import AddressNotAllowedError, HttpClient, NoResponseError

CHECK_SECONDS: Final = 20.0
"""How long all requests of one check may take together."""

ADDRESS_REFUSED: Final = Finding(
    code="address_refused",
    detail="This installation does not connect to that address: it is its own, or in a network that UPSTREAM_DENY "
    "names. Visitors get an error page.",
    remedy="Correct url, or have the network named in UPSTREAM_ALLOW.",
)


def unreachable(why: str) -> Finding:
    """The finding for an environment that gave no answer."""
    return Finding(
        code="unreachable",
        detail=f"The environment can't be used: {why}. Visitors get an error page.",
        remedy="Start it, or correct url; it must be reachable from the machine that Guestpass runs on. Then check "
        "again.",
    )


class Checker(Protocol):
    """Check environments of one kind."""

    async def check(self, environment: Environment) -> CheckReport:
        """Check within CHECK_SECONDS; raises NoResponseError and DescriptorsUsedUp."""
        ...


class ConnectionChecker:
    """Connect to an environment and send nothing: the check of kind web, and the product's ReachabilityCheck."""

    def __init__(self, http: HttpClient, *, seconds: float = CHECK_SECONDS) -> None:
        self._http = http
        self._seconds = seconds

    async def check(self, environment: Environment) -> CheckReport:
        """Report nothing if a connection can be made; raises NoResponseError and DescriptorsUsedUp."""
        try:
            async with asyncio.timeout(self._seconds):
                await self._http.connect(origin_of(environment))
        except TimeoutError:
            raise NoResponseError(f"it was not reached within {self._seconds:g} s") from None
        return CheckReport()

    async def why_unreachable(self, environment: Environment) -> str | None:
        """Why no connection can be made, TLS included; None if one can. Raises DescriptorsUsedUp."""
        try:
            await self._http.connect(origin_of(environment))
        except NoResponseError as error:
            return str(error)
        return None


class EnvironmentChecker:
    """The product's EnvironmentCheck: choose the checker by kind, and report an environment that can't be reached."""

    def __init__(self, checkers: Mapping[Kind, Checker]) -> None:
        self._checkers = checkers

    async def check(self, environment: Environment) -> CheckReport:
        """Check the environment; whatever it does or answers becomes part of the report. Raises DescriptorsUsedUp."""
        try:
            return await self._checkers[environment.kind].check(environment)
        except AddressNotAllowedError:
            return _known_before(environment, ADDRESS_REFUSED)
        except NoResponseError as error:
            structlog.get_logger("guestpass.gateway").info(
                "environment_unreachable", environment=str(environment.key), cause=str(error.__cause__ or error)
            )
            return _known_before(environment, unreachable(str(error)))


def _known_before(environment: Environment, finding: Finding) -> CheckReport:
    """Keep what was known: the address is the same, and the environment may be back in a minute."""
    return CheckReport(
        odoo_version=environment.odoo_version,
        canonical_url=environment.canonical_url,
        websocket=environment.websocket_on,
        found_websocket_url=environment.found_websocket_url,
        findings=(finding,),
    )
